/** Floxy itself, through what any service uses: the client, the worker, and handlers. */
import type { AnyHandlerImplementation, StepHandle, Workflow } from "@floxy/worker-sdk";
import {
  defineCompensation,
  defineHandler,
  defineStep,
  FloxyClient,
  NonRetryableError,
  Worker,
  workflow,
} from "@floxy/worker-sdk";
import { idAt, openPool, single } from "./database.ts";
import type { Client, Payload, Probe, Scenario, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

/** How many handlers a worker has in flight. The only thing that is tuned. */
export const concurrency = 3_000;

/** How many workflows one call of `startMany` takes: a thousand, or as many as make eight megabytes. */
const importBatchOf = ({ payloadBytes }: Scenario): number =>
  Math.max(1, Math.min(1_000, Math.floor(8_000_000 / payloadBytes)));

/** What the chain looks like when its length is only known at run time. */
interface Loose {
  step(step: StepHandle, placement?: object): Loose;
  parallel(name: string, steps: readonly StepHandle[]): Loose;
  build(): Workflow;
}

/** A client that can also start many. */
interface Importer {
  startMany(what: Workflow, items: readonly { readonly input: Payload }[]): Promise<unknown>;
}

const action = (index: number) => defineHandler<Payload, Payload>({ name: `action-${index}` });
const broken = defineHandler<Payload, Payload>({ name: "broken" });

const undo = (of: ReturnType<typeof action>) => defineCompensation({ name: `undo.${of.name}`, of });

/** The workflows of a scenario: one, unless its steps are spread over many handlers. */
const workflowsOf = ({ shape, width, handlers }: Scenario): readonly Workflow[] => {
  const contracts = Array.from({ length: handlers }, (_, index) => action(index));
  const variants = Math.max(1, Math.ceil(handlers / width));
  return Array.from({ length: variants }, (_, variant) => {
    const contract = (step: number) => contracts[(variant * width + step) % handlers] ?? action(0);
    const step = (index: number) => defineStep(`s${index}`, contract(index));
    const indexes = Array.from({ length: width }, (_, index) => index);
    const start = workflow<Payload>({ name: `${shape}-${width}-${variant}`, version: 1 }) as unknown as Loose;
    if (shape === "sequence") return indexes.reduce((flow, index) => flow.step(step(index)), start).build();
    if (shape === "fork") {
      const after = defineStep(`s${width}`, contract(width));
      return start
        .parallel("fork", indexes.map(step))
        .step(after, { input: ({ input }: { input: Record<keyof Payload, unknown> }) => pick(input) })
        .build();
    }
    const undone = indexes
      .slice(0, -1)
      .reduce(
        (flow, index) => flow.step(defineStep(`s${index}`, contract(index), { onFailure: undo(contract(index)) })),
        start,
      );
    return undone.step(defineStep(`s${width - 1}`, broken, { retry: { maxAttempts: 1 } })).build();
  });
};

// What follows a join takes what the workflow took, and not the outputs of all branches at once.
const pick = ({ id, text }: Record<keyof Payload, unknown>) => ({ id, text });

const implementationsOf = ({ handlers, ioMs }: Scenario, probe: Probe): readonly AnyHandlerImplementation[] => {
  const contracts = Array.from({ length: handlers }, (_, index) => action(index));
  const numberOf = (node: string): number => Number(node.slice(1));
  const actions = contracts.map((contract) =>
    contract.implement((input, context) => {
      const step = numberOf(context.step);
      probe.began(input.id, step);
      const waits = io(ioMs);
      if (waits === undefined) {
        probe.ended(input.id, step);
        return input;
      }
      return waits.then(() => {
        probe.ended(input.id, step);
        return input;
      });
    }),
  );
  const undos = contracts.map((contract) =>
    undo(contract).implement((input, context) => {
      probe.began(input.id, numberOf(context.step));
    }),
  );
  const failing = broken.implement((input, context) => {
    probe.began(input.id, numberOf(context.step));
    throw new NonRetryableError("as this workload wants it");
  });
  return [...actions, ...undos, failing];
};

const clientOf = (site: Site, workflows: readonly Workflow[]): Client => {
  const client = new FloxyClient({ connectionString: site.url });
  const { payloadBytes } = site.scenario;
  const workflowOf = (id: number): Workflow => {
    const found = workflows[id % workflows.length];
    if (found === undefined) throw new Error("a scenario without a workflow");
    return found;
  };
  const startOne = (id: number, key?: string) =>
    client.start(workflowOf(id), payloadOf(id, payloadBytes), key === undefined ? {} : { idempotencyKey: key });
  return {
    startOne,
    async enqueue(first, count) {
      if (isImporter(client)) await importMany(client, workflows, site.scenario, first, count);
      else await inLanes(importBatchOf(site.scenario), count, (index) => startOne(first + index));
    },
    close: () => client.close(),
  };
};

const isImporter = (client: object): client is Importer => "startMany" in client;

// As an import would: a call at a time for each workflow, two under way, so that one is prepared while another is written.
const importMany = async (
  client: Importer,
  workflows: readonly Workflow[],
  scenario: Scenario,
  first: number,
  count: number,
): Promise<void> => {
  const batch = importBatchOf(scenario);
  const ids = Array.from({ length: count }, (_, index) => first + index);
  const calls = workflows.flatMap((what, variant) => {
    const own = ids.filter((id) => id % workflows.length === variant);
    return Array.from({ length: Math.ceil(own.length / batch) }, (_, call) => ({
      what,
      own: own.slice(call * batch, (call + 1) * batch),
    }));
  });
  await inLanes(2, calls.length, async (index) => {
    const call = calls[index];
    if (call)
      await client.startMany(
        call.what,
        call.own.map((id) => ({ input: payloadOf(id, scenario.payloadBytes) })),
      );
  });
};

/** Does `count` things, at most `lanes` at a time. */
const inLanes = async (lanes: number, count: number, work: (index: number) => Promise<unknown>): Promise<void> => {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
};

const open = (site: Site): Session => {
  const workflows = workflowsOf(site.scenario);
  const pool = openPool(site.url);
  // Leaves out what a workload makes up as history, minutes before.
  const measured = `instance_id > '${idAt(Date.now() - 30_000)}'`;
  const expected = site.scenario.shape === "saga" ? "failed" : "completed";
  return {
    async setUp() {
      const client = new FloxyClient({ connectionString: site.url });
      await client.migrate();
      for (const what of workflows) await client.register(what);
      await client.close();
    },
    openClient: () => Promise.resolve(clientOf(site, workflows)),
    async startWorker() {
      const handlers = implementationsOf(site.scenario, site.probe);
      const worker = new Worker({ connectionString: site.url, signals: false, concurrency, handlers });
      await worker.start();
      return worker;
    },
    unfinished: () =>
      single<boolean>(
        pool,
        `SELECT EXISTS (SELECT FROM floxy.instance WHERE finished_at IS NULL AND ${measured}) AS value`,
      ),
    async tally() {
      const ended = `SELECT count(*) AS value FROM floxy.instance WHERE status = '${expected}' AND ${measured}`;
      // A step that was undone cost two calls, but the one that failed has nothing that undoes it. The rows of forks are
      // none of ours.
      const steps = `SELECT sum(CASE WHEN compensation_attempt > 0 THEN 2 ELSE 1 END) AS value FROM floxy.step
        WHERE node ~ '^s[0-9]+$' AND status IN ('completed', 'failed', 'rolled_back') AND ${measured}`;
      return {
        started: Number(await single<string>(pool, `SELECT count(*) AS value FROM floxy.instance WHERE ${measured}`)),
        ended: Number(await single<string>(pool, ended)),
        steps: Number(await single<string | null>(pool, steps)),
      };
    },
    close: () => pool.end(),
  };
};

/** Floxy as a service would use it. */
export const system: System = {
  configuration: `one worker with concurrency ${concurrency}, all else default; enqueued with startMany, 1,000 a call`,
  warmUp: 3_000,
  open,
};
