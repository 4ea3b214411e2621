/** The rows of both stores in one form, so that they can be compared. */
import type { Tables } from "@floxy/shared/memory";

/** A row in snake_case, with times in milliseconds and JSON as values. */
export type Row = Readonly<Record<string, unknown>>;

/** All that a store holds: the rows of each table, in an order that both stores have. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

/** The rows of the store in memory, in the form of PostgreSQL's. */
export const rowsInMemory = (tables: Tables): Rows =>
  Object.fromEntries(
    Object.entries({
      definition: tables.definition,
      instance: tables.instance,
      step: tables.step,
      queue: tables.queue,
      inbox: tables.inbox,
      timer: tables.timer,
      dead_letter: tables.deadLetter,
      event: tables.event,
      vote: tables.vote,
      signal: tables.signal,
      audit: tables.audit,
      pause: tables.pause,
    }).map(([name, table]) => [name, table.all().map(toColumns)]),
  );

const json = new Set([
  "body",
  "input",
  "output",
  "metadata",
  "cause",
  "error",
  "compensation_error",
  "winners",
  "payload",
  "form",
  "chain",
]);

const toColumns = (row: object): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const column = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const isText = typeof value === "string" && (json.has(column) || (column === "data" && "auditId" in row));
      return [column, isText && !("inboxId" in row) ? JSON.parse(value) : value];
    }),
  );

/**
 * Makes rows comparable: without numbers that a sequence gives or that only one of the stores has, times as numbers,
 * tokens by the names that the test has given them, and in an order that says something or none.
 */
export const normalise = (rows: Rows, nameOfToken: (token: number) => string): Rows =>
  Object.fromEntries(
    Object.entries(rows).map(([table, list]) => {
      const order = orders[table];
      const sorted = order === undefined ? [...list] : [...list].sort((a, b) => Number(a[order]) - Number(b[order]));
      const plain = sorted.map((row) => plainRow(table, row, nameOfToken));
      // What is in order within its instance need not be so among instances.
      plain.sort((a, b) => compare(a.instance_id, b.instance_id));
      if (order === undefined) plain.sort((a, b) => compare(JSON.stringify(a), JSON.stringify(b)));
      return [table, table === "event" ? settleOrder(plain) : plain];
    }),
  );

/**
 * A statement that leases, settles or takes back many steps tells of each in an order that is PostgreSQL's affair. So
 * neighbours among such events of one call, and each call has a time of its own, are put into one order.
 */
const settleOrder = (events: readonly Row[]): Row[] => {
  const runs: Row[][] = [];
  for (const event of events) {
    const last = runs.at(-1)?.at(-1);
    const isBeside = ["instance_id", "created_at"].every((column) => last?.[column] === event[column]);
    const kind = kindOf(event);
    if (last !== undefined && isBeside && kind !== "other" && kindOf(last) === kind) runs.at(-1)?.push(event);
    else runs.push([event]);
  }
  return runs.flatMap((run) => run.sort((a, b) => compare(a.node, b.node)));
};

const kindOf = ({ worker_id: workerId, type, data }: Row): "of a worker" | "taken back" | "other" => {
  if (workerId !== null) return "of a worker";
  const isTakenBack = type === "step.skipped" || (type === "step.failed" && !JSON.stringify(data).includes("error"));
  return isTakenBack ? "taken back" : "other";
};

/** Tables whose rows have an order, and the column that has it. */
const orders: Readonly<Record<string, string>> = { event: "event_id", signal: "position", audit: "audit_id" };

const left = new Set([...["event_id", "audit_id", "inbox_id", "finished_in"], ...["eventId", "auditId", "inboxId"]]);

// Columns that only one of the stores has, and such that are numbers of a sequence.
const unread: Readonly<Record<string, readonly string[]>> = {
  signal: ["position"],
  vote: ["position"],
};

const plainRow = (table: string, row: Row, nameOfToken: (token: number) => string): Row =>
  Object.fromEntries(
    Object.keys(row)
      .filter((column) => !left.has(column) && !unread[table]?.includes(column))
      .sort()
      .map((column) => [column, plainValue(column, row[column], nameOfToken)]),
  );

/** A value without what differs between two stores that say the same. */
export const plainValue = (name: string, value: unknown, nameOfToken: (token: number) => string): unknown => {
  if (value === null || value === undefined) return null;
  if (/^(token|last_?[tT]oken)$/.test(name) && typeof value === "number") return nameOfToken(value);
  if (value instanceof Date) return value.getTime();
  if (/(_at|At|_until|Until)$/.test(name) && typeof value === "string") return Date.parse(value);
  if (jsonTexts.has(name) && typeof value === "string") return plainValue("", jsonOf(value), nameOfToken);
  if (Array.isArray(value)) return value.map((item) => plainValue("", item, nameOfToken));
  if (value instanceof Set) return [...value].sort();
  if (typeof value !== "object") return value;
  const entries = Object.entries(value)
    .filter(([key]) => !left.has(key))
    .sort(([a], [b]) => compare(a, b));
  return Object.fromEntries(entries.map(([key, item]) => [key, plainValue(key, item, nameOfToken)]));
};

// PostgreSQL puts the keys of what it stores as jsonb into an order of its own, and answers are made of that.
const jsonTexts = new Set(["value", "input", "stepInput", "output", "form"]);

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

const compare = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);
