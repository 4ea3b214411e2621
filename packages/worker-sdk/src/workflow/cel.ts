/** Writing CEL: members and literals as text. */
import type { Json } from "@floxy/shared";

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const index = /^(?:0|[1-9][0-9]*)$/;

/** The words that CEL keeps for itself; as the name of a field they must be quoted. */
const reserved: ReadonlySet<string> = new Set(
  (
    "as break const continue else false for function if import in let loop namespace null package return true var void " +
    "while"
  ).split(" "),
);

/** Whether a key can stand behind a dot. */
export const isPlainKey = (key: string): boolean => identifier.test(key) && !reserved.has(key);

/** Whether a key is the index of a list. A record whose keys are digits looks the same and needs an expression. */
export const isIndex = (key: string): boolean => index.test(key);

/** The text of a member: `a.b`, `a["odd key"]` or `a[0]`. */
export const memberText = (owner: string, key: string): string => {
  if (isPlainKey(key)) return `${owner}.${key}`;
  return isIndex(key) ? `${owner}[${key}]` : `${owner}[${textLiteral(key)}]`;
};

/** A text as CEL writes it. JSON's escapes are a subset of CEL's. */
export const textLiteral = (text: string): string => JSON.stringify(text);

/** A JSON value as CEL writes it. */
export const literalText = (value: Json): string => {
  if (typeof value === "number") return numberText(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map((item) => literalText(item)).join(", ")}]`;
  const members = Object.entries(value).map(([key, member]) => `${textLiteral(key)}: ${literalText(member)}`);
  return `{${members.join(", ")}}`;
};

/** A whole number beyond what JavaScript holds exactly is a double in CEL too, so that it means the same number. */
const numberText = (value: number): string => {
  const text = JSON.stringify(value);
  return Number.isInteger(value) && !Number.isSafeInteger(value) && !text.includes("e") ? `${text}.0` : text;
};

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
