/** How a database stands to the migrations of this code: what is missing, what is newer, what was changed. */
import { FloxyError } from "../vocabulary/error.ts";
import type { Executor } from "./executor.ts";
import { statement, unquoteIdentifier } from "./executor.ts";
import type { Migration } from "./migration-file.ts";
import { migrationSql, readMigrations } from "./migration-file.ts";

/** A migration by name, as reports tell of it. */
export type MigrationName = Pick<Migration, "version" | "name" | "breaking">;

/** How a database stands to the migrations of this code. */
export interface MigrationStatus {
  /** The highest version applied; 0 for none. */
  readonly version: number;
  /** Migrations of this code that the database lacks. */
  readonly pending: readonly MigrationName[];
  /** Migrations of the database that this code does not know: newer code was here. */
  readonly newer: readonly MigrationName[];
  /** Files that were changed after they had been applied. */
  readonly changed: readonly string[];
}

/** A migration that would run, with its SQL as it would be sent. */
export interface PlannedMigration extends MigrationName {
  readonly sql: string;
}

/** Compares a database with the migrations of this code. Changes nothing; the schema may be missing. */
export const migrationStatus = async (db: Executor, migrations?: readonly Migration[]): Promise<MigrationStatus> => {
  const files = migrations ?? (await readMigrations());
  const rows = await appliedRows(db);
  const known = new Set(files.map((file) => file.version));
  const checksums = new Map(rows.map((row) => [row.version, row.checksum]));
  return {
    version: Math.max(0, ...checksums.keys()),
    pending: files.filter((file) => !checksums.has(file.version)).map(nameOf),
    newer: rows.filter((row) => !known.has(row.version)).map(nameOf),
    changed: files
      .filter((file) => (checksums.get(file.version) ?? file.checksum) !== file.checksum)
      .map((f) => f.file),
  };
};

/** Throws `SCHEMA_OUTDATED` unless this code can work with the database: nothing pending, nothing newer that breaks it. */
export const assertMigrated = async (db: Executor): Promise<void> => {
  const status = await migrationStatus(db);
  assertReadable(status.newer);
  if (status.pending.length === 0) return;
  const names = status.pending.map(label).join(", ");
  throw new FloxyError("SCHEMA_OUTDATED", `schema ${db.schema} lacks ${names}; run the migrations of this version`);
};

/** What {@link migrate} would run on this database, as SQL that a person can read or apply. */
export const planMigrations = async (db: Executor): Promise<PlannedMigration[]> => {
  const pending = new Set((await migrationStatus(db)).pending.map((migration) => migration.version));
  const files = (await readMigrations()).filter((migration) => pending.has(migration.version));
  return files.map((migration) => ({ ...nameOf(migration), sql: migrationSql(migration, db.schema) }));
};

/** Throws `SCHEMA_OUTDATED` if one of these migrations, which newer code applied, broke this code. */
export const assertReadable = (newer: readonly MigrationName[]): void => {
  const breaking = newer.filter((migration) => migration.breaking);
  if (breaking.length === 0) return;
  const names = breaking.map(label).join(", ");
  throw new FloxyError(
    "SCHEMA_OUTDATED",
    `the database was migrated by newer code with ${names}; upgrade this program`,
  );
};

/** What a report tells of a migration. */
export const nameOf = ({ version, name, breaking }: MigrationName): MigrationName => ({ version, name, breaking });

const label = ({ version, name }: MigrationName): string => `${String(version).padStart(4, "0")}-${name}`;

interface AppliedRow extends MigrationName {
  readonly checksum: string;
}

const appliedRows = async (db: Executor): Promise<AppliedRow[]> => {
  // Asked first, because selecting from a table that is missing would abort the transaction.
  const [table] = await db.query<{ found: number }>(existsStatement, [unquoteIdentifier(db.schema)]);
  return table?.found === 1 ? db.query<AppliedRow>(appliedStatement) : [];
};

// Reads the catalog as tables. to_regclass() would answer from this connection's cache, which an advisory lock does not
// freshen: whoever waited for another migration to end would still not see its tables.
const existsStatement = statement(
  "migration_exists",
  () => `
SELECT count(*)::int AS found FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = 'migration'`,
);

const appliedStatement = statement(
  "migration_applied",
  (schema) => `SELECT version, name, checksum, breaking FROM ${schema}.migration ORDER BY version`,
);
