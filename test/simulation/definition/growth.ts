/** What grows with a definition: names, rules that say what its expressions say, and mappings. */
import type { DefinitionJson, Mapping } from "@floxy/shared";
import type { Tape } from "../tape.ts";

/** What decides a condition. `never`: its expression fails. */
export type Rule = { readonly by: "input" | "value" | "never" } | { readonly by: "step"; readonly step: string };

/** What a mapping makes. `never`: it fails. */
export type MappingRule =
  | { readonly by: "value" | "never" }
  | { readonly by: "step"; readonly step: string }
  | { readonly by: "parts"; readonly step: string };

/** A definition with all that is needed to foretell what it does. */
export interface Sample {
  readonly definition: DefinitionJson;
  /** By the name of the condition. */
  readonly rules: ReadonlyMap<string, Rule>;
  /** By the name of the node; of a compensation with `~` before it. */
  readonly mappings: ReadonlyMap<string, MappingRule>;
}

/** What grows with a definition. */
export interface Growth {
  readonly tape: Tape;
  readonly rules: Map<string, Rule>;
  readonly mappings: Map<string, MappingRule>;
  readonly nodeLimit: number;
  count: number;
}

/** Where a node grows: how deep, whether in a branch, what has certainly run before, which savepoints were passed. */
export interface Position {
  readonly depth: number;
  readonly inBranch: boolean;
  readonly certain: readonly string[];
  readonly savepoints: readonly string[];
}

/** A new name for a node of a kind. */
export const nameOf = (growth: Growth, letter: string): string => `${letter}${++growth.count}`;

/** A mapping in about so many of a hundred cases. */
export const growMapping = (
  { tape }: Growth,
  { certain }: Position,
  percent: number,
): { readonly mapping: Mapping; readonly rule: MappingRule } | undefined => {
  if (!tape.chance(percent)) return undefined;
  if (tape.chance(6)) return { mapping: { $: "input.missing" }, rule: { by: "never" } };
  const step = tape.pickAny(certain);
  if (step === undefined) return { mapping: { $: "value" }, rule: { by: "value" } };
  if (tape.chance(50)) return { mapping: { $: `steps.${step}` }, rule: { by: "step", step } };
  const mapping = { start: { $: "input.start" }, n: { "$?": `steps.${step}.n` }, fixed: [1, "x"] };
  return { mapping, rule: { by: "parts", step } };
};
