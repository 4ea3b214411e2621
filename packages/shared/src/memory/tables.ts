/** All tables of a database in memory, with its clock and its sequences. */
import type { Lane } from "../vocabulary/status.ts";
import type {
  StoredAudit,
  StoredDeadLetter,
  StoredDefinition,
  StoredEvent,
  StoredInstance,
  StoredNote,
  StoredPause,
  StoredQueued,
  StoredSignal,
  StoredStep,
  StoredTimer,
  StoredVote,
} from "./rows.ts";
import type { Journal, Key } from "./table.ts";
import { refusal, Table } from "./table.ts";

/** What the verbs work on. */
export interface Tables {
  readonly journal: Journal;
  readonly clock: Clock;
  /** Gives the next number of a sequence; like PostgreSQL's, it is not taken back when a transaction is. */
  next(sequence: "token" | "event" | "inbox" | "vote" | "signal" | "audit"): number;
  readonly definition: Table<StoredDefinition>;
  /** By id; see {@link instanceOf}. */
  readonly instance: Table<StoredInstance>;
  readonly step: Table<StoredStep>;
  /** In buckets by what a row waits for: `ready handler`, `delayed`, `leased`, `held`. */
  readonly queue: Table<StoredQueued>;
  /** In one bucket, the oldest first. */
  readonly inbox: Table<StoredNote>;
  /** In one bucket, the first to be due first. */
  readonly timer: Table<StoredTimer>;
  readonly deadLetter: Table<StoredDeadLetter>;
  readonly event: Table<StoredEvent>;
  readonly vote: Table<StoredVote>;
  readonly signal: Table<StoredSignal>;
  readonly audit: Table<StoredAudit>;
  readonly pause: Table<StoredPause>;
  /** The ids of instances by definition and idempotency key. */
  readonly idempotencyKey: Table<{ readonly key: string; readonly instanceId: string }>;
}

/** The time of the database. */
export interface Clock {
  /** When the verb that runs began, in milliseconds. */
  now: number;
  /** Counts the verbs that have run. */
  verb: number;
  /** The same of the transaction that the verb is part of. */
  transaction: { readonly now: number; readonly verb: number };
}

/** The bucket of tables that have only one. */
export const only = "";

/** Makes empty tables. */
export const createTables = (): Tables => {
  const journal: Journal = [];
  const sequences = new Map<string, number>();
  const table = <Row extends object>(name: string, key: Key<Row>, ...order: OrderOf<Row>): Table<Row> =>
    new Table(name, key, journal, ...order);
  return {
    journal,
    clock: { now: 0, verb: 0, transaction: { now: 0, verb: 0 } },
    next(sequence) {
      const number = (sequences.get(sequence) ?? 0) + 1;
      sequences.set(sequence, number);
      return number;
    },
    definition: table("definition", { group: ({ name }) => name, id: ({ version }) => version }),
    instance: table("instance", { group: ({ instanceId }) => instanceId, id: () => only }),
    step: table("step", ofNode()),
    queue: table("queue", ofNode(), { bucket: ({ state, handler }) => waitsFor(state, handler), place: placeInQueue }),
    inbox: table(
      "inbox",
      { group: () => only, id: ({ inboxId }) => inboxId },
      { bucket: () => only, place: ({ inboxId }) => inboxId },
    ),
    timer: table("timer", ofNode(), { bucket: () => only, place: ({ dueAt }) => dueAt }),
    deadLetter: table("dead_letter", ofNode()),
    event: table("event", { group: ({ instanceId }) => instanceId, id: ({ eventId }) => eventId }),
    vote: table("vote", { group: ({ instanceId }) => instanceId, id: ({ node, voter }) => `${node} ${voter}` }),
    signal: table("signal", { group: ({ instanceId }) => instanceId, id: ({ signalId }) => signalId }),
    audit: table("audit", { group: () => only, id: ({ auditId }) => auditId }),
    pause: table("pause", { group: ({ definitionName }) => definitionName, id: () => only }),
    idempotencyKey: table("instance_idempotency_key", { group: ({ key }) => key, id: () => only }),
  };
};

type OrderOf<Row extends object> =
  ConstructorParameters<typeof Table<Row>> extends [unknown, unknown, unknown, ...infer R] ? R : never;

const ofNode = <Row extends { readonly instanceId: string; readonly node: string }>(): Key<Row> => ({
  group: ({ instanceId }) => instanceId,
  id: ({ node }) => node,
});

/** The bucket of the queue in which a row waits. */
export const waitsFor = (state: StoredQueued["state"], handler: string): string =>
  state === "ready" ? `ready ${handler}` : state;

const placeInQueue = ({ state, key, readyAt, leaseUntil }: StoredQueued): number => {
  if (state === "delayed") return readyAt;
  return state === "leased" ? (leaseUntil ?? 0) : key;
};

/** The row of an instance. */
export const instanceOf = (tables: Tables, instanceId: string): StoredInstance | undefined =>
  tables.instance.get(instanceId, only);

/** The rows of instances that exist, each once, in the order of their ids. */
export const instancesOf = (tables: Tables, instanceIds: readonly string[]): StoredInstance[] =>
  [...new Set(instanceIds)].sort().flatMap((instanceId) => instanceOf(tables, instanceId) ?? []);

/** The database's setting `aging_points_per_second`. */
const agingPointsPerSecond = 0.5;

/** The aged priority as one number; see `priority_key()` in the migrations. */
export const priorityKey = (readyAt: number, priority: number, lane: Lane): number =>
  Math.round(readyAt) -
  Math.round((priority * 1_000) / agingPointsPerSecond) -
  (lane === "compensation" ? 10_000_000_000_000 : 0);

/** Checks that a text is JSON, as a column of type `json` does. */
export const jsonText = <Text extends string | null>(text: Text): Text => {
  if (text === null) return text;
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw refusal("22P02", "invalid input syntax for type json");
  }
};

/** A time as those who ask get it. */
export const dateOf = (at: number | null): Date | null => (at === null ? null : new Date(at));

/** The value of JSON text, a new one each time. */
export const parse = <Value>(text: string | null): Value | null => (text === null ? null : (JSON.parse(text) as Value));
