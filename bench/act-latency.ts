/** From a person's act to its effect, on an idle system; see README.md. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@floxy/embedded-postgres";
import { createOrchestrator } from "@floxy/orchestrator";
import type { Workflow } from "@floxy/worker-sdk";
import { defineHandler, defineStep, FloxyClient, Worker, workflow } from "@floxy/worker-sdk";

const rounds = Number(process.argv[2] ?? 200);
const by = { requestedBy: "bench" } as const;

const server = await startEmbeddedPostgres({ directory: await mkdtemp(join(tmpdir(), "floxy-bench-")) });
const connectionString = server.url;
const client = new FloxyClient({ connectionString });
await client.migrate();

const next = defineHandler<unknown, null>({ name: "next" });
const broken = defineHandler<unknown, null>({ name: "broken" });
const nobody = defineHandler<unknown, null>({ name: "nobody" });
const called = new Map<string, (at: number) => void>();
const worker = new Worker({
  connectionString,
  signals: false,
  handlers: [
    next.implement((_, { instanceId }) => {
      called.get(instanceId)?.(performance.now());
      return null;
    }),
    broken.implement(() => {
      throw new Error("broken");
    }),
  ],
});
const orchestrator = createOrchestrator({ connectionString, http: false, processMetrics: false });
await Promise.all([worker.start(), orchestrator.start()]);

const step = (name: string, handler: typeof next) => defineStep(name, handler, { retry: { maxAttempts: 1 } });
const asking = workflow<object>({ name: "asking", version: 1 }).human("approve").step(step("next", next)).build();
const idle = workflow<object>({ name: "idle", version: 1 }).step(step("nobody", nobody)).build();
const delayed = workflow<object>({ name: "delayed", version: 1 })
  .step(defineStep("later", next, { delayMs: 3_600_000 }))
  .build();
const failing = workflow<object>({ name: "failing", version: 1, onFailure: "dlq" })
  .step(step("broken", broken))
  .build();

const statusIs = async (instanceId: string, status: string): Promise<void> => {
  while ((await client.get(instanceId)).status !== status) await new Promise((resolve) => setTimeout(resolve, 5));
};

const decide = async (): Promise<number> => {
  const { instanceId } = await client.start(asking, {});
  const begun = new Promise<number>((resolve) => called.set(instanceId, resolve));
  const startedAt = performance.now();
  await client.decide(instanceId, "approve", { kind: "confirm", by: "ann" });
  const calledAt = await begun;
  called.delete(instanceId);
  return calledAt - startedAt;
};

const cancel = (definition: Workflow, ready: string) => async (): Promise<number> => {
  const { instanceId } = await client.start(definition, {});
  await statusIs(instanceId, ready);
  const startedAt = performance.now();
  await client.cancel(instanceId, by);
  // What the call says is committed; the watcher of another process learns it by notification.
  await client.waitForEnd(instanceId);
  return performance.now() - startedAt;
};

const measure = async (what: string, once: () => Promise<number>): Promise<void> => {
  for (let warm = 0; warm < 10; warm++) await once();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await once());
  times.sort((a, b) => a - b);
  const at = (quantile: number) =>
    (times[Math.min(times.length - 1, Math.floor(times.length * quantile))] ?? 0).toFixed(1);
  process.stdout.write(
    `${what.padEnd(52)} p50 ${at(0.5).padStart(6)}   p99 ${at(0.99).padStart(6)}   max ${at(1).padStart(6)} ms\n`,
  );
};

process.stdout.write(`${rounds} rounds each\n`);
await measure("peer: reading an instance that does not exist", async () => {
  const startedAt = performance.now();
  await client.get("01J9ZC4M8X5N2Q7R3T6V8W0Y1Z").catch(() => undefined);
  return performance.now() - startedAt;
});
await measure("decision → the next handler is called", decide);
await measure("cancel of an idle instance → ended", cancel(idle, "running"));
await measure("cancel of a delayed instance → ended", cancel(delayed, "running"));
await measure("cancel of one that waits for a decision → ended", cancel(asking, "running"));
await measure("cancel of one in dlq → ended", cancel(failing, "dlq"));

await Promise.all([worker.stop(), orchestrator.stop(), client.close()]);
await server.close();
