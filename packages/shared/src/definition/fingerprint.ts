import { createHash } from "node:crypto";
import type { Json } from "../vocabulary/json.ts";
import type { DefinitionJson } from "./model.ts";

/**
 * The JSON text of a value with the keys of each object sorted by their UTF-16 code units and no white space, as in
 * RFC 8785: two values that mean the same give the same text. Numbers are written as ECMAScript writes them, which is
 * what the RFC asks for.
 */
export const canonicalJson = (value: Json): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.entries(value)
    // A key without a value is no key in JSON; objects made in code may have one.
    .filter(([, member]) => (member as Json | undefined) !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
};

/**
 * The fingerprint of a definition: the SHA-256 of its canonical JSON, in hexadecimal.
 *
 * It is taken of the definition as written: a default that is spelled out gives another fingerprint than one left out.
 * Defaults belong to `format: 1`, so leaving one out means the same for good, and filling them in first would make the
 * fingerprint of every stored definition depend on a table in the code. Name and version are part of it.
 */
export const fingerprint = (definition: DefinitionJson): string =>
  createHash("sha256")
    .update(canonicalJson(definition as unknown as Json))
    .digest("hex");

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
