/** Registered definitions as people look at them: with their age, their state, and what runs of them. */
import type { InstanceStatus } from "../vocabulary/status.ts";
import type { Executor, Statement } from "./executor.ts";
import { statement, verb } from "./executor.ts";

/** A registered version of a definition. */
export interface ListedDefinition {
  readonly name: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly createdAt: Date;
  /** `null` unless it was deprecated: then nothing starts with it unless it is asked for by number. */
  readonly deprecatedAt: Date | null;
  /** Whether the definition is paused, all its versions together. */
  readonly paused: boolean;
  /** How many instances of this version have not ended, by status; a status of none is left out. */
  readonly instances: Readonly<Partial<Record<InstanceStatus, number>>>;
}

/** Lists definitions by name, the newest version first; of one name, or of all. */
export const listDefinitions = verb(
  "listDefinitions",
  (db: Executor, name: string | null): Promise<ListedDefinition[]> => db.query<ListedDefinition>(listStatement, [name]),
);

/** A definition with its content. */
export interface DefinitionDetails extends ListedDefinition {
  /** JSON text of the stored form. */
  readonly body: string;
}

/** Reads a definition: the given version, or the highest that is not deprecated. */
export const findDefinition = verb(
  "findDefinition",
  async (db: Executor, name: string, version: number | null): Promise<DefinitionDetails | undefined> => {
    const [row] = await db.query<DefinitionDetails>(findStatement, [name, version]);
    return row;
  },
);

// What has not ended is counted by its own partial index, so history costs nothing.
const columnsText = (schema: string): string => `
  d.name, d.version, d.fingerprint, d.created_at AS "createdAt", d.deprecated_at AS "deprecatedAt",
  EXISTS (SELECT FROM ${schema}.pause p WHERE p.definition_name = d.name) AS paused,
  coalesce((
    SELECT jsonb_object_agg(status, count) FROM (
      SELECT i.status, count(*)::int AS count FROM ${schema}.instance i
      WHERE i.finished_at IS NULL AND i.definition_name = d.name AND i.definition_version = d.version
      GROUP BY i.status) c), '{}') AS instances`;

const listStatement: Statement = statement(
  "list_definitions",
  (schema) => `
SELECT ${columnsText(schema)} FROM ${schema}.definition d
WHERE $1::text IS NULL OR d.name = $1
ORDER BY d.name, d.version DESC`,
);

const findStatement: Statement = statement(
  "find_definition",
  (schema) => `
SELECT ${columnsText(schema)}, d.body::text AS body FROM ${schema}.definition d
WHERE d.name = $1 AND ($2::int IS NULL AND d.deprecated_at IS NULL OR d.version = $2)
ORDER BY d.version DESC LIMIT 1`,
);
