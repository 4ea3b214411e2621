/** Dead letters in memory. */
import type { DeadLetterFilter, DeadLetterRow, ListedDeadLetter } from "../store/operator.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { StoredDeadLetter } from "./rows.ts";
import { compare, refusal } from "./table.ts";
import type { Tables } from "./tables.ts";
import { instanceOf } from "./tables.ts";

/** Writes a dead letter, in place of the one that the step has, which hands on its handler if there is no other. */
export const bury = (
  tables: Tables,
  letter: Omit<StoredDeadLetter, "createdAt" | "error" | "handler"> & {
    readonly error: string | null;
    readonly handler?: string | null;
  },
): void => {
  const { instanceId, node, kind, error, attempt } = letter;
  if (error === null) throw refusal("23502", "a dead letter needs an error");
  const before = tables.deadLetter.get(instanceId, node)?.handler ?? null;
  const handler = letter.handler === undefined ? before : letter.handler;
  tables.deadLetter.put({ instanceId, node, kind, error, attempt, handler, createdAt: tables.clock.transaction.now });
};

/** See {@link import("../store/operator.ts").getDeadLetters}. */
export const getDeadLetters = (tables: Tables, instanceIds: readonly string[]): DeadLetterRow[] =>
  [...new Set(instanceIds)]
    .flatMap((instanceId) => tables.deadLetter.of(instanceId))
    .sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.node, b.node))
    .map((letter) => rowOf(tables, letter));

const rowOf = (tables: Tables, letter: StoredDeadLetter): DeadLetterRow => {
  const { instanceId, node, kind, attempt } = letter;
  return {
    instanceId,
    node,
    lane: kind,
    error: JSON.parse(letter.error) as StepError,
    attempt,
    input: tables.step.get(instanceId, node)?.input ?? null,
    createdAt: new Date(letter.createdAt),
  };
};

/** See {@link import("../store/operator.ts").listDeadLetters}. */
export const listDeadLetters = (tables: Tables, filter: DeadLetterFilter): ListedDeadLetter[] => {
  const { after } = filter;
  const end = after && { createdAt: Date.parse(after.position), instanceId: after.instanceId, node: after.node };
  return tables.deadLetter
    .all()
    .filter((letter) => end === null || byAge(letter, end) > 0)
    .filter(({ kind, handler }) => kind === (filter.lane ?? kind) && handler === (filter.handler ?? handler))
    .sort(byAge)
    .flatMap((letter) => {
      const instance = instanceOf(tables, letter.instanceId);
      if (instance === undefined) return [];
      const { definitionName, definitionVersion, status } = instance;
      if (definitionName !== (filter.definitionName ?? definitionName)) return [];
      const position = new Date(letter.createdAt).toISOString().replace("Z", "000Z");
      const { handler } = letter;
      return [{ ...rowOf(tables, letter), handler, definitionName, definitionVersion, status, position }];
    })
    .slice(0, filter.limit);
};

type Aged = Pick<StoredDeadLetter, "createdAt" | "instanceId" | "node">;

const byAge = (a: Aged, b: Aged): number =>
  compare(a.createdAt, b.createdAt) || compare(a.instanceId, b.instanceId) || compare(a.node, b.node);
