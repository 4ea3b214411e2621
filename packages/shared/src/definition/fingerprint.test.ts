import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../vocabulary/json.ts";
import { canonicalJson, fingerprint } from "./fingerprint.ts";
import type { DefinitionJson } from "./model.ts";
import { parseDefinition } from "./validate.ts";

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, shuffled(member)]),
  );
};

const definition: DefinitionJson = {
  format: 1,
  name: "order",
  version: 1,
  nodes: [{ kind: "task", name: "charge", handler: "charge" }],
};

describe("canonicalJson", () => {
  it("does not depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(shuffled(value) as Json)).toBe(canonicalJson(value as Json));
      }),
    );
  });

  it("is JSON for the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // Through stringify first, because JSON has no minus zero.
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(value as Json))).toEqual(plain);
      }),
    );
  });

  it("sorts keys by UTF-16 code units and writes numbers as ECMAScript does", () => {
    const value = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\u0080": 6, "\u00f6": 7 };
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}');
    expect(canonicalJson([1 / 3, 1e30, 4.5, 2e-3, -0])).toBe("[0.3333333333333333,1e+30,4.5,0.002,0]");
  });

  it("leaves out members that are undefined", () => {
    expect(canonicalJson({ a: undefined, b: 1 } as unknown as Json)).toBe('{"b":1}');
  });
});

describe("fingerprint", () => {
  it("is 64 hexadecimal digits, and the same for the same definition written otherwise", () => {
    expect(fingerprint(definition)).toMatch(/^[0-9a-f]{64}$/);
    expect(fingerprint(shuffled(definition) as DefinitionJson)).toBe(fingerprint(definition));
  });

  it("never changes for a given definition: stored ones are compared with it", () => {
    const stored = "0680e43c843fd75bba93a5290c8877b4c5be1ae20009d8bc23faac308ad00689";
    expect(fingerprint(definition)).toBe(stored);
    // Nor by being read again: what is added to the format later is left out where it is not written.
    expect(fingerprint(parseDefinition(definition))).toBe(stored);
  });

  it("differs when anything differs, a default that is spelled out too", () => {
    const others: DefinitionJson[] = [
      { ...definition, version: 2 },
      { ...definition, name: "orders" },
      { ...definition, priority: 50 },
      { ...definition, onFailure: "rollback" },
      { ...definition, nodes: [{ kind: "task", name: "charge", handler: "charge", idempotent: true }] },
    ];
    expect(new Set([definition, ...others].map(fingerprint)).size).toBe(6);
  });
});
