import { describe, expect, test } from "vitest";
import { createFakeClock, settled } from "../testing/fake-clock.ts";
import type { Look, Tick, TickReport } from "./service.ts";
import { createService } from "./service.ts";

/** A service whose ticks end when the test says so. */
const setup = () => {
  const clock = createFakeClock();
  const looks: Look[] = [];
  const reports: TickReport[] = [];
  const open: { resolve: (tick: Tick) => void; reject: (error: unknown) => void }[] = [];
  const service = createService(
    {
      name: "review",
      longestWaitMs: 1_000,
      runOnce(look) {
        looks.push(look);
        return new Promise((resolve, reject) => open.push({ resolve, reject }));
      },
    },
    { clock, random: () => 0.5, onTick: (report) => reports.push(report) },
  );
  const end = async (outcome: Tick | Error): Promise<void> => {
    const tick = open.shift();
    if (tick === undefined) throw new Error("no tick is running");
    if (outcome instanceof Error) tick.reject(outcome);
    else tick.resolve(outcome);
    await settled();
  };
  return { clock, service, looks, reports, open, end };
};

describe("a service", () => {
  test("ticks at once, and again when the wait that its duty asked for is over", async () => {
    const { clock, service, looks, end } = setup();
    service.start();
    await end({ handled: 0, nextMs: 700 });
    await clock.advance(699);
    expect(looks).toHaveLength(1);
    await clock.advance(1);
    expect(looks).toEqual([{ woken: false }, { woken: false }]);
  });

  test("never runs beside itself, however often it is woken", async () => {
    const { service, looks, open, end } = setup();
    service.start();
    for (let index = 0; index < 10; index++) service.wake();
    await settled();
    expect(open).toHaveLength(1);
    await end({ handled: 1, nextMs: 1_000 });
    expect(looks).toEqual([{ woken: false }, { woken: true }]);
    expect(open).toHaveLength(1);
    await end({ handled: 0, nextMs: 1_000 });
    expect(looks).toHaveLength(2);
  });

  test("is woken out of its wait", async () => {
    const { service, looks, end } = setup();
    service.start();
    await end({ handled: 0, nextMs: 60_000 });
    service.wake();
    await settled();
    expect(looks).toEqual([{ woken: false }, { woken: true }]);
  });

  test("survives failures, with a wait that grows up to five seconds and is not cut short", async () => {
    const { clock, service, looks, end, reports } = setup();
    service.start();
    const waits: (number | undefined)[] = [];
    for (let failures = 1; failures <= 8; failures++) {
      await end(new Error("lost"));
      waits.push(clock.waits[0]);
      service.wake();
      await settled();
      expect(looks).toHaveLength(failures);
      await clock.advance(5_000);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500]);
    expect(reports.at(-1)?.result).toMatchObject({ failures: 8 });
    await end({ handled: 0, nextMs: 1_000 });
    expect(service.state()).toMatchObject({ failures: 0, lastTickAgeMs: 0 });
  });

  test("answers a wake that a failed tick left unanswered", async () => {
    const { clock, service, looks, end } = setup();
    service.start();
    await end({ handled: 0, nextMs: 60_000 });
    service.wake();
    await settled();
    await end(new Error("lost"));
    await clock.advance(100);
    expect(looks.at(-1)).toEqual({ woken: true });
  });

  test("stops when its running tick is over, and ticks no more", async () => {
    const { clock, service, open, end, looks } = setup();
    service.start();
    let stopped = false;
    const stop = service.stop().then(() => {
      stopped = true;
    });
    await settled();
    expect(stopped).toBe(false);
    expect(open).toHaveLength(1);
    await end({ handled: 5, nextMs: 0 });
    await stop;
    service.wake();
    await clock.advance(10_000);
    expect(looks).toHaveLength(1);
    expect(clock.waits).toEqual([]);
  });

  test("stops at once out of a wait, and before it was started", async () => {
    const { service, end } = setup();
    service.start();
    await end({ handled: 0, nextMs: 60_000 });
    await service.stop();
    await setup().service.stop();
  });

  test("goes on when its reports are not taken", async () => {
    const clock = createFakeClock();
    let ticks = 0;
    const runOnce = async (): Promise<Tick> => {
      ticks += 1;
      if (ticks % 2 === 0) throw new Error("lost");
      return { handled: 0, nextMs: 100 };
    };
    const onTick = (): void => {
      throw new Error("the disk of the log is full");
    };
    createService({ name: "lease", longestWaitMs: 100, runOnce }, { clock, random: () => 1, onTick }).start();
    await clock.advance(10_000);
    expect(ticks).toBeGreaterThan(50);
  });

  test("says how old its last good tick is, and how long the running one takes", async () => {
    const { clock, service, end } = setup();
    service.start();
    await end({ handled: 0, nextMs: 1_000 });
    await clock.advance(1_000);
    expect(service.state()).toMatchObject({ lastTickAgeMs: 1_000, runningMs: 0 });
    await clock.advance(9_000);
    expect(service.state()).toMatchObject({ lastTickAgeMs: 10_000, runningMs: 9_000 });
    await end(new Error("lost"));
    expect(service.state()).toMatchObject({ lastTickAgeMs: 10_000, runningMs: null, failures: 1 });
  });
});
