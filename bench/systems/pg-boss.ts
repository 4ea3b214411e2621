/** pg-boss, a queue: a chain of three jobs, each of which enqueues the next. Its handlers take whole batches. */
import type { Job } from "pg-boss";
import { PgBoss } from "pg-boss";
import { openPool, single } from "./database.ts";
import type { Client, Payload, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

const queue = "chain";

/** How many jobs one fetch takes, and how many fetch beside each other. */
const batchSize = 2_000;
const localConcurrency = 3;

interface Link extends Payload {
  readonly step: number;
}

const bossOf = (url: string): PgBoss => {
  const boss = new PgBoss({
    connectionString: url,
    max: 10,
    // Neither schedules nor upkeep fall into a round; both are off, in its favour.
    schedule: false,
    supervise: false,
    useListenNotify: true,
  });
  boss.on("error", (error) => process.stderr.write(`${String(error)}\n`));
  return boss;
};

const clientOf = async (site: Site): Promise<Client> => {
  const boss = bossOf(site.url);
  await boss.start();
  const linkOf = (id: number): Link => ({ ...payloadOf(id, site.scenario.payloadBytes), step: 0 });
  return {
    async enqueue(first, count) {
      for (let sent = 0; sent < count; sent += 1_000) {
        const ids = Array.from({ length: Math.min(1_000, count - sent) }, (_, index) => first + sent + index);
        await boss.insert(
          queue,
          ids.map((id) => ({ data: linkOf(id) })),
        );
      }
    },
    startOne: (id) => boss.send(queue, linkOf(id)),
    close: () => boss.stop({ graceful: false }),
  };
};

const open = (site: Site): Session => {
  const pool = openPool(site.url);
  const last = site.scenario.width - 1;
  return {
    async setUp() {
      const boss = bossOf(site.url);
      await boss.start();
      await boss.createQueue(queue, {
        partition: true,
        notify: true,
        retryLimit: 2,
      });
      await boss.stop({ graceful: false });
    },
    openClient: () => clientOf(site),
    async startWorker() {
      const boss = bossOf(site.url);
      await boss.start();
      const work = async (jobs: Job<Link>[]): Promise<void> => {
        for (const { data } of jobs) site.probe.began(data.id, data.step);
        await io(site.scenario.ioMs);
        const next = jobs.filter(({ data }) => data.step < last);
        for (const { data } of jobs) site.probe.ended(data.id, data.step);
        if (next.length === 0) return;
        await boss.insert(
          queue,
          next.map(({ data }) => ({ data: { ...data, step: data.step + 1 } })),
        );
      };
      const options = { batchSize, localConcurrency, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true } as const;
      await boss.work<Link>(queue, options, work);
      return { stop: () => boss.stop({ graceful: true, timeout: 5_000 }) };
    },
    unfinished: () =>
      single<boolean>(pool, "SELECT EXISTS (SELECT FROM pgboss.job WHERE state < 'completed') AS value"),
    async tally() {
      const steps = await single<string>(pool, "SELECT count(*) AS value FROM pgboss.job WHERE state = 'completed'");
      const ended = `SELECT count(*) AS value FROM pgboss.job WHERE state = 'completed' AND (data->>'step')::int = $1`;
      return { ended: Number(await single<string>(pool, ended, [last])), steps: Number(steps) };
    },
    close: () => pool.end(),
  };
};

/** pg-boss with large batches. */
export const system: System = {
  configuration: `a queue of its own table; work() with batchSize ${batchSize}, localConcurrency ${localConcurrency}, burstWhenBatchFull, LISTEN/NOTIFY; successors by one insert() a batch; no supervision or schedules`,
  warmUp: 3_000,
  open,
};
