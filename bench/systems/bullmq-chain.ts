/** BullMQ, a queue on Redis: a chain of three jobs, each of which enqueues the next. */
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Client, Payload, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

const queueName = "chain";

/** How many jobs run beside each other. */
const concurrency = 200;

interface Link extends Payload {
  readonly step: number;
}

const connectionOf = (url: string) => new Redis(url, { maxRetriesPerRequest: null });

const clientOf = ({ url, scenario }: Site): Client => {
  const connection = connectionOf(url);
  const queue = new Queue<Link>(queueName, { connection });
  const linkOf = (id: number): Link => ({ ...payloadOf(id, scenario.payloadBytes), step: 0 });
  return {
    async enqueue(first, count) {
      for (let sent = 0; sent < count; sent += 1_000) {
        const ids = Array.from({ length: Math.min(1_000, count - sent) }, (_, index) => first + sent + index);
        await queue.addBulk(ids.map((id) => ({ name: "link", data: linkOf(id) })));
      }
    },
    startOne: (id) => queue.add("link", linkOf(id)),
    async close() {
      await queue.close();
      connection.disconnect();
    },
  };
};

const open = (site: Site): Session => {
  const looking = connectionOf(site.url);
  const counted = new Queue<Link>(queueName, { connection: looking });
  const last = site.scenario.width - 1;
  return {
    setUp: () => Promise.resolve(),
    openClient: () => Promise.resolve(clientOf(site)),
    async startWorker() {
      const connection = connectionOf(site.url);
      const queue = new Queue<Link>(queueName, { connection });
      const worker = new Worker<Link>(
        queueName,
        async ({ data }) => {
          site.probe.began(data.id, data.step);
          await io(site.scenario.ioMs);
          site.probe.ended(data.id, data.step);
          if (data.step < last) await queue.add("link", { ...data, step: data.step + 1 });
        },
        { connection, concurrency },
      );
      worker.on("error", (error) => process.stderr.write(`${error.message}\n`));
      await worker.waitUntilReady();
      return {
        async stop() {
          await worker.close();
          await queue.close();
          connection.disconnect();
        },
      };
    },
    async unfinished() {
      const { waiting = 0, active = 0, delayed = 0 } = await counted.getJobCounts("waiting", "active", "delayed");
      return waiting + active + delayed > 0;
    },
    async tally() {
      const { completed = 0, failed = 0 } = await counted.getJobCounts("completed", "failed");
      return { left: failed, steps: completed };
    },
    async close() {
      await counted.close();
      looking.disconnect();
    },
  };
};

/** What both configurations of the Redis share. */
export const chainOn = (redis: string): System => ({
  configuration: `${redis}; concurrency ${concurrency}, imported with addBulk`,
  warmUp: 2_000,
  open,
});
