/**
 * What has changed from one version of a definition to another, told by its nodes: their names say which is which, so a
 * node that stands elsewhere has moved, and is not one that went and one that came. Pure.
 */
import type { Json, JsonObject } from "../vocabulary/json.ts";
import { at } from "../vocabulary/path.ts";
import type { DefinitionJson, NodeJson } from "./model.ts";

/** A field that differs. A side on which it does not exist is left out. */
export interface FieldChange {
  /** Where it stands in the node, or in the definition. */
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** One difference between two definitions. Paths of nodes are those of the definition that has them. */
export type DefinitionChange =
  | ({ readonly kind: "option" } & FieldChange)
  | { readonly kind: "added"; readonly node: string; readonly nodeKind: NodeJson["kind"]; readonly path: string }
  | { readonly kind: "removed"; readonly node: string; readonly nodeKind: NodeJson["kind"]; readonly path: string }
  | { readonly kind: "moved"; readonly node: string; readonly before: string; readonly after: string }
  | {
      readonly kind: "changed";
      readonly node: string;
      readonly path: string;
      readonly fields: readonly FieldChange[];
    };

/** The differences between two definitions, as data and as text. */
export interface DefinitionDiff {
  /** Options first, then nodes: those removed, and the others in the order of the second definition. */
  readonly changes: readonly DefinitionChange[];
  /** The changes for people, a line for each; empty when there are none. */
  readonly text: string;
}

/** Compares two definitions, as a rule versions of the same. Their names and versions themselves are not compared. */
export const diffDefinitions = (before: DefinitionJson, after: DefinitionJson): DefinitionDiff => {
  const old = nodesOf(before);
  const now = nodesOf(after);
  const stayed = stayedInPlace(old, now);
  const changes: readonly DefinitionChange[] = [
    ...fieldsOf(optionsOf(before), optionsOf(after)).map((field) => ({ kind: "option" as const, ...field })),
    ...[...old.values()]
      .filter(({ name }) => !now.has(name))
      .map(({ name, path, kind }) => ({ kind: "removed" as const, node: name, nodeKind: kind, path })),
    ...[...now.values()].flatMap((node) => changesOf(old.get(node.name), node, stayed.has(node.name))),
  ];
  return { changes, text: changes.flatMap(linesOf).join("\n") };
};

const changesOf = (before: Place | undefined, after: Place, hasStayed: boolean): DefinitionChange[] => {
  const { name, kind, path } = after;
  if (before === undefined) return [{ kind: "added", node: name, nodeKind: kind, path }];
  const fields = fieldsOf(before.own, after.own);
  return [
    ...(hasStayed ? [] : [{ kind: "moved" as const, node: name, before: before.path, after: path }]),
    ...(fields.length === 0 ? [] : [{ kind: "changed" as const, node: name, path, fields }]),
  ];
};

/** A node with its place. */
interface Place {
  readonly name: string;
  readonly kind: NodeJson["kind"];
  readonly path: string;
  /** The sequence that it stands in, by the names of what is around it, which do not change when others move. */
  readonly sequence: string;
  /** What it says of itself, without the nodes in it. */
  readonly own: JsonObject;
}

const nodesOf = ({ nodes }: DefinitionJson): ReadonlyMap<string, Place> => {
  const places = new Map<string, Place>();
  const walk = (sequence: string, path: string, children: readonly NodeJson[]): void => {
    for (const [index, node] of children.entries()) {
      const { name, kind } = node;
      const here = at(path, index);
      places.set(name, { name, kind, path: here, sequence, own: ownOf(node) });
      if (node.kind === "fork") {
        for (const [order, branch] of node.branches.entries()) {
          walk(`${name}/${branch.name}`, at(at(at(here, "branches"), order), "nodes"), branch.nodes);
        }
      }
      if (node.kind === "condition") {
        walk(`${name}/then`, at(here, "then"), node.then);
        walk(`${name}/else`, at(here, "else"), node.else);
      }
    }
  };
  walk("", "nodes", nodes);
  return places;
};

// Definitions are JSON, whatever their types say more of them.
const ownOf = (node: NodeJson): JsonObject => {
  if (node.kind === "fork") return { ...asObject(node), branches: node.branches.map(({ name }) => name) };
  if (node.kind !== "condition") return asObject(node);
  const { then: _, else: __, ...own } = node;
  return asObject(own);
};

const optionsOf = ({ name: _, version: __, nodes: ___, ...options }: DefinitionJson): JsonObject => asObject(options);

const asObject = (value: object): JsonObject => value as JsonObject;

/**
 * The nodes that stand where they stood: in the same sequence, and in the same order as the others there. Of those that
 * changed their order as few as possible count as moved.
 */
const stayedInPlace = (old: ReadonlyMap<string, Place>, now: ReadonlyMap<string, Place>): ReadonlySet<string> => {
  const common = [...now.values()].filter(({ name, sequence }) => old.get(name)?.sequence === sequence);
  const orderOf = new Map([...old.keys()].map((name, order) => [name, order]));
  const groups = new Map<string, Place[]>();
  for (const place of common) {
    const group = groups.get(place.sequence);
    if (group === undefined) groups.set(place.sequence, [place]);
    else group.push(place);
  }
  return new Set(
    [...groups.values()].flatMap((group) => longestRising(group.map(({ name }) => [name, orderOf.get(name) ?? 0]))),
  );
};

/** The longest selection whose numbers rise, by patience sorting: quick also for sequences of thousands. */
const longestRising = (items: readonly (readonly [string, number])[]): readonly string[] => {
  interface Link {
    readonly name: string;
    readonly number: number;
    readonly before: Link | undefined;
  }
  const tops: Link[] = [];
  for (const [name, number] of items) {
    let low = 0;
    let high = tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tops[middle] as Link).number < number) low = middle + 1;
      else high = middle;
    }
    tops[low] = { name, number, before: tops[low - 1] };
  }
  const chosen: string[] = [];
  for (let link = tops.at(-1); link !== undefined; link = link.before) chosen.push(link.name);
  return chosen;
};

