import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster } from "../support/cluster.ts";
import type { Call } from "../support/recorder.ts";
import { Recorder } from "../support/recorder.ts";

/** How many races to run. */
const races = Number(process.env.FLOXY_RACES ?? 10_000);
const batch = 200;

/** How often the database had to break a deadlock, by its own count. */
const deadlocks = async (cluster: Cluster): Promise<number> => {
  const [row] = await cluster.sql<{ deadlocks: number }>(
    "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()",
  );
  return row?.deadlocks ?? Number.NaN;
};

/** Two chains that meet: the failing one ends at the same moment as a step of the other completes. */
const race = (calls: Recorder) => {
  const ready = new Map<string, () => void>();
  // Whoever comes second lets both go, so that they settle together.
  const meet = (instanceId: string): Promise<void> => {
    const other = ready.get(instanceId);
    if (other === undefined) return new Promise((resolve) => ready.set(instanceId, resolve));
    ready.delete(instanceId);
    other();
    return Promise.resolve();
  };
  const failing = calls.step("failing", {
    undo: true,
    run: async (_: unknown, { instanceId }: { readonly instanceId: string }) => {
      await meet(instanceId);
      throw new Error("lost the race");
    },
  });
  const sibling = calls.step("sibling", {
    undo: true,
    run: async (_: unknown, { instanceId }: { readonly instanceId: string }) => {
      await meet(instanceId);
      return "won";
    },
  });
  const next = calls.step("next", { undo: true });
  const last = calls.step("last", { undo: true });
  const definition = workflow<object>({ name: "race", version: 1 })
    .fork("both", { failing: (branch) => branch.step(failing), sibling: (branch) => branch.step(sibling).step(next) })
    .step(last)
    .build();
  return { definition, services: { failing: [failing], sibling: [sibling], next: [next, last] } };
};

test(`S15 in ${races} races of a failing branch with its completing sibling there is no deadlock and no compensation is lost`, {
  timeout: 120_000 + races * 60,
}, async () => {
  const calls = new Recorder();
  const { definition, services } = race(calls);
  const cluster = await startCluster({ services, orchestrators: 2, worker: { concurrency: 500, leaseMs: 10_000 } });
  for (let done = 0; done < races; done += batch) {
    const count = Math.min(batch, races - done);
    const views = await Promise.all(Array.from({ length: count }, () => cluster.run(definition, {})));
    expect(new Set(views.map(({ status }) => status))).toEqual(new Set(["failed"]));
  }
  const byInstance = new Map<string, Call[]>();
  for (const call of calls.calls) {
    const { instanceId } = call.context;
    byInstance.set(instanceId, [...(byInstance.get(instanceId) ?? []), call]);
  }
  expect(byInstance.size).toBe(races);
  for (const [instanceId, made] of byInstance) {
    const forward = made.filter(({ lane }) => lane === "forward").map(({ step }) => step);
    const undone = made.filter(({ lane }) => lane === "compensation").map(({ step }) => step);
    expect(undone.toSorted(), instanceId).toEqual(forward.toSorted());
    expect(new Set(forward).size, instanceId).toBe(forward.length);
    expect(forward, instanceId).not.toContain("last");
  }
  expect(await deadlocks(cluster)).toBe(0);
  expect(cluster.log.lines.filter((line) => line.includes("deadlock"))).toEqual([]);
});
