/** Definitions in memory. */
import type { DefinitionRow } from "../store/definition.ts";
import type { StoredDefinition } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { jsonText } from "./tables.ts";

/** See {@link import("../store/definition.ts").insertDefinition}. */
export const insertDefinition = (tables: Tables, row: DefinitionRow): string => {
  const { name, version, fingerprint, body } = row;
  const standing = tables.definition.get(name, version);
  if (standing !== undefined) return standing.fingerprint;
  tables.definition.insert({ name, version, fingerprint, body: jsonText(body), deprecatedAt: null });
  return fingerprint;
};

/** See {@link import("../store/definition.ts").getDefinition}. */
export const getDefinition = (tables: Tables, name: string, version: number | null): DefinitionRow | undefined => {
  const row = version === null ? newest(tables, name) : tables.definition.get(name, version);
  if (row === undefined) return undefined;
  const { deprecatedAt: _, ...definition } = row;
  return definition;
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
