import type { DoctorReport, Workflow } from "@floxy/worker-sdk";
import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Recorder } from "../support/recorder.ts";

interface Load {
  readonly n: number;
}

/** How many instances of each definition in one wave. */
const count = 20;

test("the doctor raises no false alarm while instances of every kind run, fail, are cancelled and are rolled back", async () => {
  const calls = new Recorder();
  const first = calls.step("first", { undo: true });
  const moody = calls.step("moody", {
    retry: { maxAttempts: 2, delayMs: 1, jitter: 0 },
    run: ({ n }: Load) => {
      if (n % 2 === 0) throw new Error("not today");
      return { n };
    },
    undo: true,
  });
  const left = calls.step("left", { undo: true });
  const right = calls.step("right", { delayMs: 1, undo: true });
  const last = calls.step("last");
  const joined = workflow<Load>({ name: "joined", version: 1 })
    .step(first)
    .parallel("both", [left, right])
    .savepoint("sp")
    .sleep("nap", { durationMs: 5 })
    .step(last)
    .build();
  const hedged = workflow<Load>({ name: "hedged", version: 1 })
    .step(first)
    .parallel("race", [left, right], { join: "any", losers: "compensate" })
    .step(last)
    .build();
  const parked = workflow<Load>({ name: "parked", version: 1, onFailure: "dlq" }).step(moody).step(last).build();
  const rolled = workflow<Load>({ name: "rolled", version: 1 }).step(moody).step(last).build();
  const all = [joined, hedged, parked, rolled];
  const cluster = await startCluster({
    services: { one: [first, moody, left, right, last], two: [first, moody, left, right, last] },
    orchestrators: 2,
  });

  const found: DoctorReport[] = [];
  const examine = async (until: Promise<void>): Promise<void> => {
    let isOver = false;
    const over = until.finally(() => {
      isOver = true;
    });
    while (!isOver) found.push(await cluster.client.doctor({ environment: false }));
    await over;
  };

  // Wave after wave, until it has looked often enough.
  for (let n = 0; found.length < 8; n += count) await examine(wave(cluster, all, n));
  expect(found.flatMap(({ findings }) => findings)).toEqual([]);
  expect(found.every(({ ok }) => ok)).toBe(true);
  const statuses = await cluster.sql<{ status: string }>("SELECT DISTINCT status FROM instance");
  expect(statuses.map(({ status }) => status).sort()).toEqual(["cancelled", "completed", "dlq", "failed"]);
});

/** Starts instances, cancels some of them, and waits until all have ended or wait for a person. */
const wave = async (cluster: Cluster, definitions: readonly Workflow[], from: number): Promise<void> => {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  const started = await Promise.all(
    definitions.flatMap((definition) => numbers.map((n) => cluster.start(definition, { n } as never))),
  );
  const unlucky = started.filter((_, index) => index % 7 === 0);
  // One that has ended meanwhile refuses.
  await Promise.allSettled(unlucky.map(({ instanceId }) => cluster.client.cancel(instanceId, { requestedBy: "olga" })));
  await eventually(
    async () => {
      const [row] = await cluster.sql<{ open: number }>(
        "SELECT count(*)::int AS open FROM instance WHERE finished_at IS NULL AND status <> 'dlq'",
      );
      return row?.open === 0;
    },
    { deadlineMs: 30_000 },
  );
};
