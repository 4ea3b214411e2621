/**
 * What must be true of a run, worked out from the definition's JSON and the outputs of the handlers alone. Shares no code
 * with the core: that is what it is for.
 */
import type { DefinitionJson, NodeJson } from "../../definition/model.ts";
import type { Json } from "../../vocabulary/json.ts";
import type { Rule, Sample } from "./random-definition.ts";

/** What is foretold of a node that the flow reaches. */
export interface Foretold {
  /** The value that is passed to it. */
  readonly passed: Json;
  /** The value it passes on; `undefined` if the flow has not come through it. */
  readonly value: Json | undefined;
  /** The side that a condition takes; `null` if its expression fails. */
  readonly side: "then" | "else" | null;
}

/** Foretells every node that the flow reaches, given what the tasks that completed have answered. */
export const foretell = (
  { definition, input, rules }: Sample,
  outputs: ReadonlyMap<string, Json>,
): { readonly nodes: ReadonlyMap<string, Foretold>; readonly output: Json | undefined } => {
  const nodes = new Map<string, Foretold>();

  const through = (list: readonly NodeJson[], passed: Json): Json | undefined => {
    let value: Json | undefined = passed;
    for (const node of list) {
      if (value === undefined) return undefined;
      value = over(node, value);
    }
    return value;
  };

  const over = (node: NodeJson, passed: Json): Json | undefined => {
    const side = node.kind === "condition" ? sideOf(rules.get(node.name), node.name, passed) : null;
    const value = valueFrom(node, side, passed);
    nodes.set(node.name, { passed, value, side });
    return value;
  };

  const valueFrom = (node: NodeJson, side: Foretold["side"], passed: Json): Json | undefined => {
    switch (node.kind) {
      case "task":
        return outputs.get(node.name);
      case "savepoint":
        return passed;
      case "condition":
        return side === null ? undefined : through(node[side], passed);
      case "fork": {
        const values = node.branches.map(({ name, nodes: list }) => [name, through(list, passed)] as const);
        const arrived = values.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
        return arrived.length < values.length ? undefined : Object.fromEntries(arrived);
      }
    }
  };

  const sideOf = (rule: Rule | undefined, name: string, passed: Json): Foretold["side"] => {
    if (rule === undefined || rule.by === "never") return null;
    if (rule.by === "input") return isTrue(memberOf(memberOf(input, "sides"), name));
    return isTrue(memberOf(rule.by === "step" ? nodes.get(rule.step)?.value : passed, "ok"));
  };

  return { nodes, output: through(definition.nodes, input) };
};

const isTrue = (value: unknown) => (value === true ? "then" : "else");

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/** Where a node stands: its place in the outermost sequence, then in the sequence in that node, and so on. */
type Trail = readonly { readonly sequence: string; readonly index: number }[];

/** Causal order: whether a node, if it runs, runs after another is over. */
export interface Order {
  isAfter(later: string, earlier: string): boolean;
  /** Every node, in document order. */
  readonly nodes: ReadonlyMap<string, NodeJson>;
}

/** Works out the causal order of a definition. */
export const orderOf = (definition: DefinitionJson): Order => {
  const nodes = new Map<string, NodeJson>();
  const trails = new Map<string, Trail>();
  const visit = (list: readonly NodeJson[], sequence: string, around: Trail): void => {
    for (const [index, node] of list.entries()) {
      const trail = [...around, { sequence, index }];
      nodes.set(node.name, node);
      trails.set(node.name, trail);
      if (node.kind === "fork")
        for (const { name, nodes: inner } of node.branches) visit(inner, `${node.name}/${name}`, trail);
      if (node.kind === "condition") visit(node.then, `${node.name}/then`, trail);
      if (node.kind === "condition") visit(node.else, `${node.name}/else`, trail);
    }
  };
  visit(definition.nodes, "", []);

  const isAfter = (later: string, earlier: string): boolean => {
    const [a = [], b = []] = [trails.get(later), trails.get(earlier)];
    const parting = a.findIndex(
      ({ sequence, index }, level) => b[level]?.sequence !== sequence || b[level].index !== index,
    );
    const [one, other] = [a[parting], b[parting]];
    return one !== undefined && one.sequence === other?.sequence && one.index > other.index;
  };
  return { isAfter, nodes };
};
