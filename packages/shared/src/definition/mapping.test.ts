import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FloxyError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { checkMapping, evaluateMapping, mappingReferences } from "./mapping.ts";

const scope = { input: { id: "o1" }, value: { amount: 5 }, steps: { charge: { id: "c1" } } };

describe("evaluateMapping", () => {
  it("puts values in the place of expressions and keeps everything else", () => {
    const mapping = {
      order: { $: "input.id" },
      list: [{ $: "value.amount * 2" }, "plain", null],
      deep: { a: { b: 1 } },
    };
    expect(evaluateMapping(mapping, scope)).toEqual({ order: "o1", list: [10, "plain", null], deep: { a: { b: 1 } } });
  });

  it("can be an expression as a whole", () => {
    expect(evaluateMapping({ $: "steps.charge" }, scope)).toEqual({ id: "c1" });
    expect(evaluateMapping("text", scope)).toBe("text");
  });

  it("leaves out the member of a $? whose path does not exist, and makes it null in a list and on top", () => {
    expect(evaluateMapping({ a: { "$?": "value.nope.x" }, b: { "$?": "value.amount" } }, scope)).toEqual({ b: 5 });
    expect(evaluateMapping({ a: { "$?": "value.?nope" } }, scope)).toEqual({});
    expect(evaluateMapping([{ "$?": "value.nope" }, 1], scope)).toEqual([null, 1]);
    expect(evaluateMapping({ "$?": "value.nope" }, scope)).toBeNull();
  });

  it("fails on a $ whose path does not exist, and on any other failure of a $?", () => {
    expect(() => evaluateMapping({ a: { $: "value.nope" } }, scope)).toThrow("the path value.nope does not exist");
    expect(() => evaluateMapping({ a: { "$?": "input.id + 1" } }, scope)).toThrow("no such overload");
  });

  it("takes an object for an expression only when $ is its only key", () => {
    expect(evaluateMapping({ $: "value.amount", other: 1 }, scope)).toEqual({ $: "value.amount", other: 1 });
    expect(evaluateMapping({}, scope)).toEqual({});
  });

  it("does not change the prototype through a member called __proto__", () => {
    const result = evaluateMapping(JSON.parse('{"__proto__":{"$":"input"}}') as Json, scope);
    expect(JSON.stringify(result)).toBe('{"__proto__":{"id":"o1"}}');
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
  });

  it("refuses an expression that is not text", () => {
    for (const expression of [false, 1, null, ["value"], { $: "value" }]) {
      expect(() => evaluateMapping({ list: [{ $: expression }] }, scope)).toThrow(/an expression must be text, not/);
      expect(() => mappingReferences({ $: expression })).toThrow(/an expression must be text, not/);
    }
  });

  it("never throws anything but a FloxyError", () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom("value", "value.a", "input[0]", "value + input", "[value].map(x, x)", "steps.charge.id", "'"),
    );
    const hole = fc.record({ $: text });
    const optional = fc.record({ "$?": text });
    const { mapping } = fc.letrec<{ mapping: Json }>((tie) => ({
      mapping: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue() as fc.Arbitrary<Json>,
        hole,
        optional,
        fc.array(tie("mapping")),
        fc.dictionary(fc.string(), tie("mapping")),
      ),
    }));
    fc.assert(
      fc.property(mapping, fc.jsonValue(), (template, value) => {
        const wrong = checkMapping(template);
        try {
          evaluateMapping(template, { ...scope, value: value as Json });
        } catch (error) {
          expect(error).toBeInstanceOf(FloxyError);
          const { code } = error as FloxyError;
          expect(["EXPRESSION_FAILED", "EXPRESSION_INVALID"]).toContain(code);
          // What the check lets through can fail on its data, and not for its form.
          if (wrong.length === 0) expect(code).toBe("EXPRESSION_FAILED");
        }
      }),
    );
  });
});

describe("checkMapping", () => {
  it("reports each wrong expression with its path", () => {
    const mapping = { a: { $: "foo" }, "b c": [1, { "$?": "value.x +" }], d: { $: 5 } };
    expect(checkMapping(mapping, "nodes[0].input").map(({ path, code }) => [path, code])).toEqual([
      ["nodes[0].input.a.$", "unknown_variable"],
      ["nodes[0].input['b c'][1]['$?']", "expression_syntax"],
      ["nodes[0].input.d.$", "expression_syntax"],
    ]);
  });

  it("bounds the depth, also when it is far beyond", () => {
    let mapping: Json = { $: "value" };
    for (let level = 0; level < 100_000; level += 1) mapping = [mapping];
    expect(checkMapping(mapping)).toMatchObject([{ code: "too_deep" }]);
    expect(() => evaluateMapping(mapping, scope)).toThrow("nested deeper");
  });
});

describe("mappingReferences", () => {
  it("gathers what all expressions use", () => {
    const mapping = { a: { $: "steps.x" }, b: [{ "$?": "input.y + steps.z" }, { $: "steps.x.y" }] };
    expect(mappingReferences(mapping)).toEqual({ input: true, value: false, steps: ["x", "z"] });
    expect(mappingReferences({ plain: [1, "input"] })).toEqual({ input: false, value: false, steps: [] });
  });
});
