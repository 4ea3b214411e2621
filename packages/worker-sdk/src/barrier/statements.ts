/** The SQL of the barrier. What it answers is text or int in single words, so that no client makes something else of it. */

/** The statements for one table. */
export interface BarrierStatements {
  /** Gives the transaction its number, and answers it as `xid`. */
  readonly open: string;
  /**
   * Writes the row of an action unless there is one. `$1` key, `$2` name, `$3` number of the transaction. Like all of these
   * it writes nothing when it is not in that transaction.
   */
  readonly act: string;
  /** Writes the row of a compensation: over that of its action, or in its place. Parameters as for {@link act}. */
  readonly compensate: string;
  /** Says why nothing was written. Parameters as for {@link act}. */
  readonly explain: string;
  /** Keeps what the work answered: `$1` key, `$2` name, `$3` its JSON. */
  readonly keep: string;
}

const known = new Map<string, BarrierStatements>();

/** Gives the statements for a table, given as an identifier for SQL. They are built once. */
export const statementsOf = (table: string): BarrierStatements => {
  const found = known.get(table);
  if (found !== undefined) return found;
  const statements = build(table);
  known.set(table, statements);
  return statements;
};

// A statement that runs by itself has a transaction of its own, which has no number yet when the condition is looked at.
const isInside = "pg_current_xact_id_if_assigned() = $3::text::xid8";

const insert = (table: string, state: string): string => `
  INSERT INTO ${table} AS b (effect_key, name, state, written_by)
  SELECT $1::text, $2::text, '${state}', $3::text::xid8 WHERE ${isInside}
  ON CONFLICT (effect_key, name)`;

// An insert waits for a transaction that has written the same key and is not over, and then sees what became of it. In
// READ COMMITTED it goes on with that; in the stricter levels it fails with 40001.
const build = (table: string): BarrierStatements => ({
  open: "SELECT pg_current_xact_id()::text AS xid",
  act: `${insert(table, "applied")} DO NOTHING RETURNING b.state`,
  compensate: `${insert(table, "barred")}
  DO UPDATE SET state = 'undone', result = NULL, written_by = excluded.written_by, changed_at = now()
  WHERE b.state = 'applied' RETURNING b.state`,
  explain: `
  SELECT coalesce(${isInside}, false)::int AS inside, b.state, b.result::text AS result,
    coalesce(b.written_by = $3::text::xid8, false)::int AS own
  FROM (SELECT 1) AS one LEFT JOIN ${table} AS b ON b.effect_key = $1::text AND b.name = $2::text`,
  keep: `UPDATE ${table} SET result = $3::text::json WHERE effect_key = $1::text AND name = $2::text`,
});
