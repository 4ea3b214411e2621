import type { Problem } from "./error.ts";
import { jsonDepthLimit } from "./limit.ts";
import { at } from "./path.ts";
import { quote } from "./quote.ts";

/** What {@link copyAsJson} finds. */
export interface JsonCopy {
  /** The plain copy; of no use when there are problems. */
  readonly copy: unknown;
  readonly problems: readonly Problem[];
  /** Whether the walk was given up because there was more than `limit`. */
  readonly tooMany: boolean;
}

/** The most problems reported of one value. */
const problemLimit = 20;

// With the flag u a pair is one code point, so only halves match.
const loneSurrogate = /\p{Surrogate}/u;

interface Walk {
  readonly problems: Problem[];
  readonly ancestors: Set<object>;
  readonly depthLimit: number;
  left: number;
}

/**
 * Copies a value into plain data as `JSON.stringify` would see it, and says of everything it would lose or PostgreSQL
 * would refuse where it is. Slower than `JSON.stringify`: for the values that look suspicious.
 *
 * @param limit the most values (at all depths) and characters of text to look at.
 */
export const copyAsJson = (value: unknown, limit: number, depthLimit = jsonDepthLimit): JsonCopy => {
  const walk: Walk = { problems: [], ancestors: new Set(), left: limit, depthLimit };
  if (value === undefined) report(walk, "", "undefined", "it is undefined; use null for no value");
  const copy = copyOf(walk, value, "", "");
  return { copy, problems: walk.problems, tooMany: walk.left < 0 };
};

const copyOf = (walk: Walk, raw: unknown, key: string, path: string): unknown => {
  if (walk.left < 0 || walk.problems.length >= problemLimit) return null;
  const value = throughToJson(walk, raw, key, path);
  walk.left -= typeof value === "string" ? value.length : 1;
  switch (typeof value) {
    case "string":
      return storableText(walk, value, path, "the text");
    case "number":
      if (!Number.isFinite(value)) report(walk, path, "number", `${value} is not a JSON number; use null or text`);
      return value;
    case "bigint":
      return report(
        walk,
        path,
        "bigint",
        "a bigint is not JSON; make it text with String(…), or a number if it is small",
      );
    case "function":
      return report(walk, path, "function", "a function is not JSON; leave it out");
    case "symbol":
      return report(walk, path, "symbol", "a symbol is not JSON; leave it out or use text");
    case "object":
      return value === null ? null : containerOf(walk, value, path);
    default:
      return value;
  }
};

const containerOf = (walk: Walk, value: object, path: string): unknown => {
  if (walk.ancestors.has(value)) {
    return report(walk, path, "circular", "it contains itself; break the circle, for example by keeping an id");
  }
  if (walk.ancestors.size >= walk.depthLimit) {
    return report(walk, path, "too_deep", `it is nested deeper than ${walk.depthLimit} levels; flatten it`);
  }
  walk.ancestors.add(value);
  const copy = Array.isArray(value) ? listOf(walk, value, path) : objectOf(walk, value, path);
  walk.ancestors.delete(value);
  return copy;
};

const listOf = (walk: Walk, list: readonly unknown[], path: string): unknown[] => {
  const copy: unknown[] = [];
  for (let index = 0; index < list.length && walk.left >= 0; index += 1) {
    copy.push(copyOf(walk, read(walk, list, index, at(path, index)), String(index), at(path, index)));
  }
  return copy;
};

const objectOf = (walk: Walk, object: object, path: string): unknown => {
  const help = instanceHelp(object);
  if (help !== null) return report(walk, path, "instance", help);
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(object)) {
    if (walk.left < 0) break;
    const here = at(path, key);
    storableText(walk, key, here, "the key");
    const member = copyOf(walk, read(walk, object, key, here), key, here);
    if (member !== undefined) entries.push([key, member]);
  }
  // fromEntries defines members, so a `__proto__` among them stays a member and changes no prototype.
  return Object.fromEntries(entries);
};

/** What to do with an object that is not plain; `null` when it is plain, of this realm or of another. */
const instanceHelp = (object: object): string | null => {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === null || prototype === Object.prototype) return null;
  if (object instanceof Map) return "a Map is not JSON; convert it with Object.fromEntries(map) or [...map]";
  if (object instanceof Set) return "a Set is not JSON; convert it with [...set]";
  if (object instanceof Promise) return "a Promise is not JSON; await it";
  if (ArrayBuffer.isView(object) || object instanceof ArrayBuffer) {
    return "binary data is not JSON; convert it, for example to base64 text";
  }
  if (object instanceof Error)
    return "an Error is not JSON; take what you need of it, such as { message: error.message }";
  if (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "isPrototypeOf")) return null;
  return `an instance of ${nameOf(prototype)} is not plain data; give it a toJSON method or make it a plain object`;
};

const nameOf = (prototype: unknown): string => {
  const made: unknown = (prototype as { constructor?: unknown }).constructor;
  return typeof made === "function" && made.name !== "" ? quote(made.name) : "a class";
};

const throughToJson = (walk: Walk, value: unknown, key: string, path: string): unknown => {
  if (typeof value !== "object" || value === null) return value;
  const toJson = read(walk, value, "toJSON", path);
  if (typeof toJson !== "function") return value;
  try {
    return toJson.call(value, key) as unknown;
  } catch (error) {
    return report(walk, path, "to_json", `its toJSON method threw: ${messageOf(error)}`);
  }
};

const read = (walk: Walk, object: object, key: string | number, path: string): unknown => {
  try {
    return (object as Record<string | number, unknown>)[key];
  } catch (error) {
    return report(walk, path, "unreadable", `reading it threw: ${messageOf(error)}`);
  }
};

const messageOf = (error: unknown): string => quote(error instanceof Error ? error.message : String(error), 200);

const storableText = (walk: Walk, text: string, path: string, what: string): string => {
  if (text.includes("\u0000")) {
    report(
      walk,
      path,
      "nul_character",
      `${what} contains the character \\u0000, which PostgreSQL cannot store; remove it`,
    );
  }
  if (loneSurrogate.test(text)) {
    const help = "cut text by characters, not by UTF-16 units, or call toWellFormed()";
    report(walk, path, "lone_surrogate", `${what} contains half of a surrogate pair, which is not Unicode; ${help}`);
  }
  return text;
};

const report = (walk: Walk, path: string, code: string, message: string): null => {
  if (walk.problems.length < problemLimit) walk.problems.push({ path, code, message });
  return null;
};
