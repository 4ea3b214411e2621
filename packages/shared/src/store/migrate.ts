/** The runner of migrations: ordered SQL files, each in one transaction with the row that says it was applied. */
import { FloxyError } from "../vocabulary/error.ts";
import { quote } from "../vocabulary/quote.ts";
import type { DatabaseOptions } from "./database.ts";
import { openDatabase } from "./database.ts";
import type { Database, Executor } from "./executor.ts";
import { statement, unquoteIdentifier } from "./executor.ts";
import type { Migration } from "./migration-file.ts";
import { migrationSql, readMigrations } from "./migration-file.ts";
import type { MigrationName } from "./migration-status.ts";
import { assertReadable, migrationStatus, nameOf } from "./migration-status.ts";

/** What {@link migrate} did. */
export interface MigrationReport {
  /** The version the database has now. */
  readonly version: number;
  /** What was applied by this call, in order; empty when there was nothing to do. */
  readonly applied: readonly MigrationName[];
}

/** The options of {@link migrate}: of the database those that matter for one connection. */
export interface MigrateOptions
  extends Pick<DatabaseOptions, "connectionString" | "schema" | "applicationName" | "connectionTimeoutMs" | "onError"> {
  /** The folder of the migrations, if not our own; for tests. */
  readonly directory?: URL | undefined;
}

/**
 * Brings the schema to the version of this code, and creates it if it is missing. Any number of processes may call this
 * at once: one applies, the others wait and find nothing to do. A schema that newer code has already migrated is left as
 * it is, unless that broke this code.
 *
 * Throws `MIGRATION_FAILED` naming the file, `SCHEMA_OUTDATED` when the database is ahead of this code by a breaking
 * migration, `DATABASE_UNAVAILABLE`. What was applied before a failure stays applied.
 */
export const migrate = async (options: MigrateOptions): Promise<MigrationReport> => {
  // No prepared statements, because a file is many statements; no timeout, because an index may take an hour.
  const db = openDatabase({ ...options, prepare: false, maxConnections: 1, queryTimeoutMs: 0 });
  try {
    const files = await readMigrations(options.directory);
    const before = await migrationStatus(db, files);
    assertReadable(before.newer);
    assertUnchanged(before.changed);
    const applied: MigrationName[] = [];
    for (const migration of files.filter((file) => before.pending.some((one) => one.version === file.version))) {
      if (await apply(db, migration, files)) applied.push(nameOf(migration));
    }
    const { version } = await migrationStatus(db, files);
    return { version, applied };
  } finally {
    await db.close();
  }
};

/** Applies one migration unless another process has done it meanwhile; says whether it did. */
const apply = (db: Database, migration: Migration, files: readonly Migration[]): Promise<boolean> =>
  db.transaction(async (tx) => {
    // Held until the transaction ends, which also holds through pgbouncer. Whoever waited sees what the other committed.
    await tx.query(lockStatement, [`floxy:migrate:${tx.schema}`]);
    const { pending, newer, changed } = await migrationStatus(tx, files);
    assertReadable(newer);
    assertUnchanged(changed);
    if (!pending.some(({ version }) => version === migration.version)) return false;
    await prepareSchema(tx);
    const sql = migrationSql(migration, tx.schema);
    await tx.query(statement("migrate_apply", () => sql)).catch((error: unknown) => {
      throw failed(migration, sql, error);
    });
    await tx.query(recordStatement, [migration.version, migration.name, migration.checksum, migration.breaking]);
    return true;
  });

// Not CREATE SCHEMA IF NOT EXISTS: that asks for the right to create schemas even when the schema is there already, and
// whoever runs us may own only the schema that was made for him.
const prepareSchema = async (tx: Executor): Promise<void> => {
  const [schema] = await tx.query<{ found: number }>(schemaStatement, [unquoteIdentifier(tx.schema)]);
  if (schema?.found === 0) await tx.query(createStatement);
  await tx.query(tableStatement);
};

const assertUnchanged = ([file]: readonly string[]): void => {
  if (file === undefined) return;
  const help = "restore the file, and put the change into a new migration";
  throw new FloxyError("MIGRATION_FAILED", `${file} was changed after it had been applied; ${help}`, {
    data: { file },
  });
};

/** The error of a file that failed, with the line if the server said where. Lost connections stay what they are. */
const failed = (migration: Migration, sql: string, error: unknown): unknown => {
  if (error instanceof FloxyError && error.code === "DATABASE_UNAVAILABLE") return error;
  const cause = error instanceof FloxyError && error.cause instanceof Error ? error.cause : error;
  const { position } = cause as { position?: unknown };
  // Counted in characters from 1, of the text that was sent; what is filled in for names contains no line ends.
  const line =
    typeof position === "string" ? [...sql].slice(0, Number(position) - 1).filter(isLineEnd).length + 1 : null;
  const where = line === null ? migration.file : `${migration.file}, line ${line}`;
  const said = cause instanceof Error ? cause.message : String(cause);
  return new FloxyError("MIGRATION_FAILED", `${where}: ${quote(said, 500)}; the migration was rolled back`, {
    cause,
    data: { file: migration.file, ...(line !== null && { line }) },
  });
};

const isLineEnd = (character: string): boolean => character === "\n";

const lockStatement = statement("migrate_lock", () => `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`);

const schemaStatement = statement(
  "migration_schema",
  () => `SELECT count(*)::int AS found FROM pg_namespace WHERE nspname = $1`,
);

const createStatement = statement("migration_create_schema", (schema) => `CREATE SCHEMA ${schema}`);

const tableStatement = statement(
  "migration_table",
  (schema) => `
CREATE TABLE IF NOT EXISTS ${schema}.migration (
  version    integer PRIMARY KEY,
  name       text NOT NULL,
  checksum   text NOT NULL,
  breaking   boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`,
);

const recordStatement = statement(
  "migration_record",
  (schema) => `INSERT INTO ${schema}.migration (version, name, checksum, breaking) VALUES ($1, $2, $3, $4)`,
);
