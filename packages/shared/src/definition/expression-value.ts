/** JSON on its way into an expression, and an expression's value on its way back to JSON. */
import type { Json } from "../vocabulary/json.ts";
import { unwrapOptional } from "./expression-library.ts";
import { Refusal } from "./expression-meter.ts";
import { resultLimit } from "./limit.ts";

/** Values that have been looked at; a payload is walked once, however many expressions see it. */
const looked = new WeakMap<object, unknown>();

/**
 * The value as the library can read it. It tells the kind of an object by its `constructor`, so data that has a member
 * of this name goes in as a Map, which the library reads alike.
 */
export const readable = (value: Json): unknown => {
  if (typeof value !== "object" || value === null) return value;
  const known = looked.get(value);
  if (known !== undefined) return known;
  const result = convert(value);
  looked.set(value, result);
  return result;
};

const convert = (value: Json): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) {
    const items = value.map(convert);
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  const entries = Object.entries(value).map(([key, member]) => [key, convert(member)] as const);
  if (Object.hasOwn(value, "constructor")) return new Map(entries);
  return entries.some(([key, member]) => member !== value[key]) ? Object.fromEntries(entries) : value;
};

/**
 * What an expression gave, as JSON. Integers become numbers when they are exact as numbers, timestamps become ISO 8601
 * text in UTC; `undefined` stands for an optional without a value, which within lists and maps is `null`.
 */
export const toJson = (value: unknown): Json | undefined => {
  let left = resultLimit;
  const walk = (raw: unknown): Json | undefined => {
    const one = unwrapOptional(raw);
    // A value takes at least a byte of JSON and text at least its length. Shared parts count each time: written out they
    // are no longer shared.
    left -= typeof one === "string" ? one.length + 2 : 1;
    if (left < 0) throw new Refusal("its result is too large; make it smaller, or do it in a handler");
    if (typeof one === "bigint") return exact(one);
    if (typeof one === "string" || typeof one === "number" || typeof one === "boolean" || one === null) return one;
    if (one === undefined) return undefined;
    if (Array.isArray(one)) return one.map((item) => walk(item) ?? null);
    if (one instanceof Date) return one.toISOString();
    if (one instanceof Map) return members([...one], walk);
    const prototype: unknown = typeof one === "object" ? Object.getPrototypeOf(one) : undefined;
    if (prototype === Object.prototype || prototype === null) return members(Object.entries(one as object), walk);
    throw new Refusal("its result is a duration or a type, which is no JSON; use getSeconds() or string(…)");
  };
  return walk(value);
};

const members = (entries: readonly (readonly [unknown, unknown])[], walk: (one: unknown) => Json | undefined): Json =>
  // fromEntries defines members, so a `__proto__` among them stays a member.
  Object.fromEntries(entries.map(([key, member]) => [String(key), walk(member) ?? null]));

const exact = (value: bigint): number => {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new Refusal(`the integer ${value} is too large to be exact in JSON; use string(…)`);
};

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
