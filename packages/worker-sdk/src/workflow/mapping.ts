/** From what a mapping function answers to the mapping as it is stored. */
import type { Json, Mapping } from "@floxy/shared";
import { at } from "@floxy/shared";
import { literalText, textLiteral } from "./cel.ts";
import { optionalText, refText } from "./expression.ts";
import { invalid } from "./invalid.ts";

/** The stored form of a template of references and literals. Members that are `undefined` are left out, as in JSON. */
export const toMapping = (template: unknown, path: string): Mapping => {
  const text = refText(template);
  if (text !== undefined) return { $: text };
  const optional = optionalText(template);
  if (optional !== undefined) return { "$?": optional };
  if (Array.isArray(template)) return template.map((item, index) => toMapping(item, at(path, index)));
  if (!isPlainObject(template)) return scalar(template, path);
  const members = membersOf(template);
  // Stored as it is, it would be taken for an expression.
  if (isMarked(members)) return { $: celText(template, path) };
  return Object.fromEntries(members.map(([key, member]) => [key, toMapping(member, at(path, key))]));
};

/** A template as one CEL expression. */
const celText = (template: unknown, path: string): string => {
  const text = refText(template);
  if (text !== undefined) return text;
  if (optionalText(template) !== undefined) {
    return invalid(path, "optional_misplaced", "optional(...) cannot stand in an object whose only key is $ or $?");
  }
  if (Array.isArray(template)) return `[${template.map((item, index) => celText(item, at(path, index))).join(", ")}]`;
  if (!isPlainObject(template)) return literalText(scalar(template, path));
  const members = membersOf(template).map(([key, member]) => `${textLiteral(key)}: ${celText(member, at(path, key))}`);
  return `{${members.join(", ")}}`;
};

const isMarked = (members: readonly (readonly [string, unknown])[]): boolean =>
  members.length === 1 && members.every(([key]) => key === "$" || key === "$?");

const membersOf = (template: object): (readonly [string, unknown])[] =>
  Object.entries(template).filter(([, member]) => member !== undefined);

const scalar = (value: unknown, path: string): Json => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const what = value instanceof Promise ? "a promise (a mapping function cannot be async)" : describe(value);
  return invalid(path, "not_data", `a mapping is made of references and JSON, and here it has ${what}`);
};

const describe = (value: unknown): string => {
  if (typeof value === "object" && value !== null) return `an instance of ${value.constructor?.name ?? "a class"}`;
  return typeof value === "number" || typeof value === "bigint"
    ? `the number ${value}`
    : `a value of type ${typeof value}`;
};

const isPlainObject = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};
