import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

/** How many instances each act races with. */
const races = Number(process.env.FLOXY_OPERATOR_RACES ?? 100);

const by = { requestedBy: "olga" } as const;

/** Branches, a join that does without one, and a decision: something of everything that an act can race with. */
const busy = (calls: Recorder) => {
  const a = calls.step("a", { undo: true });
  const b = calls.step("b", { undo: true });
  const c = calls.step("c", { undo: true });
  const d = calls.step("d", { undo: true });
  const definition = workflow<object>({ name: "busy", version: 1 })
    .step(a)
    .fork("f", { left: (s) => s.step(b), right: (s) => s.step(c) }, { join: "any", losers: "compensate" })
    .human("approve")
    .step(d)
    .build();
  return { definition, services: { one: [a, c], two: [b, d] } };
};

const acts = {
  cancel: (cluster: Cluster, id: string) => cluster.client.cancel(id, by),
  abort: (cluster: Cluster, id: string) => cluster.client.abort(id, by),
  decide: (cluster: Cluster, id: string) => cluster.client.decide(id, "approve", { kind: "reject", by: "ann" }),
} as const;

/** What an act that came too early or too late is told. */
const refusals: ReadonlySet<string> = new Set(["INSTANCE_TERMINAL", "DECISION_NOT_OPEN"]);

test(`S08, S15, S33 ${races} instances are cancelled, aborted and decided at any moment: each ends as the act says, and no deadlock`, {
  timeout: 60_000 + races * 1_000,
}, async () => {
  const { definition, services } = busy(new Recorder());
  const cluster = await startCluster({ services, orchestrators: 2, worker: { concurrency: 100 } });
  const names = Object.keys(acts) as (keyof typeof acts)[];
  const done = await Promise.all(
    Array.from({ length: races }, async (_, index) => {
      const { instanceId } = await cluster.start(definition, { index });
      const told: string[] = [];
      // Again and again until one of them takes: the first tries come while the first steps are still on their way.
      for (let turn = index; !told.includes("changed"); turn++) {
        const name = names[turn % names.length] ?? "cancel";
        const code = await acts[name](cluster, instanceId).then(
          ({ changed }) => (changed ? "changed" : "unchanged"),
          (error: { readonly code: string }) => error.code,
        );
        if (code !== "changed" && code !== "unchanged" && !refusals.has(code)) throw new Error(`${name}: ${code}`);
        told.push(code === "changed" ? "changed" : code, name);
      }
      return { instanceId, act: told.at(-1) };
    }),
  );
  const ends = { cancel: "cancelled", abort: "aborted", decide: "failed" } as const;
  for (const { instanceId, act } of done) {
    const { status } = await cluster.ended(instanceId);
    expect(status).toBe(ends[act as keyof typeof ends]);
  }
  const [row] = await cluster.sql<{ deadlocks: number }>(
    "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()",
  );
  expect(row?.deadlocks).toBe(0);
});
