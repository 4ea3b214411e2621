/**
 * The way of every payload into the database: a value becomes its JSON text, once, or an error that says why it cannot.
 *
 * `JSON.stringify` alone is not enough: it turns `NaN` into `null`, a `Map` into `{}` and drops functions without a word,
 * and PostgreSQL's `jsonb` refuses `\u0000` and lone surrogates.
 */
import type { Problem } from "./error.ts";
import { FloxyError } from "./error.ts";
import type { Json } from "./json.ts";
import { copyAsJson } from "./json-copy.ts";
import { defaultPayloadLimit, jsonDepthLimit } from "./limit.ts";

/**
 * The JSON text of a value, to be stored as it is.
 *
 * Follows `JSON.stringify` where that loses nothing: members that are `undefined` are left out, `undefined` in a list is
 * `null`, `toJSON` is called (once). Throws `JSON_UNSTORABLE` with the path of each function, symbol, bigint, `NaN`,
 * infinity, `Map`, `Set` or other class instance, circular reference, `\u0000` and lone surrogate, for nesting deeper than
 * {@link jsonDepthLimit}, and for `undefined` itself; throws `PAYLOAD_TOO_LARGE` over `limitBytes` of UTF-8.
 *
 * @param what how a message calls the value, such as `the input of instance 01H…`.
 */
export const encodePayload = (value: unknown, what: string, limitBytes = defaultPayloadLimit): string => {
  const text = isPlain(value, limitBytes) ? JSON.stringify(value) : slowly(value, what, limitBytes);
  // The two that jsonb refuses show as escapes. A backslash that was there before ("\\u0000") looks alike, so a find is
  // only a suspicion, and the walk decides.
  if (refusable.test(text)) slowly(value, what, limitBytes);
  assertSize(text, what, limitBytes);
  return text;
};

/** As {@link encodePayload}, for what a handler returns: one that returns nothing has the output `null`. */
export const encodeOutput = (output: unknown, what: string, limitBytes = defaultPayloadLimit): string =>
  encodePayload(output === undefined ? null : output, what, limitBytes);

const refusable = /\\u(?:0000|d[89a-f])/;

const slowly = (value: unknown, what: string, limitBytes: number): string => {
  const { copy, problems, tooMany } = copyAsJson(value, limitBytes);
  if (tooMany) throw tooLarge(what, `more than ${limitBytes}`, limitBytes);
  if (problems.length > 0) throw unstorable(what, problems);
  return JSON.stringify(copy);
};

/**
 * Whether JSON.stringify gives the text of the value without losing anything: plain objects and lists of plain data, not
 * too deep, and not more values than the text may have bytes (shared references can unfold without end).
 */
const isPlain = (value: unknown, limit: number): value is Json => {
  let left = limit;
  const walk = (one: unknown, depth: number): boolean => {
    left -= typeof one === "string" ? one.length : 1;
    if (left < 0) return false;
    if (typeof one === "string" || typeof one === "boolean" || one === null) return true;
    if (typeof one === "number") return Number.isFinite(one);
    if (typeof one !== "object" || depth === 0) return false;
    if (Array.isArray(one)) {
      return !("toJSON" in one) && one.every((item) => item === undefined || walk(item, depth - 1));
    }
    const prototype: unknown = Object.getPrototypeOf(one);
    if ((prototype !== Object.prototype && prototype !== null) || "toJSON" in one) return false;
    for (const key of Object.keys(one)) {
      const member: unknown = (one as Record<string, unknown>)[key];
      if (member !== undefined && !walk(member, depth - 1)) return false;
    }
    return true;
  };
  try {
    return walk(value, jsonDepthLimit);
  } catch {
    // A getter or a proxy threw; the careful walk says where.
    return false;
  }
};

const assertSize = (text: string, what: string, limitBytes: number): void => {
  // A UTF-16 code unit takes at most three bytes, so most payloads need no count.
  if (text.length * 3 <= limitBytes) return;
  const size = Buffer.byteLength(text);
  if (size > limitBytes) throw tooLarge(what, String(size), limitBytes);
};

const tooLarge = (what: string, size: string, limitBytes: number): FloxyError =>
  new FloxyError(
    "PAYLOAD_TOO_LARGE",
    `${what} has ${size} bytes as JSON, and the limit is ${limitBytes}; keep large data elsewhere and pass a reference`,
    { data: { limitBytes } },
  );

const unstorable = (what: string, problems: readonly Problem[]): FloxyError => {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const where = first === undefined || first.path === "" ? "" : ` at ${first.path}`;
  return new FloxyError("JSON_UNSTORABLE", `${what} cannot be stored as JSON:${where} ${first?.message}${more}`, {
    problems,
  });
};
