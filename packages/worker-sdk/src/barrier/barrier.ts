/**
 * The barrier: in the service's own transaction it makes a repeated call a no-op, a compensation without its action too,
 * and an action that comes after its compensation.
 *
 * The idea is that of DTM's sub-transaction barrier (https://github.com/dtm-labs/dtm) and of Seata's fence for TCC
 * (https://seata.apache.org/blog/seata-tcc-fence): a row that stands for the effect, written in the transaction of the
 * effect. Here an action and its compensation share one row, so one unique index decides between any number of calls.
 */
import type { ForeignClient } from "@floxy/shared";
import { encodePayload, FloxyError, quote } from "@floxy/shared";
import type { StepContext } from "../handler/context.ts";
import type { BarrierStatements } from "./statements.ts";
import { statementsOf } from "./statements.ts";
import type { BarrierTable } from "./table.ts";
import { barrierTable } from "./table.ts";

/** Which call it is: a handler's context, or these two of it, sent along to the service that does the work. */
export type BarrierCall = Pick<StepContext, "effectKey" | "lane">;

/** What {@link barrier} can be told. */
export interface BarrierOptions extends BarrierTable {
  /**
   * Tells apart several effects of one step, each behind a barrier of its own; the compensation names them alike. Up to
   * 100 characters.
   */
  readonly name?: string | undefined;
}

/** What became of a call. */
export type BarrierResult<T> =
  /** The work was done; it is there when you commit. */
  | { readonly applied: true; readonly reason: undefined; readonly value: T }
  /** It was done before: by an earlier attempt, whose value this is, read back from JSON. */
  | { readonly applied: false; readonly reason: "repeated"; readonly value: T }
  /**
   * `empty`: a compensation whose action did not happen and now never will. `hanging`: an action that comes after its
   * compensation; what its handler returns reaches nobody.
   */
  | { readonly applied: false; readonly reason: "empty" | "hanging"; readonly value: undefined };

/**
 * Does `work` if this call is to have its effect, and says what became of it. `client` must be in a transaction, `work`
 * must write in the same one, and what it throws must roll that back. What it returns is kept as JSON, so that a repeated
 * call can return the same.
 *
 * Two calls at once wait for each other. In the isolation levels REPEATABLE READ and SERIALIZABLE the one that waited
 * fails with 40001: let the handler fail, and the next attempt finds out what happened.
 *
 * Throws `OPTION_INVALID` outside of a transaction (nothing is written then) and for a second call with the same name in
 * one transaction; `JSON_UNSTORABLE` or `PAYLOAD_TOO_LARGE` for a value that cannot be kept; `CONFIGURATION_INVALID` for
 * the name of a table that cannot be used; and what the client throws.
 */
export const barrier = async <T>(
  client: ForeignClient,
  call: BarrierCall,
  work: () => T | Promise<T>,
  options: BarrierOptions = {},
): Promise<BarrierResult<T>> => {
  assertCall(call, options.name);
  const { effectKey, lane } = call;
  const { name = "" } = options;
  const statements = statementsOf(barrierTable(options));
  const [opened] = await ask<{ xid: string }>(client, statements.open, []);
  if (opened === undefined) throw outside();
  const row: RowKey = [effectKey, name, opened.xid];
  const write = lane === "forward" ? statements.act : statements.compensate;
  const [written] = await ask<{ state: State }>(client, write, row);
  if (written === undefined) {
    // A row that is pruned at this moment stops the write and is gone before it can be read.
    return (await explain<T>(client, statements, row, lane)) ?? barrier(client, call, work, options);
  }
  if (written.state === "barred") return { applied: false, reason: "empty", value: undefined };
  const value = await work();
  if (value !== undefined) {
    const json = encodePayload(value, `the value behind the barrier of ${quote(effectKey)}`);
    await ask(client, statements.keep, [effectKey, name, json]);
  }
  return { applied: true, reason: undefined, value };
};

/**
 * Of the one row of an effect: `applied` by its action, `undone` by its compensation, or `barred`, because the compensation
 * was there before the action.
 */
type State = "applied" | "undone" | "barred";

/** The effect's key, the barrier's name, the number of the transaction. */
type RowKey = readonly [effectKey: string, name: string, xid: string];

interface Explanation {
  /** 1 if the transaction is still the one that it was at the first statement. */
  readonly inside: number;
  readonly state: State | null;
  readonly result: string | null;
  /** 1 if this transaction wrote the row. */
  readonly own: number;
}

const explain = async <T>(
  client: ForeignClient,
  statements: BarrierStatements,
  row: RowKey,
  lane: StepContext["lane"],
): Promise<BarrierResult<T> | undefined> => {
  const [found] = await ask<Explanation>(client, statements.explain, row);
  if (found === undefined || found.inside !== 1) throw outside();
  const { state, result, own } = found;
  if (state === null) return undefined;
  if (lane === "forward" && state !== "applied") return { applied: false, reason: "hanging", value: undefined };
  if (own === 1) throw twice(row);
  const value = (result === null ? undefined : JSON.parse(result)) as T;
  return { applied: false, reason: "repeated", value };
};

const ask = async <Row>(client: ForeignClient, text: string, values: readonly unknown[]): Promise<readonly Row[]> => {
  const { rows } = await client.query(text, [...values]);
  return rows as Row[];
};

// What comes from another service by HTTP has been checked by nobody.
const assertCall = ({ effectKey, lane }: BarrierCall, name: unknown): void => {
  if (!isText(effectKey, 1_000)) {
    throw new FloxyError("OPTION_INVALID", "effectKey must be the one of the handler's context.");
  }
  if (lane !== "forward" && lane !== "compensation") {
    throw new FloxyError("OPTION_INVALID", "lane must be the one of the handler's context: forward or compensation.");
  }
  if (name !== undefined && !isText(name, 100)) {
    throw new FloxyError("OPTION_INVALID", "the name of a barrier must have 1 to 100 characters.");
  }
};

const isText = (value: unknown, limit: number): boolean =>
  typeof value === "string" && value !== "" && value.length <= limit && !value.includes("\0");

const outside = (): FloxyError =>
  new FloxyError(
    "OPTION_INVALID",
    "the barrier is not in a transaction; give it the client on which you said BEGIN, not a pool.",
  );

const twice = ([effectKey, name]: RowKey): FloxyError =>
  new FloxyError(
    "OPTION_INVALID",
    `a barrier ${name === "" ? "without a name" : `named ${quote(name)}`} was passed twice in one transaction of ${quote(effectKey)}; give each a name of its own.`,
  );
