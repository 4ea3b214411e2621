/** The invariants of semantics §12, checked on what the database holds, without the product's own code. */
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
  } else if (status === "dlq") {
    if (deadLetters.length === 0) yield "1: it waits for a person, and there is no dead letter";
  } else if (queue.length === 0 && inboxCount === 0) {
    yield "1: it waits for nothing that exists";
  }
  if (status === "completed") yield* checkCompleted(facts);
  if (status === "failed") yield* checkFailed(facts);
}

function* checkCompleted({ order, steps }: InstanceFacts): Generator<string> {
  const passed = new Set(order.passed((condition) => steps.get(condition)?.side ?? null));
  for (const name of passed) {
    const status = steps.get(name)?.status ?? "missing";
    if (status !== "completed") yield `2: step ${name} was passed and is ${status}`;
  }
  for (const name of steps.keys()) if (!passed.has(name)) yield `2: step ${name} was not passed and has a row`;
}

function* checkFailed({ order, steps, boundary, events }: InstanceFacts): Generator<string> {
  const kept = boundary === null ? new Set<string>() : order.upTo(boundary);
  for (const { node, status, outcome } of steps.values()) {
    const undone = events.filter((event) => event.node === node && event.type === "step.rolled_back").length;
    if (kept.has(node)) {
      if (status !== "completed") yield `3: step ${node} stands before the savepoint and is ${status}`;
      if (undone > 0) yield `3: step ${node} stands before the savepoint and was undone`;
    } else if (status === "failed") {
      if (outcome !== "absent") yield `3: step ${node} is failed with outcome ${outcome}, and was not undone`;
    } else if (status === "skipped") {
      if (outcome === "happened" && order.tasks.has(node)) yield `3: step ${node} happened and is skipped`;
    } else if (status !== "rolled_back") {
      yield `3: step ${node} is ${status}`;
    } else if (order.tasks.get(node)?.compensation !== undefined && undone !== 1) {
      yield `3: step ${node} is rolled_back, and its compensation succeeded ${undone} times`;
    }
  }
}
