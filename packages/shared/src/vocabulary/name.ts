import type { Problem } from "./error.ts";
import { FloxyError } from "./error.ts";
import { nameLimit } from "./limit.ts";
import { quote } from "./quote.ts";

/** What a name is given to; it stands in the message. */
export type NameKind = "definition" | "node" | "branch" | "handler" | "worker" | "signal";

const allowed = "a name starts with a letter A-Z or a-z and goes on with letters, digits and the characters _ . : -";
const letter = /^[A-Za-z]$/;
const character = /^[A-Za-z0-9_.:-]$/;
const name = /^[A-Za-z][A-Za-z0-9_.:-]*$/;

/**
 * Says what is wrong with a name, or `null` when it is fine.
 *
 * Names stand in SQL, in URLs, in metrics and in expressions, so they are ASCII and need no quoting anywhere: a letter,
 * then letters, digits, `_`, `.`, `:` and `-`, at most {@link nameLimit} characters.
 */
export const checkName = (kind: NameKind, text: unknown, path = "name"): Problem | null => {
  if (typeof text !== "string") return invalid(path, `the ${kind} name must be text, and it is ${typeOf(text)}`);
  if (text.length <= nameLimit && name.test(text)) return null;
  if (text === "") return invalid(path, `the ${kind} name is empty; ${allowed}`);
  const said = `the ${kind} name ${quote(text)}`;
  if (text.length > nameLimit) {
    return invalid(path, `${said} has ${text.length} characters, and at most ${nameLimit} are allowed`);
  }
  return invalid(path, `${said} has ${culprit(text)}; ${allowed}`);
};

/** Throws `NAME_INVALID` when the name breaks the rule of {@link checkName}. */
export const assertName = (kind: NameKind, text: unknown, path?: string): void => {
  const problem = checkName(kind, text, path);
  if (problem !== null) throw new FloxyError("NAME_INVALID", problem.message, { problems: [problem] });
};

const invalid = (path: string, message: string): Problem => ({ path, code: "invalid_name", message });

const culprit = (text: string): string => {
  // By code point, so that half an emoji is never shown; the position is the one a person would count.
  const characters = [...text];
  const index = characters.findIndex((one, at) => !(at === 0 ? letter : character).test(one));
  const one = quote(characters[index] ?? "");
  if (index > 0) return `${one} as character ${index + 1}`;
  return `${one} as its first character`;
};

const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value;
};
