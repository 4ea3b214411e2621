/** Nodes in short, for the tests of definitions. */
import type { Mapping, NodeJson } from "../model.ts";

/** A task that calls handler `handle`. */
export const task = (name: string, more: object = {}): NodeJson => ({ kind: "task", name, handler: "handle", ...more });
/** A task whose input refers to these steps. */
export const sees = (name: string, ...steps: string[]): NodeJson =>
  task(name, { input: steps.map((step): Mapping => ({ $: `steps["${step}"]` })) });
/** A fork with these branches. */
export const fork = (name: string, branches: Record<string, readonly NodeJson[]>): NodeJson => ({
  kind: "fork",
  name,
  branches: Object.entries(branches).map(([branch, nodes]) => ({ name: branch, nodes })),
});
/** A condition with these sides. */
export const condition = (
  name: string,
  whenTrue: readonly NodeJson[],
  whenFalse: readonly NodeJson[] = [],
  when = "true",
): NodeJson => {
  return { kind: "condition", name, when, then: whenTrue, else: whenFalse };
};
/** A savepoint. */
export const savepoint = (name: string): NodeJson => ({ kind: "savepoint", name });
