/** Definitions in memory. */
import type { DefinitionRow } from "../store/definition.ts";
import type { DefinitionDetails, ListedDefinition } from "../store/definition-list.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import type { StoredDefinition } from "./rows.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { dateOf, jsonText, only } from "./tables.ts";

/** See {@link import("../store/definition.ts").insertDefinition}. */
export const insertDefinition = (tables: Tables, row: DefinitionRow): string => {
  const { name, version, fingerprint, body } = row;
  const standing = tables.definition.get(name, version);
  if (standing !== undefined) return standing.fingerprint;
  const createdAt = tables.clock.transaction.now;
  tables.definition.insert({ name, version, fingerprint, body: jsonText(body), createdAt, deprecatedAt: null });
  return fingerprint;
};

/** See {@link import("../store/definition.ts").getDefinition}. */
export const getDefinition = (tables: Tables, name: string, version: number | null): DefinitionRow | undefined => {
  const row = version === null ? newest(tables, name) : tables.definition.get(name, version);
  if (row === undefined) return undefined;
  const { fingerprint, body } = row;
  return { name, version: row.version, fingerprint, body };
};

/** See {@link import("../store/definition.ts").findVersion}. */
export const findVersion = (tables: Tables, name: string): number | undefined => newest(tables, name)?.version;

/** See {@link import("../store/definition.ts").hasDefinition}. */
export const hasDefinition = (tables: Tables, name: string): boolean => tables.definition.of(name).length > 0;

const newest = (tables: Tables, name: string): StoredDefinition | undefined =>
  tables.definition
    .of(name)
    .filter(({ deprecatedAt }) => deprecatedAt === null)
    .sort((a, b) => b.version - a.version)[0];

/** See {@link import("../store/operator.ts").updateDeprecated}. */
export const updateDeprecated = (
  tables: Tables,
  { name, version, deprecated }: { readonly name: string; readonly version: number; readonly deprecated: boolean },
): { readonly before: boolean } | undefined => {
  const row = tables.definition.get(name, version);
  if (row === undefined) return undefined;
  tables.definition.put({ ...row, deprecatedAt: deprecated ? (row.deprecatedAt ?? tables.clock.now) : null });
  return { before: row.deprecatedAt !== null };
};

/** See {@link import("../store/definition-list.ts").listDefinitions}. */
export const listDefinitions = (tables: Tables, name: string | null): ListedDefinition[] =>
  (name === null ? tables.definition.all() : tables.definition.of(name))
    .sort((a, b) => compare(a.name, b.name) || compare(b.version, a.version))
    .map((row) => listed(tables, row));

/** See {@link import("../store/definition-list.ts").findDefinition}. */
export const findDefinition = (tables: Tables, name: string, version: number | null): DefinitionDetails | undefined => {
  const row = version === null ? newest(tables, name) : tables.definition.get(name, version);
  return row && { ...listed(tables, row), body: row.body };
};

const listed = (tables: Tables, row: StoredDefinition): ListedDefinition => {
  const { name, version, fingerprint } = row;
  const instances: Partial<Record<InstanceStatus, number>> = {};
  for (const { definitionName, definitionVersion, status, finishedAt } of tables.instance.all()) {
    if (finishedAt !== null || definitionName !== name || definitionVersion !== version) continue;
    instances[status] = (instances[status] ?? 0) + 1;
  }
  const paused = tables.pause.get(name, only) !== undefined;
  const times = { createdAt: new Date(row.createdAt), deprecatedAt: dateOf(row.deprecatedAt) };
  return { name, version, fingerprint, ...times, paused, instances };
};
