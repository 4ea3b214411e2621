/**
 * The nodes of something that should be a definition and may not be one. Rules about names and order look at this, so
 * that they still say what they find when some field somewhere has the wrong type.
 */
import type { Problem } from "../vocabulary/error.ts";
import { nestingLimit, nodeCountLimit } from "../vocabulary/limit.ts";
import { at } from "../vocabulary/path.ts";
import type { NodeJson } from "./model.ts";

/** An object of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>;

/** A node as far as it can be recognized. */
export interface OutlineNode {
  readonly path: string;
  readonly kind: NodeJson["kind"];
  /** `null` when it has none. */
  readonly name: string | null;
  readonly fields: Fields;
  readonly sequences: readonly OutlineSequence[];
  /** Where it stands. */
  readonly place: OutlineSequence;
  readonly index: number;
}

/** A sequence of nodes: all of the definition, a branch or a side. */
export interface OutlineSequence {
  readonly path: string;
  /** The fork or condition that it belongs to. */
  readonly owner: OutlineNode | null;
  /** The branch's name, or `then` or `else`; empty for the outermost. */
  readonly key: string;
  readonly nodes: readonly OutlineNode[];
}

/** What {@link outlineOf} finds. */
export interface Outline {
  readonly root: OutlineSequence;
  /** All nodes, in document order. */
  readonly nodes: readonly OutlineNode[];
  /** That there are too many nodes, or that they are nested too deeply; what is beyond is not in the outline. */
  readonly problems: readonly Problem[];
}

/** Recognizes nodes. */
export const outlineOf = (definition: Fields): Outline => {
  const nodes: OutlineNode[] = [];
  const problems: Problem[] = [];

  const sequenceOf = (list: unknown, path: string, owner: OutlineNode | null, key: string, depth: number) => {
    const found: OutlineNode[] = [];
    const sequence: OutlineSequence = { path, owner, key, nodes: found };
    if (depth > nestingLimit) {
      if (listOf(list).length === 0) return sequence;
      const message = `forks and conditions are nested deeper than ${nestingLimit} levels; use several definitions`;
      problems.push({ path, code: "too_deep", message });
      return sequence;
    }
    for (const [index, one] of listOf(list).entries()) {
      const fields = fieldsOf(one);
      const kind = fields?.kind;
      if (fields === null || !isKind(kind) || nodes.length >= nodeCountLimit) {
        if (nodes.length >= nodeCountLimit) tooMany();
        continue;
      }
      const sequences: OutlineSequence[] = [];
      const name = typeof fields.name === "string" ? fields.name : null;
      const node: OutlineNode = { path: at(path, index), kind, name, fields, sequences, place: sequence, index };
      found.push(node);
      nodes.push(node);
      for (const [inner, innerPath, innerKey] of sequencesOf(node)) {
        sequences.push(sequenceOf(inner, innerPath, node, innerKey, depth + 1));
      }
    }
    return sequence;
  };

  const tooMany = (): void => {
    if (problems.some(({ code }) => code === "too_many_nodes")) return;
    const message = `there are more than ${nodeCountLimit} nodes; use several definitions`;
    problems.push({ path: "nodes", code: "too_many_nodes", message });
  };

  const root = sequenceOf(definition.nodes, "nodes", null, "", 0);
  return { root, nodes, problems };
};

/** The nodes by name; the first of those that share one. */
export const namesOf = ({ nodes }: Outline): ReadonlyMap<string, OutlineNode> => {
  const known = new Map<string, OutlineNode>();
  for (const node of nodes) if (node.name !== null && !known.has(node.name)) known.set(node.name, node);
  return known;
};

/** The value as an object, or `null`. */
export const fieldsOf = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;

/** The value as a list; empty when it is none. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** All kinds of nodes, in the order in which a message lists them. */
export const nodeKinds = [
  "task",
  "fork",
  "condition",
  "savepoint",
  "human",
  "sleep",
  "signal",
  "end",
] as const satisfies NodeJson["kind"][];

const isKind = (value: unknown): value is NodeJson["kind"] =>
  typeof value === "string" && (nodeKinds as readonly string[]).includes(value);

const sequencesOf = ({ kind, fields, path }: OutlineNode): readonly (readonly [unknown, string, string])[] => {
  if (kind === "fork") {
    return listOf(fields.branches).map((one, index) => {
      const branch = fieldsOf(one);
      const key = typeof branch?.name === "string" ? branch.name : String(index);
      return [branch?.nodes, `${path}.branches[${index}].nodes`, key] as const;
    });
  }
  if (kind !== "condition") return [];
  return [
    [fields.then, `${path}.then`, "then"],
    [fields.else, `${path}.else`, "else"],
  ];
};
