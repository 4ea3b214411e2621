/**
 * All small definitions: every way to put nodes of a few kinds together, up to symmetry. The branches of a fork are in no
 * order, and of a condition only what stands on the side that it takes makes a difference.
 */
import type { ForkJson, NodeJson } from "@floxy/shared";
import type { Sample } from "../simulation/definition/growth.ts";

/** A kind of node without nodes in it. */
export type Leaf = "task" | "savepoint" | "human" | "signal" | "sleep" | "complete" | "fail";

/** A kind of fork: how it joins, and what becomes of losers. */
export type Join = "all" | "cancel" | "compensate" | "wait";

type Shape =
  | Leaf
  | { readonly join: Join; readonly branches: readonly [Sequence, Sequence] }
  | { readonly side: Sequence };
type Sequence = readonly Shape[];

/** Which shapes to make. */
export interface Alphabet {
  readonly leaves: readonly Leaf[];
  readonly joins: readonly Join[];
  readonly conditions: boolean;
}

interface Place {
  readonly inBranch: boolean;
  readonly isOutermost: boolean;
}

/** All definitions of exactly so many nodes in which there is a task. */
export const definitionsOf = (size: number, alphabet: Alphabet): readonly Sample[] =>
  sequences(size, alphabet, { inBranch: false, isOutermost: true })
    .filter((sequence) => textOf(sequence).includes("task"))
    .map((sequence, number) => toSample(`shape${size}-${number}`, sequence));

const sequences = (size: number, alphabet: Alphabet, place: Place): readonly Sequence[] => {
  if (size === 0) return [[]];
  const found: Sequence[] = [];
  for (let first = 1; first <= size; first++) {
    for (const head of shapes(first, alphabet, place)) {
      // Nothing can come after an end.
      if (first < size && isEnd(head)) continue;
      for (const tail of sequences(size - first, alphabet, place)) found.push([head, ...tail]);
    }
  }
  return found;
};

const isEnd = (shape: Shape): boolean => shape === "complete" || shape === "fail";

const shapes = (size: number, alphabet: Alphabet, place: Place): readonly Shape[] => {
  const inside: Place = { ...place, isOutermost: false };
  const leaves = size === 1 ? alphabet.leaves.filter((leaf) => mayStand(leaf, place)) : [];
  const sides = alphabet.conditions ? sequences(size - 1, alphabet, inside).map((side): Shape => ({ side })) : [];
  return [...leaves, ...(size >= 2 ? sides : []), ...forks(size, alphabet)];
};

const mayStand = (leaf: Leaf, { inBranch, isOutermost }: Place): boolean => {
  if (leaf === "savepoint") return !inBranch;
  return leaf !== "complete" || !isOutermost;
};

const forks = (size: number, alphabet: Alphabet): readonly Shape[] => {
  const place: Place = { inBranch: true, isOutermost: false };
  const found: Shape[] = [];
  for (let left = 1; left <= size - 2; left++) {
    for (const one of sequences(left, alphabet, place)) {
      for (const other of sequences(size - 1 - left, alphabet, place)) {
        if (textOf(one) > textOf(other)) continue;
        for (const join of alphabet.joins) found.push({ join, branches: [one, other] });
      }
    }
  }
  return found;
};

const textOf = (sequence: Sequence): string => JSON.stringify(sequence);

const toSample = (name: string, sequence: Sequence): Sample => {
  const rules = new Map<string, { readonly by: "input" }>();
  const counts = { nodes: 0 };
  const toNodes = (list: Sequence): NodeJson[] => list.map(toNode);
  const toNode = (shape: Shape): NodeJson => {
    const number = ++counts.nodes;
    if (typeof shape === "string") return leafOf(shape, number);
    if ("side" in shape) {
      const condition = `c${number}`;
      rules.set(condition, { by: "input" });
      return {
        kind: "condition",
        name: condition,
        when: `input.sides.${condition}`,
        then: toNodes(shape.side),
        else: [],
      };
    }
    const branches = shape.branches.map((nodes, index) => ({ name: `b${index}`, nodes: toNodes(nodes) }));
    const losers: Partial<ForkJson> = shape.join === "all" ? {} : { join: "any", losers: shape.join };
    return { kind: "fork", name: `f${number}`, branches, ...losers };
  };
  return { definition: { format: 1, name, version: 1, nodes: toNodes(sequence) }, rules, mappings: new Map() };
};

const leafOf = (leaf: Leaf, number: number): NodeJson => {
  switch (leaf) {
    case "task":
      return {
        kind: "task",
        name: `t${number}`,
        handler: "charge",
        retry: { maxAttempts: 2, delayMs: 0 },
        compensation: { handler: "refund", retry: { maxAttempts: 1 } },
      };
    case "savepoint":
      return { kind: "savepoint", name: `s${number}` };
    case "human":
      return { kind: "human", name: `h${number}` };
    case "signal":
      return { kind: "signal", name: `w${number}`, signal: "paid" };
    case "sleep":
      return { kind: "sleep", name: `z${number}`, durationMs: 10_000 };
    case "complete":
    case "fail":
      return { kind: "end", name: `e${number}`, how: leaf };
  }
};
