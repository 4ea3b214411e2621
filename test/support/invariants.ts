/**
 * The invariants of semantics §12, checked on what the database holds, without the product's own code; and then by the
 * product's doctor, which has no reason to find anything else.
 */
import type { DoctorReport } from "@floxy/worker-sdk";
import type pg from "pg";
import { checkEvents } from "./event-invariants.ts";
import { eventually } from "./eventually.ts";
import type { EventFact, InstanceFacts } from "./snapshot.ts";
import { readFacts } from "./snapshot.ts";

const terminal: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "aborted"]);

/** What is checked: a cluster, as far as the invariants need it. */
export interface Checked {
  /** Whether an orchestrator still looks at notes. */
  readonly isOrchestrated: boolean;
  /** The handlers of each worker that there ever was, by its id. */
  readonly handlersOf: ReadonlyMap<string, ReadonlySet<string>>;
  /** What the product itself finds wrong. */
  readonly client: { doctor(options: { readonly environment: false }): Promise<DoctorReport> };
  connect(): Promise<pg.PoolClient>;
  sql<Row extends object>(text: string): Promise<Row[]>;
}

/** Throws with all that is broken. Superfluous notes of ended instances are given time to be looked at. */
export const assertInvariants = async (cluster: Checked): Promise<void> => {
  if (cluster.isOrchestrated) await eventually(() => areNotesGone(cluster), { deadlineMs: 5_000 });
  const client = await cluster.connect();
  try {
    const broken = (await readFacts(client)).flatMap((facts) => {
      const found = violations(facts, cluster.handlersOf);
      return found.length === 0 ? [] : [[...found, ...facts.events.map((event) => `  ${tell(event)}`)].join("\n")];
    });
    if (broken.length > 0) throw new Error(`invariants are broken:\n${broken.slice(0, 5).join("\n")}`);
  } finally {
    client.release();
  }
  const { ok, ...report } = await cluster.client.doctor({ environment: false });
  if (!ok) throw new Error(`the doctor found something: ${JSON.stringify(report, null, 2)}`);
};

const areNotesGone = async (cluster: Checked): Promise<boolean> => {
  const [row] = await cluster.sql<{ count: number }>(
    `SELECT count(*)::int FROM inbox JOIN instance USING (instance_id) WHERE finished_at IS NOT NULL`,
  );
  return row?.count === 0;
};

const tell = ({ eventId, type, node, attempt, lane, workerId }: EventFact): string =>
  [eventId, type, node, attempt, lane, workerId].filter((part) => part !== null).join(" ");

/** What is broken in an instance, in sentences. */
export const violations = (
  facts: InstanceFacts,
  handlersOf: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] => {
  const found = [...checkEnd(facts), ...checkEvents(facts, handlersOf)];
  return found.map((what) => `${facts.instanceId} (${facts.status}): ${what}`);
};

function* checkEnd(facts: InstanceFacts): Generator<string> {
  const { status, queue, inboxCount, deadLetters } = facts;
  if (terminal.has(status)) {
    if (queue.length > 0) yield `1: it has ended, and ${queue.map(({ node }) => node).join(", ")} is queued`;
    if (inboxCount > 0) yield "1: it has ended, and there are notes of it";
    if (deadLetters.length > 0) yield "1: it has ended, and there are dead letters of it";
  } else if (status === "dlq") {
    if (deadLetters.length === 0) yield "1: it waits for a person, and there is no dead letter";
  } else if (queue.length === 0 && inboxCount === 0 && !waits(facts)) {
    yield "1: it waits for nothing that exists";
  }
  if (status === "completed") yield* checkCompleted(facts);
  if (status === "failed" || status === "cancelled") yield* checkUndone(facts);
  if (status === "aborted") yield* checkAborted(facts);
}

const waits = ({ order, steps }: InstanceFacts): boolean =>
  [...steps.values()].some(({ node, status, timed }) => {
    const kind = order.nodes.get(node)?.kind;
    return timed || status === "waiting_decision" || (kind === "signal" && status === "waiting");
  });

const passedStatuses: ReadonlySet<string> = new Set(["completed", "confirmed"]);
const lostStatuses: ReadonlySet<string> = new Set([
  "completed",
  "confirmed",
  "skipped",
  "failed",
  "rejected",
  "rolled_back",
]);

function* checkCompleted({ order, steps }: InstanceFacts): Generator<string> {
  const passed = new Set(
    order.passed({
      side: (condition) => steps.get(condition)?.side ?? null,
      winners: (fork) => steps.get(fork)?.winners ?? null,
    }),
  );
  for (const name of passed) {
    const status = steps.get(name)?.status ?? "missing";
    const node = order.nodes.get(name);
    const mayReject = node?.kind === "human" && node.onReject === "continue" && status === "rejected";
    if (!passedStatuses.has(status) && !mayReject) yield `2: step ${name} was passed and is ${status}`;
  }
  for (const [name, { status }] of steps) {
    if (passed.has(name)) continue;
    if (!order.dispensable.has(name)) yield `2: step ${name} was not passed and has a row`;
    else if (!lostStatuses.has(status)) yield `2: step ${name} of a branch that lost is ${status}`;
  }
}

function* checkUndone({ order, steps, boundary, events, status: end }: InstanceFacts): Generator<string> {
  if (end === "cancelled" && boundary !== null) yield `3: it was cancelled and stopped at ${boundary}`;
  const kept = boundary === null ? new Set<string>() : order.upTo(boundary);
  const last = lastRun(events);
  for (const { node, status, outcome } of steps.values()) {
    const task = order.tasks.get(node);
    const undone = last.filter((event) => event.node === node && event.type === "step.rolled_back").length;
    const skippedByPerson = last.some((event) => event.node === node && event.type === "compensation.skipped");
    if (kept.has(node)) {
      const stays = passedStatuses.has(status) || order.dispensable.has(node) || status === "rejected";
      if (!stays) yield `3: step ${node} stands before the savepoint and is ${status}`;
      if (undone > 0 && !order.dispensable.has(node))
        yield `3: step ${node} stands before the savepoint and was undone`;
    } else if (status === "failed") {
      const isExcluded = outcome === "unknown" && task?.compensateOn === "completed";
      if (outcome !== "absent" && !isExcluded)
        yield `3: step ${node} is failed with outcome ${outcome}, and was not undone`;
    } else if (status === "skipped") {
      if (outcome === "happened" && task !== undefined && !skippedByPerson)
        yield `3: step ${node} happened and is skipped`;
    } else if (status !== "rolled_back") {
      yield `3: step ${node} is ${status}`;
    } else if (task?.compensation !== undefined && undone !== 1) {
      yield `3: step ${node} is rolled_back, and its compensation succeeded ${undone} times`;
    }
  }
}

function* checkAborted({ events }: InstanceFacts): Generator<string> {
  const aborted = events.findIndex(({ type }) => type === "instance.aborted");
  for (const { type, node } of events.slice(aborted + 1)) {
    if (type === "step.leased") yield `3: step ${node} was leased after the instance was aborted`;
  }
}

const lastRun = (events: readonly EventFact[]): readonly EventFact[] =>
  events.slice(events.findLastIndex(({ type }) => type === "instance.resumed") + 1);
