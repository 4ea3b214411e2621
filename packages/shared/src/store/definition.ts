/** Definitions: immutable rows, by name and version. */
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** A registered definition. */
export interface DefinitionRow {
  readonly name: string;
  readonly version: number;
  readonly fingerprint: string;
  /** JSON text of the stored form. */
  readonly body: string;
}

/**
 * Inserts a definition unless its name and version exist; answers the fingerprint that stands there now. Two at once
 * are decided by the primary key: the second waits for the first and sees its row.
 */
export const insertDefinition = verb("insertDefinition", async (db: Executor, row: DefinitionRow): Promise<string> => {
  await db.query(insertStatement, [row.name, row.version, row.fingerprint, row.body]);
  const standing = await getDefinition(db, row.name, row.version);
  if (standing === undefined)
    throw new Error(`definition ${row.name} version ${row.version} vanished while registering`);
  return standing.fingerprint;
});

const insertStatement: Statement = statement(
  "insert_definition",
  (schema) => `
INSERT INTO ${schema}.definition (name, version, fingerprint, body) VALUES ($1, $2, $3, $4::json)
ON CONFLICT (name, version) DO NOTHING`,
);

/** Reads a definition: the given version, or the highest one that is not deprecated. */
export const getDefinition = verb(
  "getDefinition",
  async (db: Executor, name: string, version: number | null): Promise<DefinitionRow | undefined> => {
    const [row] = await db.query<DefinitionRow>(getStatement, [name, version]);
    return row;
  },
);

const getStatement: Statement = statement(
  "get_definition",
  (schema) => `
SELECT name, version, fingerprint, body::text AS body FROM ${schema}.definition
WHERE name = $1 AND ($2::int IS NULL AND deprecated_at IS NULL OR version = $2)
ORDER BY version DESC LIMIT 1`,
);

/** The highest version of a definition that is not deprecated; `undefined` if there is none. */
export const findVersion = verb("findVersion", async (db: Executor, name: string): Promise<number | undefined> => {
  const [row] = await db.query<{ version: number | null }>(versionStatement, [name]);
  return row?.version ?? undefined;
});

const versionStatement: Statement = statement(
  "find_version",
  (schema) => `SELECT max(version) AS version FROM ${schema}.definition WHERE name = $1 AND deprecated_at IS NULL`,
);

/** Whether any version of this name is registered, deprecated or not. */
export const hasDefinition = verb("hasDefinition", async (db: Executor, name: string): Promise<boolean> => {
  const rows = await db.query(hasStatement, [name]);
  return rows.length > 0;
});

const hasStatement: Statement = statement(
  "has_definition",
  (schema) => `SELECT version FROM ${schema}.definition WHERE name = $1 LIMIT 1`,
);
