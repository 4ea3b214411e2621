/** Short forms for definitions in tests. */
import type { Graph } from "../../definition/graph.ts";
import { buildGraph } from "../../definition/graph.ts";
import type {
  ConditionJson,
  DefinitionJson,
  ForkJson,
  NodeJson,
  SavepointJson,
  TaskJson,
} from "../../definition/model.ts";

/** A task whose handler has its own name. */
export const task = (name: string, options: Partial<TaskJson> = {}): TaskJson => ({
  kind: "task",
  name,
  handler: name,
  retry: { maxAttempts: 1 },
  ...options,
});

/** A task that can be undone. */
export const undoable = (name: string, options: Partial<TaskJson> = {}): TaskJson =>
  task(name, { compensation: { handler: `undo-${name}`, retry: { maxAttempts: 1 } }, ...options });

/** A fork with these branches. */
export const fork = (name: string, branches: Readonly<Record<string, readonly NodeJson[]>>): ForkJson => ({
  kind: "fork",
  name,
  branches: Object.entries(branches).map(([branch, nodes]) => ({ name: branch, nodes })),
});

/** A condition. */
export const condition = (
  name: string,
  when: string,
  then: readonly NodeJson[],
  otherwise: readonly NodeJson[] = [],
): ConditionJson => ({ kind: "condition", name, when, then, else: otherwise });

/** A savepoint. */
export const savepoint = (name: string): SavepointJson => ({ kind: "savepoint", name });

/** A definition of these nodes. */
const define = (...nodes: readonly NodeJson[]): DefinitionJson => ({
  format: 1,
  name: "test",
  version: 1,
  nodes,
});

/** The graph of a definition of these nodes. */
export const graphOf = (...nodes: readonly NodeJson[]): Graph => buildGraph(define(...nodes));
