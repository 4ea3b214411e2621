import { describe, expect, it } from "vitest";
import type { Json } from "../vocabulary/json.ts";
import { checkAgainstSchema, checkSchema } from "./json-schema.ts";

const schema = {
  type: "object",
  properties: {
    id: { type: "string", minLength: 1 },
    items: { type: "array", items: { type: "object", properties: { price: { type: "number", minimum: 0 } } } },
    note: { type: "string", default: "none" },
  },
  required: ["id"],
  additionalProperties: false,
};

describe("checkAgainstSchema", () => {
  it("accepts what fits and changes nothing", () => {
    const value = { id: "o1", items: [{ price: 1, extra: true }] };
    expect(checkAgainstSchema(schema, value)).toEqual([]);
    expect(value).toEqual({ id: "o1", items: [{ price: 1, extra: true }] });
  });

  it("reports all that does not fit, with paths", () => {
    const value = { items: [{ price: 1 }, { price: -1 }, { price: "2" }] };
    const problems = checkAgainstSchema(schema, value, "input");
    expect(problems.map(({ path }) => path)).toEqual(["input.id", "input.items[1].price", "input.items[2].price"]);
    expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(["schema_mismatch"]));
  });

  it("reports unknown members where the schema forbids them", () => {
    expect(checkAgainstSchema(schema, { id: "a", zz: 1 })).toHaveLength(1);
  });

  it("follows references within the schema, also recursive ones", () => {
    const tree = {
      $ref: "#/$defs/node",
      $defs: { node: { type: "object", properties: { children: { type: "array", items: { $ref: "#/$defs/node" } } } } },
    };
    expect(checkAgainstSchema(tree, { children: [{ children: [] }] })).toEqual([]);
    expect(checkAgainstSchema(tree, { children: [{ children: 1 }] })).toMatchObject([{ path: "children[0].children" }]);
  });

  it("reports data nested too deeply for the schema instead of throwing", () => {
    const tree = { $ref: "#/$defs/n", $defs: { n: { type: "array", items: { $ref: "#/$defs/n" } } } };
    let value: Json = [];
    for (let level = 0; level < 50_000; level += 1) value = [value];
    expect(checkAgainstSchema(tree, value)).toMatchObject([{ code: "unsupported_schema" }]);
  });
});

describe("checkSchema", () => {
  it("accepts a schema that can be checked", () => {
    expect(checkSchema(schema)).toEqual([]);
    expect(checkSchema({})).toEqual([]);
  });

  it.each([
    ["a conditional schema", { if: { type: "string" }, else: { type: "number" } }],
    ["a reference to elsewhere", { $ref: "https://example.com/schema.json" }],
    ["a reference to nothing", { $ref: "#/$defs/nope" }],
    ["a type that does not exist", { type: "text" }],
    ["a pattern that is none", { type: "string", pattern: "(" }],
  ])("reports %s at inputSchema", (_name, wrong) => {
    expect(checkSchema(wrong as never)).toMatchObject([{ path: "inputSchema", code: "unsupported_schema" }]);
    expect(checkAgainstSchema(wrong as never, "x")).toMatchObject([{ code: "unsupported_schema" }]);
  });
});
