/** A random run while it is made. */
import type { DefinitionJson, PreparedStart } from "@floxy/shared";
import { buildGraph } from "@floxy/shared";
import type { Tape } from "../simulation/tape.ts";
import type { Pair } from "./pair.ts";

/** What a random run chooses from. */
export interface Run {
  readonly tape: Tape;
  readonly pair: Pair;
  readonly definition: DefinitionJson;
  readonly starts: PreparedStart[];
}

/** The nodes of a definition, at any depth. */
export const nodesOf = (definition: DefinitionJson) =>
  [...buildGraph(definition).nodes.values()].map(({ name, kind }) => ({ name, kind }));
