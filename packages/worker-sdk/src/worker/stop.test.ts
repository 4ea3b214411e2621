import type { NodeJson } from "@floxy/shared";
import pg from "pg";
import { afterEach, expect, it, vi } from "vitest";
import { codeOf, eventually } from "../client/testing/database.ts";
import { layCable } from "./testing/cable.ts";
import { createSite, heldHandler } from "./testing/service.ts";
import { createLog, task } from "./testing/steps.ts";

const thrice = { retry: { maxAttempts: 3, delayMs: 0 } };

const begin = async (options: object = {}, node: object = thrice) => {
  const site = await createSite();
  const work = heldHandler("work");
  const worker = site.makeWorker([work.implementation], options);
  await worker.start();
  const instanceId = await site.run([task(node)]);
  return { ...site, work, worker, instanceId, call: await work.called() };
};

const inTheQueue = "SELECT state, attempt, lease_until FROM floxy.queue";

afterEach(() => {
  process.removeAllListeners("SIGUSR2");
});

it("lets running handlers finish, and writes their results", async () => {
  const { worker, call, client, instanceId } = await begin({ drainMs: 20_000 });
  const stopping = worker.stop();
  call.resolve("done");
  await stopping;
  expect(call.context.signal.aborted).toBe(false);
  expect((await client.get(instanceId)).output).toBe("done");
});

it("aborts handlers when the drain is over, and gives their steps back", async () => {
  const { worker, call, query } = await begin({ drainMs: 10, graceMs: 5_000 });
  call.context.signal.addEventListener("abort", () => call.reject(call.context.signal.reason));
  await worker.stop();
  expect(call.context.signal.reason).toMatchObject({ code: "SHUTDOWN" });
  expect(await query(inTheQueue)).toEqual([{ state: "ready", attempt: 1, lease_until: null }]);
});

it("gives back the step of a handler that ignores its signal: another worker takes it over at once", async () => {
  const { worker, call, makeWorker, work, client, instanceId } = await begin({ drainMs: 10, graceMs: 10 });
  // It polls so seldom that it must be told.
  const heir = makeWorker([work.implementation], { pollIntervalMs: 60_000, listenConnectionString: undefined });
  await heir.start();
  await eventually(async () => heir.health().listening);
  await worker.stop();
  const second = await work.called(2);
  expect(second.context.attempt).toBe(2);
  call.resolve("too late");
  second.resolve("in time");
  expect((await client.waitForEnd(instanceId)).output).toBe("in time");
});

it("gives back, uncounted, what a claim that was under way leased while it stopped", async () => {
  const { url, makeWorker, run, query, client } = await createSite();
  const work = heldHandler("work");
  const instanceId = await run([task(thrice)]);
  // The claim's answer is held up until the worker has begun to stop.
  const connection = await holdClaims(url, query);
  const worker = makeWorker([work.implementation], { drainMs: 5_000 });
  await worker.start();
  await connection.blocked();
  const stopping = worker.stop();
  await connection.release();
  await stopping;
  await query("DROP TRIGGER gate ON floxy.queue");
  expect(work.calls).toEqual([]);
  expect(await query(inTheQueue)).toEqual([{ state: "ready", attempt: 0, lease_until: null }]);
  const types = (await client.events(instanceId)).map(({ type }) => type);
  expect(types).toEqual(["instance.started", "step.leased", "step.released"]);
});

it("gives back, uncounted, what was leased with a result that was being written while it stopped", async () => {
  const { url, makeWorker, run, query, client } = await createSite();
  const [work, next] = [heldHandler("work"), heldHandler("next")];
  const worker = makeWorker([work.implementation, next.implementation], { drainMs: 5_000 });
  await worker.start();
  const instanceId = await run([task(thrice), { ...task(thrice), name: "after", handler: "next" } as NodeJson]);
  const call = await work.called();
  const connection = await holdClaims(url, query);
  call.resolve("done");
  await connection.blocked();
  const stopping = worker.stop();
  await connection.release();
  await stopping;
  await query("DROP TRIGGER gate ON floxy.queue");
  expect(next.calls).toEqual([]);
  expect(await query(inTheQueue)).toEqual([{ state: "ready", attempt: 0, lease_until: null }]);
  const types = (await client.events(instanceId)).map(({ type }) => type);
  expect(types).toEqual(["instance.started", "step.leased", "step.completed", "step.leased", "step.released"]);
});

type Query = Awaited<ReturnType<typeof createSite>>["query"];

/** Makes wait what leases a step. */
const holdClaims = async (url: string, query: Query) => {
  await query(`CREATE OR REPLACE FUNCTION wait_for_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$`);
  await query(
    `CREATE TRIGGER gate BEFORE INSERT OR UPDATE ON floxy.queue FOR EACH ROW WHEN (NEW.state = 'leased') EXECUTE FUNCTION wait_for_gate()`,
  );
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query("SELECT pg_advisory_lock(4711)");
  return {
    blocked: () =>
      eventually(async () => {
        const locks = await query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted");
        return locks.length > 0;
      }),
    release: () => holder.end(),
  };
};

it("comes to its end although the database is away, and says what could not be written", async () => {
  const site = await createSite();
  const cable = await layCable(site.url);
  const { logger, lines } = createLog();
  const work = heldHandler("work");
  const worker = site.makeWorker([work.implementation], { connectionString: cable.url, logger });
  await worker.start();
  await site.run([task(thrice)]);
  const call = await work.called();
  await cable.close();
  call.resolve("done");
  await worker.stop();
  expect(lines.some(({ level, message }) => level === "error" && message.includes("could not be written"))).toBe(true);
});

it("stops before it was started, and then cannot start", async () => {
  const { makeWorker } = await createSite();
  const worker = makeWorker([heldHandler("work").implementation]);
  await Promise.all([worker.stop(), worker.stop()]);
  expect(await codeOf(worker.start())).toBe("SHUTDOWN");
});

it("stops while it starts", async () => {
  const { makeWorker, run } = await createSite();
  const work = heldHandler("work");
  await run([task(thrice)]);
  const worker = makeWorker([work.implementation], { signals: ["SIGUSR2"] });
  const started = codeOf(worker.start());
  await worker.stop();
  expect(await started).toBe("SHUTDOWN");
  expect(process.listenerCount("SIGUSR2")).toBe(0);
  expect(work.calls).toEqual([]);
});

it("starts once, however often it is told to", async () => {
  const { makeWorker } = await createSite();
  const worker = makeWorker([heldHandler("work").implementation], { signals: ["SIGUSR2"] });
  await Promise.all([worker.start(), worker.start()]);
  expect(process.listenerCount("SIGUSR2")).toBe(1);
});

it("drains on a signal, once, and then lets the process end", async () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const { worker, call, client, instanceId } = await begin({ drainMs: 20_000, signals: ["SIGUSR2"] });
  process.emit("SIGUSR2", "SIGUSR2");
  process.emit("SIGUSR2", "SIGUSR2");
  call.resolve("done");
  await worker.stop();
  await vi.waitFor(() => expect(kill).toHaveBeenCalledWith(process.pid, "SIGUSR2"));
  expect(call.context.signal.aborted).toBe(false);
  expect((await client.get(instanceId)).output).toBe("done");
});

it("leaves the process to others who handle the signal", async () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const { worker } = await begin({ drainMs: 1, graceMs: 1, signals: ["SIGUSR2"] });
  process.on("SIGUSR2", () => {});
  process.emit("SIGUSR2", "SIGUSR2");
  await worker.stop();
  await Promise.resolve();
  expect(kill).not.toHaveBeenCalled();
});