/** The fields that differ, in the order in which the second has them, and then those that it lacks. */
const fieldsOf = (before: JsonObject, after: JsonObject, path = ""): readonly FieldChange[] =>
  [...new Set([...Object.keys(after), ...Object.keys(before)])].flatMap((key) =>
    fieldChanges(before[key], after[key], at(path, key)),
  );

const fieldChanges = (before: Json | undefined, after: Json | undefined, path: string): readonly FieldChange[] => {
  if (isObject(before) && isObject(after)) return fieldsOf(before, after, path);
  if (isSame(before, after)) return [];
  return [{ path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }];
};

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSame = (a: Json | undefined, b: Json | undefined): boolean => {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSame(item as Json, b[index] as Json));
  }
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
};

const linesOf = (change: DefinitionChange): readonly string[] => {
  switch (change.kind) {
    case "option":
      return [`~ ${fieldText(change)}`];
    case "added":
      return [`+ ${change.nodeKind} '${change.node}' at ${change.path}`];
    case "removed":
      return [`- ${change.nodeKind} '${change.node}' at ${change.path}`];
    case "moved":
      return [`> '${change.node}' from ${change.before} to ${change.after}`];
    case "changed":
      return change.fields.map((field) => `~ '${change.node}' ${fieldText(field)}`);
  }
};

const fieldText = ({ path, before, after }: FieldChange): string =>
  `${path}: ${valueText(before)} → ${valueText(after)}`;

/** The longest value that is written out. */
const valueLimit = 200;

const valueText = (value: Json | undefined): string => {
  const text = value === undefined ? "(none)" : JSON.stringify(value);
  return text.length <= valueLimit ? text : `${text.slice(0, valueLimit)}…`;
};
