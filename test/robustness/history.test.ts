import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Recorder } from "../support/recorder.ts";

const said = { requestedBy: "olga" };
const dayMs = 86_400_000;

/** Lets instances that have ended have done so long ago; answers the ids that they have then. */
const age = async (cluster: Cluster, instanceIds: readonly string[], days: number): Promise<string[]> => {
  const rows = await cluster.sql<{ id: string }>(
    `SELECT id_at(now() - $2 * interval '1 day') || substr(old, 11) AS id
     FROM unnest($1::text[]) WITH ORDINALITY AS o(old, place) ORDER BY place`,
    [instanceIds, days],
  );
  const ids = rows.map(({ id }) => id);
  const moved = "FROM unnest($1::text[], $2::text[]) AS m(old, new) WHERE instance_id = m.old";
  for (const table of ["step", "event"]) {
    await cluster.sql(`UPDATE ${table} SET instance_id = m.new ${moved}`, [instanceIds, ids]);
  }
  await cluster.sql(
    `UPDATE instance SET instance_id = m.new, finished_at = finished_at - $3 * interval '1 day' ${moved}`,
    [instanceIds, ids, days],
  );
  return ids;
};

const idsOf = (instances: readonly { readonly instanceId: string }[]): string[] =>
  instances.map(({ instanceId }) => instanceId);

const saga = () => {
  const calls = new Recorder();
  const [first, second] = [calls.step("first"), calls.step("second")];
  const order = workflow<unknown>({ name: "order", version: 1 }).step(first).step(second).build();
  const kept = workflow<unknown>({ name: "kept", version: 1 }).step(first).build();
  return { order, kept, services: { one: [first, second] } };
};

/** Starts instances and waits for their ends, a few at a time, until told; answers how long the slowest start took. */
const load = (cluster: Cluster, { order }: ReturnType<typeof saga>) => {
  let isOver = false;
  let count = 0;
  let slowestMs = 0;
  const loops = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const startedAt = performance.now();
      const { instanceId } = await cluster.start(order, {});
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      expect((await cluster.ended(instanceId)).status).toBe("completed");
      count += 1;
    }
  });
  const over = Promise.all(loops);
  return {
    async stop() {
      isOver = true;
      await over;
      return { count, slowestMs };
    },
    /** Waits until so many more have ended. */
    async more(least: number) {
      const until = count + least;
      await Promise.race([over, eventually(() => count >= until, { deadlineMs: 30_000 })]);
    },
  };
};

const countOf = async (cluster: Cluster, text: string): Promise<number> => {
  const [row] = await cluster.sql<{ count: number }>(`SELECT count(*)::int AS count FROM ${text}`);
  return row?.count ?? 0;
};

test("history goes while instances run and orchestrators lose their connections; no call fails, and nothing dangles", async () => {
  const work = saga();
  const cluster = await startCluster({
    services: work.services,
    orchestrators: 3,
    orchestrator: { historyIntervalMs: 50 },
  });
  const old = await Promise.all(Array.from({ length: 300 }, () => cluster.run(work.order, {})));
  const stays = await cluster.run(work.kept, {});
  await age(cluster, idsOf(old.slice(0, 150)), 60);
  const [staysId = ""] = await age(cluster, idsOf([stays, ...old.slice(150)]), 90);
  await eventually(async () => (await countOf(cluster, "event_default")) === 0);
  const parts = await countOf(cluster, "history_partition");
  const running = load(cluster, work);
  await running.more(10);
  await cluster.client.setRetention({ definition: "order", keepMs: 30 * dayMs }, said);
  // They die between any two statements, again and again, while there is something to remove.
  let kills = 0;
  await eventually(
    async () => {
      const isGone = (await countOf(cluster, "instance WHERE finished_at < now() - interval '30 days'")) === 1;
      if (isGone && (await countOf(cluster, "history_partition")) === parts - 1) return true;
      kills += await countOf(
        cluster,
        `(SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'floxy orchestrator:%') AS killed`,
      );
      expect((await cluster.client.doctor({ environment: false })).findings).toEqual([]);
      return false;
    },
    { deadlineMs: 45_000, intervalMs: 20 },
  );
  await running.more(10);
  const { slowestMs } = await running.stop();
  expect(kills).toBeGreaterThan(0);
  // What the tables are waited for is a tenth of a second; the rest is what a busy machine adds.
  expect(slowestMs).toBeLessThan(5_000);
  // One partition was dropped with its rows. In the other somebody stays, so the rest went one by one.
  expect(await countOf(cluster, "step WHERE instance_id < id_at(now() - interval '30 days')")).toBe(1);
  expect((await cluster.client.doctor()).findings).toEqual([]);
  expect((await cluster.client.get(staysId)).status).toBe("completed");
}, 120_000);

test("instances start, run and end while somebody holds the tables and a partition is to be dropped", async () => {
  const work = saga();
  const cluster = await startCluster({ services: work.services, orchestrator: { historyIntervalMs: 50 } });
  const { instanceId } = await cluster.run(work.order, {});
  await age(cluster, [instanceId], 60);
  await eventually(async () => (await countOf(cluster, "event_default")) === 0);
  const parts = await countOf(cluster, "history_partition");
  const reader = await cluster.connect();
  try {
    await reader.query("BEGIN");
    await reader.query("SELECT count(*) FROM step");
    await cluster.client.setRetention({ keepMs: 30 * dayMs }, said);
    await eventually(async () => (await countOf(cluster, "history WHERE phase = 'ending'")) === 1);
    await eventually(async () => (await countOf(cluster, "instance")) === 0);
    const running = load(cluster, work);
    await running.more(100);
    const { count, slowestMs } = await running.stop();
    expect(count).toBeGreaterThanOrEqual(100);
    expect(slowestMs).toBeLessThan(5_000);
    expect(await countOf(cluster, "history_partition")).toBe(parts);
    expect((await cluster.client.doctor({ environment: false })).findings).toEqual([]);
  } finally {
    await reader.query("COMMIT");
    reader.release();
  }
  await eventually(async () => (await countOf(cluster, "history_partition")) === parts - 1);
}, 120_000);

test("a database that nobody looks after goes on in the default partitions, and is put right by an orchestrator", async () => {
  const work = saga();
  const cluster = await startCluster({ services: work.services, orchestrator: { historyIntervalMs: false } });
  await cluster.sql(`DO $$ DECLARE p record; BEGIN FOR p IN SELECT * FROM history_partition
    LOOP EXECUTE format('DROP TABLE %s, %s', p.step_table, p.event_table); END LOOP; END $$`);
  const running = load(cluster, work);
  await running.more(20);
  expect(await countOf(cluster, "step_default")).toBeGreaterThan(0);
  const { findings } = await cluster.client.doctor({ graceMs: 0 });
  const found = findings.map(({ check }) => check);
  expect(found).toEqual(expect.arrayContaining(["environment_history_is_ahead", "history_default_is_empty"]));
  await cluster.addOrchestrator({ historyIntervalMs: 50 });
  await eventually(
    async () => (await countOf(cluster, "step_default")) + (await countOf(cluster, "event_default")) === 0,
  );
  await running.more(20);
  await running.stop();
  expect(await countOf(cluster, "history_partition")).toBe(3);
  expect((await cluster.client.doctor()).findings).toEqual([]);
}, 120_000);
