import { expect, it } from "vitest";
import { codeOf, eventually } from "../client/testing/database.ts";
import { NonRetryableError, RetryAfterError } from "../handler/error.ts";
import { layCable } from "./testing/cable.ts";
import { createSite, heldHandler } from "./testing/service.ts";
import { task } from "./testing/steps.ts";

const once = { retry: { maxAttempts: 1 } };
const thrice = { retry: { maxAttempts: 3, delayMs: 0 } };

/** A worker that has begun a step. */
const begin = async (node: object = thrice, options: object = {}) => {
  const site = await createSite();
  const work = heldHandler("work");
  const worker = site.makeWorker([work.implementation], options);
  await worker.start();
  const instanceId = await site.run([task(node)], { n: 1 }, { tenant: "a" });
  const call = await work.called();
  return { ...site, work, worker, instanceId, call };
};

it("calls the handler with its input and metadata, and writes what it returns", async () => {
  const { client, instanceId, call, worker } = await begin();
  expect(call.input).toEqual({ n: 1 });
  expect(call.context).toMatchObject({ instanceId, step: "work", attempt: 1, metadata: { tenant: "a" } });
  expect(worker.health()).toMatchObject({ running: 1, free: 99, listening: false });
  call.resolve("done");
  expect(await client.waitForEnd(instanceId)).toMatchObject({ status: "completed", output: "done" });
  await eventually(async () => worker.health().running === 0);
});

it("a lost lease fires the signal, and the late result is refused and changes nothing", async () => {
  const { instanceId, call, client, work, expireLeases, orchestrate, event } = await begin(thrice, { leaseMs: 300 });
  await eventually(async () => {
    await expireLeases();
    await orchestrate();
    return work.calls.length > 1;
  });
  await eventually(async () => call.context.signal.aborted);
  expect(call.context.signal.reason).toMatchObject({ code: "LEASE_LOST" });
  call.resolve("too late");
  expect(await event(instanceId, "step.refused")).toMatchObject({ node: "work" });
  const second = await work.called(2);
  expect(second.context).toMatchObject({ attempt: 2, idempotencyKey: call.context.idempotencyKey });
  work.calls.at(-1)?.resolve("in time");
  expect((await client.waitForEnd(instanceId)).output).toBe("in time");
});

it("an instance that is frozen fires the signal of its other handlers; one that completes all the same is adopted", async () => {
  const { makeWorker, run, event, orchestrate, client } = await createSite();
  const [good, bad, undo] = [heldHandler("good"), heldHandler("bad"), heldHandler("good.undo")];
  const worker = makeWorker(
    [good, bad, undo].map((one) => one.implementation),
    { leaseMs: 3_000 },
  );
  await worker.start();
  const branch = (name: string, more: object) => ({ name, nodes: [task({ name, handler: name, ...once, ...more })] });
  const compensation = { compensation: { handler: "good.undo" } };
  const branches = [branch("good", compensation), branch("bad", {})];
  const instanceId = await run([{ kind: "fork", name: "both", branches }]);
  const [first, second] = [await good.called(), await bad.called()];
  second.reject(new Error("broken"));
  await event(instanceId, "step.failed");
  await orchestrate();
  await eventually(async () => first.context.signal.aborted);
  expect(first.context.signal.reason).toMatchObject({ code: "INSTANCE_STOPPED" });
  first.resolve({ id: 7 });
  await event(instanceId, "step.adopted");
  await orchestrate();
  const undone = await undo.called();
  expect(undone.context).toMatchObject({
    lane: "compensation",
    outcome: "happened",
    output: { id: 7 },
    cause: { message: "broken" },
    idempotencyKey: `${first.context.idempotencyKey}/compensation`,
  });
  undone.resolve();
  await eventually(async () => {
    await orchestrate();
    return (await client.get(instanceId)).status === "failed";
  });
});

it("RetryAfterError puts the step off for as long as it says", async () => {
  const { query, call, event, instanceId } = await begin();
  call.reject(new RetryAfterError(60_000));
  expect((await event(instanceId, "step.retried")).data).toMatchObject({ delayMs: 60_000 });
  const [row] = await query("SELECT state, ready_at > now() + interval '50 s' AS later FROM floxy.queue");
  expect(row).toEqual({ state: "delayed", later: true });
});

