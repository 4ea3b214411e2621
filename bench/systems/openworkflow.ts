/** openworkflow: a workflow function with a checkpoint after each step. */
import { OpenWorkflow } from "openworkflow";
import { BackendPostgres } from "openworkflow/postgres";
import { openPool, single } from "./database.ts";
import type { Client, Payload, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

/** How many workflows run beside each other. Nothing else can be set. */
const concurrency = 100;

/** How many single starts are under way; there is no way to start many at once. */
const callers = 50;

const define = (backend: BackendPostgres, { probe, scenario }: Site) => {
  const engine = new OpenWorkflow({ backend });
  const sequence = engine.defineWorkflow<Payload, Payload>({ name: "sequence" }, async ({ input, step }) => {
    let value = input;
    for (let index = 0; index < scenario.width; index++) {
      value = await step.run({ name: `s${index}` }, async () => {
        probe.began(input.id, index);
        await io(scenario.ioMs);
        probe.ended(input.id, index);
        return value;
      });
    }
    return value;
  });
  return { engine, sequence };
};

const clientOf = async (site: Site): Promise<Client> => {
  const backend = await BackendPostgres.connect(site.url);
  const { sequence } = define(backend, site);
  const startOne = (id: number, key?: string) =>
    sequence.run(payloadOf(id, site.scenario.payloadBytes), key === undefined ? {} : { idempotencyKey: key });
  return {
    startOne,
    async enqueue(first, count) {
      let next = first;
      const caller = async (): Promise<void> => {
        for (let id = next++; id < first + count; id = next++) await startOne(id);
      };
      await Promise.all(Array.from({ length: callers }, caller));
    },
    close: () => backend.stop(),
  };
};

const open = (site: Site): Session => {
  const pool = openPool(site.url);
  return {
    async setUp() {
      const backend = await BackendPostgres.connect(site.url);
      await backend.stop();
    },
    openClient: () => clientOf(site),
    async startWorker() {
      const backend = await BackendPostgres.connect(site.url);
      const { engine } = define(backend, site);
      const worker = engine.newWorker({ concurrency });
      await worker.start();
      return {
        async stop() {
          await worker.stop();
          await backend.stop();
        },
      };
    },
    unfinished: () =>
      single<boolean>(
        pool,
        "SELECT EXISTS (SELECT FROM openworkflow.workflow_runs WHERE finished_at IS NULL) AS value",
      ),
    async tally() {
      const ended = await single<string>(
        pool,
        "SELECT count(*) AS value FROM openworkflow.workflow_runs WHERE status IN ('completed', 'succeeded')",
      );
      const steps = await single<string>(
        pool,
        "SELECT count(*) AS value FROM openworkflow.step_attempts WHERE status IN ('completed', 'succeeded')",
      );
      return { ended: Number(ended), steps: Number(steps) };
    },
    close: () => pool.end(),
  };
};

/** openworkflow with many workflows beside each other. */
export const system: System = {
  configuration: `concurrency ${concurrency}, all else as it comes (ten connections)`,
  warmUp: 200,
  open,
};
