/** A failed run, told so that a person can follow it: what is wrong, how to see it again, and what happened. */
import type { NodeJson } from "@floxy/shared";
import type { Failure } from "./shrink.ts";

/** The line that replays a seed. */
export const replayLine = (seed: number): string => `FLOXY_SEED=${seed} npm test -- test/simulation`;

/** Tells of a failure, after it was made smaller. */
export const report = ({ result: { simulation, error } }: Failure): string => {
  const definitions = new Map(
    [...simulation.accounts.values()].map(({ order }) => [order.definition.name, order.definition]),
  );
  return [
    error instanceof Error
      ? error.name === "Violation"
        ? error.message
        : (error.stack ?? error.message)
      : String(error),
    ...[...definitions.values()].flatMap(({ nodes, format: _, version: __, name, ...options }) => [
      `definition ${name} ${JSON.stringify(options)}`,
      ...outline(nodes, "  "),
    ]),
    ...[...simulation.accounts.values()].map(
      ({ instanceId, told }) => `input of ${instanceId}: ${JSON.stringify(told.input)}`,
    ),
    ...simulation.story.map((line) => `  ${line}`),
  ].join("\n");
};

const outline = (nodes: readonly NodeJson[], indent: string): string[] =>
  nodes.flatMap((node) => {
    const inner = `${indent}    `;
    if (node.kind === "fork") {
      const { kind, name, branches, ...options } = node;
      const inside = branches.flatMap((branch) => [`${indent}  ${branch.name}:`, ...outline(branch.nodes, inner)]);
      return [`${indent}${kind} ${name} ${JSON.stringify(options)}`, ...inside];
    }
    if (node.kind === "condition") {
      const head = `${indent}condition ${node.name} ${node.when}`;
      return [head, `${indent}  then:`, ...outline(node.then, inner), `${indent}  else:`, ...outline(node.else, inner)];
    }
    const { kind, name, ...options } = node;
    return [`${indent}${kind} ${name} ${JSON.stringify(options)}`];
  });
