/** The barrier's table in the service's own database: where it is, how it is made, and how old rows leave it. */
import type { ForeignClient } from "@floxy/shared";
import { FloxyError, quote, quoteIdentifier } from "@floxy/shared";

/** Where the barrier's table is. */
export interface BarrierTable {
  /** A schema that exists; the first one of the connection's `search_path` unless told. */
  readonly schema?: string | undefined;
  /** `floxy_barrier` unless told. */
  readonly table?: string | undefined;
}

/** What {@link pruneBarrier} takes. */
export interface PruneOptions extends BarrierTable {
  /**
   * How long ago a row was written last, in milliseconds; 90 days unless told, and at least one day. Give more than the
   * longest life of your instances, with all the time that they may wait for a person: an effect whose row is gone is taken
   * for one that never was, so its compensation would undo nothing.
   */
  readonly olderThanMs?: number | undefined;
  /** The most rows of one statement; 1,000 unless told. */
  readonly batchSize?: number | undefined;
}

const dayMs = 86_400_000;

/**
 * The SQL that makes the barrier's table, for your own migrations; it does no harm when it is run again. Throws
 * `CONFIGURATION_INVALID` for a name that cannot be used.
 */
export const barrierSchema = (options: BarrierTable = {}): string => {
  const index = quoteIdentifier(`${nameOf(options)}${indexSuffix}`);
  return `CREATE TABLE IF NOT EXISTS ${barrierTable(options)} (
  effect_key text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  state text NOT NULL CHECK (state IN ('applied', 'undone', 'barred')),
  result json,
  written_by xid8 NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (effect_key, name)
);
CREATE INDEX IF NOT EXISTS ${index} ON ${barrierTable(options)} (changed_at);
`;
};

/**
 * Makes the barrier's table if it is not there; a role that may not make tables can call it too once it is. Processes may
 * call it at the same time. Throws `CONFIGURATION_INVALID` for a name that cannot be used.
 */
export const createBarrierTable = async (client: ForeignClient, options: BarrierTable = {}): Promise<void> => {
  // One statement, because not every client sends several; the lock, because IF NOT EXISTS does not hold against another
  // session that makes the same table at the same moment. No name in it has a dollar sign or an apostrophe.
  await client.query(
    `DO $floxy$ BEGIN
PERFORM pg_advisory_xact_lock(hashtextextended('floxy barrier', 0));
IF to_regclass('${barrierTable(options)}') IS NULL THEN
${barrierSchema(options)}
END IF;
END $floxy$`,
    [],
  );
};

/**
 * Deletes rows that nothing will ask for any more, in batches, and answers how many. Call it from time to time with a
 * client that has no transaction open, so that each batch is committed by itself; rows that are in use are passed over.
 * Throws `OPTION_INVALID` for an age or a size that cannot be meant.
 */
export const pruneBarrier = async (client: ForeignClient, options: PruneOptions = {}): Promise<number> => {
  const { olderThanMs = 90 * dayMs, batchSize = 1_000 } = options;
  if (!(Number.isFinite(olderThanMs) && olderThanMs >= dayMs)) {
    throw new FloxyError("OPTION_INVALID", `olderThanMs must be at least one day (${dayMs}), got ${olderThanMs}.`);
  }
  if (!(Number.isSafeInteger(batchSize) && batchSize >= 1)) {
    throw new FloxyError("OPTION_INVALID", `batchSize must be a whole number of at least 1, got ${batchSize}.`);
  }
  const text = pruneText(barrierTable(options));
  let count = 0;
  for (;;) {
    const { rows } = await client.query(text, [String(olderThanMs), String(batchSize)]);
    const deleted = (rows[0] as { readonly count: number }).count;
    count += deleted;
    if (deleted < batchSize) return count;
  }
};

/** The table as an identifier for SQL. Throws `CONFIGURATION_INVALID` for a name that cannot be used. */
export const barrierTable = (options: BarrierTable): string => {
  const table = quoteIdentifier(nameOf(options));
  return options.schema === undefined ? table : `${quoteIdentifier(checked("schema", options.schema, 63))}.${table}`;
};

const indexSuffix = "_changed_at";

const nameOf = ({ table = "floxy_barrier" }: BarrierTable): string =>
  // PostgreSQL cuts names at 63 bytes; cut, the index would have the table's.
  checked("table", table, 63 - indexSuffix.length);

// Quotes would end the literal around a name, a dollar sign could be a parameter or end the block, and `?` and a backslash
// mean something to Knex.
const checked = (what: "schema" | "table", name: string, limitBytes: number): string => {
  if (/^[^'$?\\\p{Cc}]+$/u.test(name) && Buffer.byteLength(name) <= limitBytes) return name;
  const rule = `it must have 1 to ${limitBytes} bytes without control characters and the characters ' $ ? \\`;
  throw new FloxyError("CONFIGURATION_INVALID", `the barrier's ${what} name ${quote(name)} cannot be used; ${rule}`);
};

// A row that a compensation has just locked is not deleted under it.
const pruneText = (table: string): string => `
  WITH old AS (
    SELECT effect_key, name FROM ${table}
    WHERE changed_at < now() - $1::text::float8 * interval '1 millisecond'
    ORDER BY changed_at LIMIT $2::text::bigint FOR UPDATE SKIP LOCKED
  ), deleted AS (
    DELETE FROM ${table} AS b USING old WHERE b.effect_key = old.effect_key AND b.name = old.name RETURNING 1
  )
  SELECT count(*)::int AS count FROM deleted`;
