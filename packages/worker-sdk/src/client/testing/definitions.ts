/** Definitions for tests of acts. Every task calls the handler of its name, once, and is undone by `undo-` of it. */
import type { DefinitionJson } from "@floxy/shared";

type NodeJson = DefinitionJson["nodes"][number];

/** A task. */
export const task = (name: string): NodeJson => ({
  kind: "task",
  name,
  handler: name,
  retry: { maxAttempts: 1 },
  compensation: { handler: `undo-${name}`, retry: { maxAttempts: 1 } },
});

/** A definition of these nodes. */
export const definitionOf = (
  name: string,
  nodes: readonly NodeJson[],
  more: Partial<DefinitionJson> = {},
): DefinitionJson => ({ format: 1, name, version: 1, ...more, nodes });
