import { quote } from "./quote.ts";

const identifier = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** The path of a member: `at("nodes[2]", "input")` is `nodes[2].input`, `at("", 0)` is `[0]`. */
export const at = (path: string, key: string | number): string => {
  if (typeof key === "number") return `${path}[${key}]`;
  if (identifier.test(key) && key.length <= 60) return path === "" ? key : `${path}.${key}`;
  return `${path}[${quote(key)}]`;
};

/** A path written out of its keys, from the outside in. */
export const pathOf = (keys: readonly (string | number)[], base = ""): string => keys.reduce<string>(at, base);
