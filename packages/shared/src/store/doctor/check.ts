/** What a check of the doctor is: one named query that answers the instances in which something does not hold. */
import { terminalStatuses } from "../../vocabulary/status.ts";

/** One thing that must hold of the rows of every instance. */
export interface Check {
  /** Says what holds; those of the contract's invariants begin with `invariant_` and its number. */
  readonly name: string;
  /** What is wrong with an instance that it finds. */
  readonly meaning: string;
  /** What to do about it. */
  readonly advice: string;
  /**
   * A SELECT of `instance_id`, for a schema that is given quoted. It may look at `bound`, which has one row: `late`, the
   * time before which something that is normally done soon should have been done, and `since`, from which on history is
   * looked at. It is one statement, so it sees one moment: what the engine writes in one transaction is there whole.
   */
  readonly query: (schema: string) => string;
}

/** The terminal statuses as a list of SQL. */
export const endedList = terminalStatuses.map((status) => `'${status}'`).join(", ");

/** The instances that go on or have ended lately, as a FROM item `i`. Those that ended long ago are not read. */
export const recentText = (schema: string): string =>
  `(SELECT r.* FROM ${schema}.instance r, bound WHERE r.finished_at IS NULL OR r.finished_at >= bound.since) i`;

/**
 * The tasks of all definitions as a FROM item `task`: how often their handlers may be called, and whether a failure that
 * may have had effects is undone. The defaults are those of `definition/model.ts`.
 */
export const taskText = (schema: string, defaults: { readonly forward: number; readonly compensation: number }) => `
  (SELECT d.name AS definition_name, d.version AS definition_version, n ->> 'name' AS node,
          CASE WHEN n ->> 'idempotent' = 'false' THEN 1
               ELSE coalesce((n -> 'retry' ->> 'maxAttempts')::int, ${defaults.forward}) END AS forward_limit,
          coalesce((n -> 'compensation' -> 'retry' ->> 'maxAttempts')::int, ${defaults.compensation}) AS undo_limit,
          coalesce(n ->> 'compensateOn', 'started') AS compensate_on
   FROM ${schema}.definition d
   CROSS JOIN LATERAL jsonb_path_query(d.body::jsonb, 'strict $.** ? (@.kind == "task")', '{}', true) n) task`;

/** Whether the definition `d` has a join that can do without some of its branches, as SQL. */
export const hasLosersText = `jsonb_path_exists(
  d.body::jsonb, 'strict $.** ? (@.kind == "fork" && (@.join == "any" || exists(@.join.atLeast)))', '{}', true)`;
