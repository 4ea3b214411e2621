/** Looking at the definitions that are registered. */
import type { DefinitionDetails, DefinitionDiff, DefinitionJson, Executor, ListedDefinition } from "@floxy/shared";
import { assertName, diffDefinitions, FloxyError, findDefinition, listDefinitions } from "@floxy/shared";
import { assertOptions, invalid } from "./act-options.ts";

/** Which definitions to list. */
export interface DefinitionsOptions {
  /** All versions of this name; by default of all names. */
  readonly name?: string | undefined;
}

/** A registered version of a definition with its content. */
export interface RegisteredDefinition extends ListedDefinition {
  readonly definition: DefinitionJson;
}

/** Lists definitions, by name and the newest version first. Throws `NAME_INVALID`, `OPTION_INVALID`. */
export const readDefinitions = async (
  db: Executor,
  options: DefinitionsOptions,
): Promise<readonly ListedDefinition[]> => {
  assertOptions("definitions", options);
  const { name } = options;
  if (name !== undefined) assertName("definition", name);
  return listDefinitions(db, name ?? null);
};

/** Reads a definition. Throws `DEFINITION_NOT_FOUND`, `NAME_INVALID`, `OPTION_INVALID`. */
export const readDefinition = async (
  db: Executor,
  name: string,
  version: number | undefined,
): Promise<RegisteredDefinition> => {
  assertName("definition", name);
  if (version !== undefined && !(Number.isInteger(version) && version >= 1 && version <= 2_147_483_647)) {
    throw invalid(`The version must be an integer from 1, not ${String(version)}.`);
  }
  const row = await findDefinition(db, name, version ?? null);
  if (row !== undefined) return detailsOf(row);
  const what = version === undefined ? "that is not deprecated" : String(version);
  const message = `Definition '${name}' has no registered version ${what}.`;
  throw new FloxyError("DEFINITION_NOT_FOUND", message, { data: { name, version: version ?? null } });
};

const detailsOf = ({ body, ...row }: DefinitionDetails): RegisteredDefinition => ({
  ...row,
  definition: JSON.parse(body) as DefinitionJson,
});

/** Compares two versions of a definition. Throws as {@link readDefinition}. */
export const compareDefinitions = async (
  db: Executor,
  name: string,
  before: number,
  after: number,
): Promise<DefinitionDiff> => {
  const [old, now] = await Promise.all([readDefinition(db, name, before), readDefinition(db, name, after)]);
  return diffDefinitions(old.definition, now.definition);
};
