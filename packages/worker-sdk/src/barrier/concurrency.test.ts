import type { Lane } from "@floxy/shared";
import fc from "fast-check";
import type pg from "pg";
import { expect, it } from "vitest";
import type { BarrierResult } from "./barrier.ts";
import type { EffectState, Reason } from "./testing/model.ts";
import { expected, ledgerOf } from "./testing/model.ts";
import type { End } from "./testing/service.ts";
import { createService } from "./testing/service.ts";

type Service = Awaited<ReturnType<typeof createService>>;

const lanes: readonly Lane[] = ["forward", "compensation"];
const ends: readonly End[] = ["COMMIT", "ROLLBACK"];
const levels = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] as const;

/** A call whose transaction stays open until the test ends it. */
interface OpenCall {
  /** What became of the call, or the code of the error. */
  readonly outcome: Promise<BarrierResult<unknown> | string>;
  /** Resolves with whether the call waits for another one, as soon as it does or has an outcome. */
  waits(): Promise<boolean>;
  end(how: End): Promise<void>;
}

const open = async (service: Service, lane: Lane, effectKey: string, level: string): Promise<OpenCall> => {
  const client = await service.pool.connect();
  const pid = await pidOf(client);
  await client.query(`BEGIN ISOLATION LEVEL ${level}`);
  let done = false;
  const outcome = service
    .pass(client, { lane, effectKey })
    .catch((error: { code?: string }) => error.code ?? String(error))
    .finally(() => {
      done = true;
    });
  return {
    outcome,
    async waits() {
      for (;;) {
        const { rows } = await service.pool.query("SELECT pg_blocking_pids($1) <> '{}' AS blocked", [pid]);
        if (done) return false;
        if ((rows[0] as { blocked: boolean }).blocked) return true;
      }
    },
    async end(how) {
      const result = await outcome;
      await client.query(typeof result === "string" ? "ROLLBACK" : how);
      client.release();
    },
  };
};

const pidOf = async (client: pg.ClientBase): Promise<number> => {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
};

const reasonOf = (outcome: BarrierResult<unknown> | string): Reason | string =>
  typeof outcome === "string" ? outcome : outcome.reason;

/** Brings an effect into a state, by calls one after another. */
const bring = async ({ call }: Service, effectKey: string, state: EffectState): Promise<void> => {
  if (state === "applied" || state === "undone") await call({ lane: "forward", effectKey });
  if (state === "undone" || state === "barred") await call({ lane: "compensation", effectKey });
};

for (const level of levels) {
  it(`${level}: any two calls at once, from any state, come out as one after the other`, async () => {
    const service = await createService();
    const states: readonly EffectState[] = ["none", "applied", "undone", "barred"];
    const cases = states.flatMap((state) =>
      lanes.flatMap((first) => lanes.flatMap((second) => ends.map((end) => ({ state, first, second, end })))),
    );
    let failures = 0;
    for (const [index, { state, first, second, end }] of cases.entries()) {
      const said = `${state}: ${first} ${end}, ${second}`;
      const effectKey = `i/step#${index}`;
      await bring(service, effectKey, state);
      const one = await open(service, first, effectKey, level);
      const afterOne = expected(state, first);
      expect(reasonOf(await one.outcome), said).toBe(afterOne.reason);
      const two = await open(service, second, effectKey, level);
      // Who has written nothing keeps nobody waiting, but a compensation, which has locked the row to look at it.
      const wrote = afterOne.state !== state;
      const locked = first === "compensation" && second === "compensation";
      expect(await two.waits(), said).toBe(wrote || locked);
      await one.end(end);
      const between = end === "COMMIT" ? afterOne.state : state;
      let outcome = await two.outcome;
      await two.end("COMMIT");
      if (level !== "READ COMMITTED" && wrote && end === "COMMIT") {
        // Its snapshot is older than what it met. The next attempt sees what happened.
        expect(outcome, said).toBe("40001");
        failures++;
        outcome = await service.call({ lane: second, effectKey });
      }
      const afterTwo = expected(between, second);
      expect(reasonOf(outcome), said).toBe(afterTwo.reason);
      expect(await service.ledger(effectKey), said).toEqual(ledgerOf(afterTwo.state));
    }
    expect(failures).toBe(level === "READ COMMITTED" ? 0 : 6);
  }, 60_000);
}

it("any number of calls at once that end in any order leave the effect once, or undone, or never", async () => {
  const service = await createService();
  const call = fc.record({ lane: fc.constantFrom(...lanes), end: fc.constantFrom(...ends), last: fc.nat() });
  const calls = fc.array(call, { minLength: 2, maxLength: 5 });
  let runs = 0;
  const property = fc.asyncProperty(calls, async (all) => {
    const effectKey = `i/random#${runs++}`;
    const opened = await Promise.all(
      all.map(async (one) => ({
        ...one,
        ...(await open(service, one.lane, effectKey, "READ COMMITTED")),
        how: one.end,
      })),
    );
    // Each ends once it has an outcome; of those that have one, in this order.
    await Promise.all(opened.toSorted((a, b) => a.last - b.last).map((one) => one.end(one.how)));
    const committed = await Promise.all(
      opened.flatMap((one) => (one.how === "COMMIT" ? [one.outcome.then((out) => ({ lane: one.lane, out }))] : [])),
    );
    expect(committed.filter(({ out }) => typeof out === "string")).toEqual([]);
    const count = (lane: Lane, reason: Reason): number =>
      committed.filter((one) => one.lane === lane && reasonOf(one.out) === reason).length;
    const [acted, undone, empty] = [
      count("forward", undefined),
      count("compensation", undefined),
      count("compensation", "empty"),
    ];
    const compensated = committed.some(({ lane }) => lane === "compensation");
    expect(acted).toBeLessThanOrEqual(1);
    expect(undone + empty).toBe(compensated ? 1 : 0);
    expect(undone).toBe(compensated ? acted : 0);
    if (!compensated && committed.length > 0) expect(acted).toBe(1);
    expect(await service.ledger(effectKey)).toEqual([1, -1].slice(0, acted + undone));
  });
  await fc.assert(property, { numRuns: 60 });
}, 60_000);
