/** The definitions a process knows, made walkable. A registered definition never changes, so it is read once. */
import { fingerprint } from "../definition/fingerprint.ts";
import type { Graph } from "../definition/graph.ts";
import { buildGraph } from "../definition/graph.ts";
import { versionLimit } from "../definition/limit.ts";
import type { DefinitionJson } from "../definition/model.ts";
import { parseDefinition } from "../definition/validate.ts";
import { findVersion, getDefinition, insertDefinition } from "../store/definition.ts";
import type { Executor } from "../store/executor.ts";
import { FloxyError } from "../vocabulary/error.ts";
import { assertName } from "../vocabulary/name.ts";

/** The graphs of registered definitions, by name and version. One for each process and database. */
export interface GraphCache {
  /** The graph of a definition; version `null` means the highest that is not deprecated. */
  get(db: Executor, name: string, version: number | null): Promise<Graph>;
}

/** How many definitions a process keeps; the one not used for longest goes first. */
const cacheLimit = 1_000;

/** Makes an empty cache. */
export const createGraphCache = (): GraphCache => {
  const graphs = new Map<string, Promise<Graph>>();
  return {
    async get(db, name, version) {
      const exact = version ?? (await latestVersion(db, name));
      const key = `${name} ${exact}`;
      // What is being loaded is shared too, so that a burst of first uses reads the definition once.
      const known = graphs.get(key);
      const graph = known ?? loadGraph(db, name, exact);
      graphs.delete(key);
      graphs.set(key, graph);
      if (graphs.size > cacheLimit) graphs.delete(graphs.keys().next().value as string);
      return graph.catch((error: unknown) => {
        if (graphs.get(key) === graph) graphs.delete(key);
        // The load that failed was another's, perhaps on a connection that broke or before the definition was registered.
        if (known !== undefined) return loadGraph(db, name, exact);
        throw error;
      });
    },
  };
};

/** The highest registered version that is not deprecated. Throws `DEFINITION_NOT_FOUND`. */
export const latestVersion = async (db: Executor, name: string): Promise<number> => {
  assertName("definition", name);
  const version = await findVersion(db, name);
  if (version !== undefined) return version;
  throw new FloxyError(
    "DEFINITION_NOT_FOUND",
    `No definition '${name}' is registered, or all its versions are deprecated. Register it first: client.register(workflow).`,
    { data: { name } },
  );
};

const loadGraph = async (db: Executor, name: string, version: number): Promise<Graph> => {
  assertName("definition", name);
  assertVersion(version);
  const row = await getDefinition(db, name, version);
  if (row !== undefined) return buildGraph(JSON.parse(row.body) as DefinitionJson);
  throw new FloxyError(
    "DEFINITION_NOT_FOUND",
    `Definition '${name}' version ${version} is not registered. Register it first: client.register(workflow).`,
    { data: { name, version } },
  );
};

/** Throws `OPTION_INVALID` for a number that is no version. */
export const assertVersion = (version: number): void => {
  if (Number.isInteger(version) && version >= 1 && version <= versionLimit) return;
  throw new FloxyError(
    "OPTION_INVALID",
    `The version must be an integer from 1 to ${versionLimit}, not ${String(version)}.`,
  );
};

/**
 * Registers a definition. The same name, version and content again is a no-op; other content is `DEFINITION_CONFLICT`
 * and changes nothing. Throws `DEFINITION_INVALID` with all problems when it is not valid.
 */
export const registerDefinition = async (db: Executor, value: unknown): Promise<DefinitionJson> => {
  const definition = parseDefinition(value);
  const { name, version } = definition;
  const print = fingerprint(definition);
  const standing = await insertDefinition(db, { name, version, fingerprint: print, body: JSON.stringify(definition) });
  if (standing === print) return definition;
  throw new FloxyError(
    "DEFINITION_CONFLICT",
    `Definition '${name}' version ${version} is registered with other content. A registered version never changes: ` +
      `give this one version ${version + 1} or higher.`,
    { data: { name, version, registered: standing, given: print } },
  );
};
