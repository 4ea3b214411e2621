/** Rows and calls in short, for the contract of the store. */
import type { Database, LeasedStep, StepError } from "@floxy/shared";
import { claim, getEvents, newId } from "@floxy/shared";
import type { NewInstance, Settlement, SettleParams, SettleResult } from "@floxy/shared/store";
import { enqueueSteps, insertInstances, readSnapshot, settle, takeInbox, updateInstances } from "@floxy/shared/store";

type Advance = NewInstance["advance"];
type Enqueue = Advance["enqueue"][number];
type NodeRecord = Advance["records"][number];

/** A step to queue. Its handler is `h` in the forward lane and `undo` otherwise. */
export const queued = (node: string, options: Partial<Enqueue> = {}): Enqueue => {
  const { lane = "forward" } = options;
  const handler = lane === "forward" ? "h" : "undo";
  return {
    node,
    lane,
    handler,
    priority: null,
    delayMs: 0,
    timeoutMs: 300_000,
    inputFrom: null,
    fork: null,
    ...options,
  };
};

/** The record of a node that the flow has reached. */
export const record = (node: string, options: Partial<NodeRecord> = {}): NodeRecord => {
  const nothing = { side: null, error: null, inputFrom: null, due: null, contained: false } as const;
  return { node, status: "completed", ...nothing, ...options };
};

/** What follows from something. */
export const follows = (options: Partial<Advance> = {}): Advance => {
  return { records: [], enqueue: [], review: false, joins: null, finished: null, ...options };
};

/** An instance of definition `d` whose steps of these names are queued, unless told otherwise. */
export const newInstance = (nodes: readonly string[] = ["a"], options: Partial<NewInstance> = {}): NewInstance => ({
  instanceId: newId(),
  definitionName: "d",
  definitionVersion: 1,
  priority: 50,
  input: '{"n":1}',
  metadata: "{}",
  idempotencyKey: null,
  deadlineMs: null,
  advance: follows({ enqueue: nodes.map((node) => queued(node)) }),
  ...options,
});

/** Starts an instance; answers its id. */
export const start = async (db: Database, ...parameters: Parameters<typeof newInstance>): Promise<string> => {
  const instance = newInstance(...parameters);
  await insertInstances(db, [instance]);
  return instance.instanceId;
};

/** Leases what is ready, by node. */
export const lease = async (
  db: Database,
  options: { readonly transactional?: boolean; readonly leaseMs?: number } = {},
): Promise<Record<string, LeasedStep>> => {
  const { transactional = false, leaseMs = 1_000 } = options;
  const handlers = ["h", "undo"].map((handler) => ({ handler, slots: 100, transactional }));
  const leased = await claim(db, { workerId: "w", handlers, limit: 100, leaseMs });
  return Object.fromEntries(leased.map((step) => [step.node, step]));
};

/** An error as it is kept with a step. */
export const broken = (message = "broken"): StepError => ({ code: "HANDLER_FAILED", message });

/** The result of a lease: completed with `"out"`, or with an error. */
export const result = (leased: LeasedStep | undefined, options: Partial<Settlement> = {}): Settlement => {
  if (leased === undefined) throw new Error("the step was not leased");
  const { verdict = "completed" } = options;
  return {
    instanceId: leased.instanceId,
    node: leased.node,
    token: leased.token,
    verdict,
    output: verdict === "completed" ? '"out"' : null,
    error: verdict === "completed" || verdict === "released" ? null : JSON.stringify(broken()),
    outcome: null,
    onFail: "freeze",
    delayMs: 0,
    advance: verdict === "completed" && leased.lane === "forward" ? follows() : null,
    ...options,
  };
};

/** Settles, in one statement. */
export const settleAll = (
  db: Database,
  settlements: readonly Settlement[],
  options: Partial<SettleParams> = {},
): Promise<SettleResult[]> => db.transaction((tx) => settle(tx, { settlements, workerId: "w", ...options }));

/** The row of a step. */
export const stepOf = async (db: Database, instanceId: string, node: string) =>
  (await readSnapshot(db, instanceId))?.steps.find((step) => step.node === node);

/** The row of the queue. */
export const queuedOf = async (db: Database, instanceId: string, node: string) =>
  (await readSnapshot(db, instanceId))?.queue.find((row) => row.node === node);

/** The types of the events of an instance, with their nodes. */
export const story = async (db: Database, instanceId: string): Promise<string[]> =>
  (await getEvents(db, { instanceId, limit: 1_000 })).map(({ type, node }) =>
    node === null ? type : `${type} ${node}`,
  );

/** The instances that notes are about; takes them. */
export const noted = async (db: Database): Promise<string[]> =>
  (await takeInbox(db, 1_000)).map(({ instanceId }) => instanceId);

/** Gives an instance another status. */
export const setStatus = (
  db: Database,
  instanceId: string,
  status: Parameters<typeof updateInstances>[1][number]["status"],
  options: Partial<Parameters<typeof updateInstances>[1][number]> = {},
): Promise<void> => {
  const kept = { freeze: false, finish: false, restart: false, cause: null, bounds: false, boundary: null };
  return updateInstances(db, [{ instanceId, status, ...kept, outputFrom: null, pausedFrom: null, ...options }]);
};

/** Queues steps of an instance. */
export const enqueue = (db: Database, instanceId: string, ...steps: readonly Enqueue[]): Promise<void> =>
  enqueueSteps(
    db,
    steps.map((step) => ({ ...step, instanceId })),
  );