it("NonRetryableError ends the step after one call", async () => {
  const { call, event, instanceId, work, query } = await begin();
  call.reject(new NonRetryableError("declined"));
  expect((await event(instanceId, "step.failed")).data).toMatchObject({ error: { code: "HANDLER_NOT_RETRYABLE" } });
  expect(await query("SELECT FROM floxy.queue")).toEqual([]);
  expect(work.calls).toHaveLength(1);
});

it("an output that is too large ends the step with an unknown outcome", async () => {
  const { call, event, instanceId } = await begin(thrice, { payloadLimit: 100 });
  call.resolve("x".repeat(200));
  const { data } = await event(instanceId, "step.failed");
  expect(data).toMatchObject({ outcome: "unknown", error: { code: "PAYLOAD_TOO_LARGE" } });
});

it.each(["throws", "loses its lease"])("a step that is not idempotent is called once, also if it %s", async (how) => {
  const { call, event, instanceId, work, expireLeases, orchestrate } = await begin({ idempotent: false });
  if (how === "throws") call.reject(new Error("no"));
  else await expireLeases();
  await orchestrate();
  await event(instanceId, how === "throws" ? "step.failed" : "lease.expired");
  await orchestrate();
  expect(work.calls).toHaveLength(1);
});

it("a retry without a delay is claimed at once, without waiting for the poll interval", async () => {
  const { call, work } = await begin(thrice, { pollIntervalMs: 60_000, listenConnectionString: undefined });
  call.reject(new Error("again"));
  expect((await work.called(2)).context.attempt).toBe(2);
});

it("a step whose definition cannot be read does not block the others", async () => {
  const { makeWorker, run, query, client, event } = await createSite();
  const work = heldHandler("work");
  const [broken, fine] = [await run([task()]), await run([task()])];
  const body = JSON.stringify({ format: 1, name: "x", version: 1, nodes: [] });
  const ofBroken = "(SELECT definition_name FROM floxy.instance WHERE instance_id = $2)";
  await query(`UPDATE floxy.definition SET body = $1 WHERE name = ${ofBroken}`, [body, broken]);
  await makeWorker([work.implementation]).start();
  const call = await work.called();
  expect(call.context.instanceId).toBe(fine);
  call.resolve();
  await client.waitForEnd(fine);
  expect((await event(broken, "step.retried")).data).toMatchObject({ error: { code: "INTERNAL" } });
});

it("keeps results while the database is away, writes them when it is back, and claims again", async () => {
  const site = await createSite();
  const cable = await layCable(site.url);
  const work = heldHandler("work");
  const worker = site.makeWorker([work.implementation], { connectionString: cable.url });
  await worker.start();
  const instanceId = await site.run([task(once)]);
  const call = await work.called();
  cable.cut();
  call.resolve("kept");
  const other = await site.run([task(once)]);
  await eventually(async () => worker.health().lastLookAgeMs > 300);
  expect((await site.client.get(instanceId)).status).toBe("running");
  cable.mend();
  expect((await site.client.waitForEnd(instanceId)).output).toBe("kept");
  (await work.called(2)).resolve();
  expect((await site.client.waitForEnd(other)).status).toBe("completed");
  await worker.stop();
  await cable.close();
});

it("survives that the server ends all its connections while handlers run", async () => {
  const { query, call, client, instanceId } = await begin(once, { leaseMs: 300, listenConnectionString: undefined });
  const [row] = await query<{ count: number }>(
    `SELECT count(pg_terminate_backend(pid))::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'floxy worker%'`,
  );
  expect(row?.count).toBeGreaterThan(0);
  call.resolve("done");
  expect((await client.waitForEnd(instanceId)).output).toBe("done");
});

it("a worker that cannot start says why and leaves nothing open", async () => {
  const { makeWorker, query } = await createSite();
  const { implementation } = heldHandler("work");
  expect(await codeOf(makeWorker([implementation], { schema: "elsewhere" }).start())).toBe("SCHEMA_OUTDATED");
  const nowhere = "postgres://127.0.0.1:1/x";
  const options = { connectionString: nowhere, listenConnectionString: nowhere };
  expect(await codeOf(makeWorker([implementation], options).start())).toBe("DATABASE_UNAVAILABLE");
  await eventually(async () => {
    const open = await query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'floxy worker%'",
    );
    return open.length === 0;
  });
});
