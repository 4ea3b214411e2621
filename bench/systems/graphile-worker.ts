/** graphile-worker, a queue: a chain of three jobs, each of which enqueues the next. */
import type { Runner, TaskList } from "graphile-worker";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { openPool, single } from "./database.ts";
import type { Client, Payload, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

/** How many jobs run beside each other, and what its documentation calls batching. */
const concurrentJobs = 50;
const localQueue = 500;
const batchDelayMs = 2;
const maxPoolSize = 20;

interface Link extends Payload {
  readonly step: number;
}

const silent = new Logger(() => () => {});

const clientOf = async (site: Site): Promise<Client> => {
  const utils = await makeWorkerUtils({ connectionString: site.url, logger: silent });
  const linkOf = (id: number): Link => ({ ...payloadOf(id, site.scenario.payloadBytes), step: 0 });
  return {
    async enqueue(first, count) {
      for (let sent = 0; sent < count; sent += 1_000) {
        const ids = Array.from({ length: Math.min(1_000, count - sent) }, (_, index) => first + sent + index);
        await utils.addJobs(ids.map((id) => ({ identifier: "chain", payload: linkOf(id) })));
      }
    },
    startOne: (id) => utils.addJob("chain", linkOf(id)),
    async close() {
      await utils.release();
    },
  };
};

const startWorker = async ({ url, probe, scenario }: Site): Promise<Runner> => {
  const last = scenario.width - 1;
  const taskList: TaskList = {
    async chain(payload, helpers) {
      const link = payload as Link;
      probe.began(link.id, link.step);
      await io(scenario.ioMs);
      probe.ended(link.id, link.step);
      if (link.step < last) await helpers.addJob("chain", { ...link, step: link.step + 1 });
    },
  };
  return run({
    connectionString: url,
    taskList,
    logger: silent,
    noHandleSignals: true,
    preset: {
      worker: {
        concurrentJobs,
        maxPoolSize,
        pollInterval: 2_000,
        localQueue: { size: localQueue },
        completeJobBatchDelay: batchDelayMs,
        failJobBatchDelay: batchDelayMs,
      },
    },
  });
};

const open = (site: Site): Session => {
  const pool = openPool(site.url);
  return {
    async setUp() {
      const utils = await makeWorkerUtils({ connectionString: site.url, logger: silent });
      await utils.migrate();
      await utils.release();
    },
    openClient: () => clientOf(site),
    startWorker: () => startWorker(site),
    unfinished: () => single<boolean>(pool, "SELECT EXISTS (SELECT FROM graphile_worker.jobs) AS value"),
    async tally() {
      // What is done is deleted, so nothing is left when nothing was lost; the calls of the handlers are counted besides.
      const left = Number(await single<string>(pool, "SELECT count(*) AS value FROM graphile_worker.jobs"));
      return { left, steps: undefined };
    },
    close: () => pool.end(),
  };
};

/** graphile-worker with the batching that it documents. */
export const system: System = {
  configuration: `concurrentJobs ${concurrentJobs}, localQueue ${localQueue}, completeJobBatchDelay ${batchDelayMs} ms, maxPoolSize ${maxPoolSize}; successors by helpers.addJob`,
  warmUp: 400,
  open,
};
