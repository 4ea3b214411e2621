import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Recorder } from "../support/recorder.ts";

interface Load {
  readonly n: number;
}

/** How many instances of each definition. */
const count = 40;

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

  let isOver = false;
  let looks = 0;
  const examining = (async () => {
    while (!isOver) {
      const { findings, checks } = await cluster.client.doctor({ environment: false });
      expect(findings).toEqual([]);
      expect(checks.filter(({ result }) => result !== "ok")).toEqual([]);
      looks += 1;
    }
  })();
  try {
    const started = await Promise.all(
      all.flatMap((definition) => Array.from({ length: count }, (_, n) => cluster.start(definition, { n }))),
    );
    await Promise.all(
      started.filter((_, n) => n % 7 === 0).map(({ instanceId }) =>
        cluster.client.cancel(instanceId, { requestedBy: "olga" }).catch(() => {}),
      ),
    );
    await eventually(
      async () => {
        const [row] = await cluster.sql<{ open: number }>(
          "SELECT count(*)::int AS open FROM instance WHERE finished_at IS NULL AND status <> 'dlq'",
        );
        return row?.open === 0;
      },
      { deadlineMs: 40_000 },
    );
  } finally {
    isOver = true;
    await examining;
  }
  expect(looks).toBeGreaterThan(3);
  const statuses = await cluster.sql<{ status: string }>("SELECT DISTINCT status FROM instance");
  expect(statuses.map(({ status }) => status).sort()).toEqual(["cancelled", "completed", "dlq", "failed"]);
});
