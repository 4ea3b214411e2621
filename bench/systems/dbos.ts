/** DBOS Transact: a workflow function with a checkpoint after each step, started from a queue. */
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import { openPool, single } from "./database.ts";
import type { Client, Payload, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

const queueName = "bench";
const workflowName = "sequence";

/** How many workflows run beside each other, how often the queue is looked at, and with how many connections. */
const workerConcurrency = 100;
const minPollingIntervalMs = 10;
const systemDatabasePoolSize = 10;

/** How many single enqueues are under way; there is no public way to enqueue many at once. */
const callers = 50;

const silent = {
  info: () => {},
  debug: () => {},
  warn: () => {},
  error: (line: unknown) => process.stderr.write(`${String(line)}\n`),
};

const clientOf = async ({ url, scenario }: Site): Promise<Client> => {
  const client = await DBOSClient.create({
    systemDatabaseUrl: url,
    systemDatabasePoolSize,
    applicationName: "bench",
    logger: silent,
  });
  const startOne = (id: number, key?: string) =>
    client.enqueue<(input: Payload) => Promise<Payload>>(
      { queueName, workflowName, ...(key !== undefined && { workflowID: key }) },
      payloadOf(id, scenario.payloadBytes),
    );
  return {
    startOne,
    async enqueue(first, count) {
      let next = first;
      const caller = async (): Promise<void> => {
        for (let id = next++; id < first + count; id = next++) await startOne(id);
      };
      await Promise.all(Array.from({ length: callers }, caller));
    },
    close: () => client.destroy(),
  };
};

const launch = async ({ url }: Site): Promise<void> => {
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: url,
    systemDatabasePoolSize,
    applicationVersion: "1",
    logger: silent,
  });
  await DBOS.launch();
  await DBOS.registerQueue(queueName, { workerConcurrency, minPollingIntervalMs });
};

const register = ({ probe, scenario }: Site): void => {
  const run = async (input: Payload): Promise<Payload> => {
    let value = input;
    for (let step = 0; step < scenario.width; step++) {
      value = await DBOS.runStep(
        async () => {
          probe.began(input.id, step);
          await io(scenario.ioMs);
          probe.ended(input.id, step);
          return value;
        },
        { name: `s${step}` },
      );
    }
    return value;
  };
  DBOS.registerWorkflow(run, { name: workflowName });
};

const open = (site: Site): Session => {
  const pool = openPool(site.url);
  let registered = false;
  const ensureRegistered = (): void => {
    if (!registered) register(site);
    registered = true;
  };
  return {
    async setUp() {
      ensureRegistered();
      await launch(site);
      await DBOS.shutdown();
    },
    openClient: () => clientOf(site),
    async startWorker() {
      ensureRegistered();
      await launch(site);
      return { stop: () => DBOS.shutdown() };
    },
    unfinished: () =>
      single<boolean>(
        pool,
        "SELECT EXISTS (SELECT FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING')) AS value",
      ),
    async tally() {
      const ended = await single<string>(
        pool,
        "SELECT count(*) AS value FROM dbos.workflow_status WHERE status = 'SUCCESS'",
      );
      const steps = await single<string>(pool, "SELECT count(*) AS value FROM dbos.operation_outputs");
      return { ended: Number(ended), steps: Number(steps) };
    },
    close: () => pool.end(),
  };
};

/** DBOS with a queue that is looked at often. */
export const system: System = {
  configuration: `a queue with workerConcurrency ${workerConcurrency} and minPollingIntervalMs ${minPollingIntervalMs}; systemDatabasePoolSize ${systemDatabasePoolSize}; steps by DBOS.runStep`,
  warmUp: 200,
  open,
};
