/** Nodes in short, for the tests of definitions. */
import type { EndJson, Mapping, NodeJson } from "../model.ts";

/** A task that calls handler `handle`. */
export const task = (name: string, more: object = {}): NodeJson => ({ kind: "task", name, handler: "handle", ...more });
/** A task whose input refers to these steps. */
export const sees = (name: string, ...steps: string[]): NodeJson =>
  task(name, { input: steps.map((step): Mapping => ({ $: `steps["${step}"]` })) });
/** A fork with these branches. */
export const fork = (name: string, branches: Record<string, readonly NodeJson[]>, more: object = {}): NodeJson => ({
  kind: "fork",
  name,
  branches: Object.entries(branches).map(([branch, nodes]) => ({ name: branch, nodes })),
  ...more,
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
export const savepoint = (name: string, more: object = {}): NodeJson => ({ kind: "savepoint", name, ...more });
/** A decision. */
export const human = (name: string, more: object = {}): NodeJson => ({ kind: "human", name, ...more });
/** A sleep of a second, or as said. */
export const sleep = (name: string, more: object = { durationMs: 1_000 }): NodeJson => ({
  kind: "sleep",
  name,
  ...more,
});
/** A signal. */
export const signal = (name: string, more: object = {}): NodeJson => ({ kind: "signal", name, ...more });
/** An early end. */
export const end = (name: string, how: EndJson["how"] = "complete", more: object = {}): NodeJson => {
  return { kind: "end", name, how, ...more };
};
/** A definition of these nodes, which may be no such thing. */
export const definitionOf = (nodes: readonly unknown[], more: object = {}): unknown => ({
  format: 1,
  name: "order",
  version: 1,
  nodes,
  ...more,
});
