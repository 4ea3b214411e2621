import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FloxyError } from "./error.ts";
import { encodeOutput, encodePayload } from "./json-check.ts";
import { jsonDepthLimit } from "./limit.ts";

const what = "the input";

const failureOf = (value: unknown, limit?: number): FloxyError => {
  try {
    encodePayload(value, what, limit);
  } catch (error) {
    if (error instanceof FloxyError) return error;
    throw error;
  }
  throw new Error("it was encoded");
};

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};

describe("encodePayload", () => {
  it("gives text from which JSON.parse makes the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON has one zero; and half a surrogate pair is refused, which is tested below.
        fc.pre(!/\\u(?:0000|d[89a-f])/.test(JSON.stringify(value)));
        expect(encodePayload(value, what)).toBe(JSON.stringify(value));
        expect(JSON.stringify(JSON.parse(encodePayload(value, what)))).toBe(JSON.stringify(value));
      }),
    );
  });

  it("either encodes or throws a FloxyError, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withSparseArray: true,
          withNullPrototype: true,
          withBoxedValues: true,
        }),
        (value) => {
          try {
            const text = encodePayload(value, what);
            expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/);
            expect(text).toBe(JSON.stringify(value));
          } catch (error) {
            expect(error).toBeInstanceOf(FloxyError);
          }
        },
      ),
    );
  });

  it("leaves out members that are undefined and calls toJSON, as JSON.stringify does", () => {
    expect(encodePayload({ a: undefined, b: [undefined], c: new Date(0) }, what)).toBe(
      '{"b":[null],"c":"1970-01-01T00:00:00.000Z"}',
    );
  });

  it("calls toJSON once", () => {
    let calls = 0;
    const value = { toJSON: () => ({ calls: ++calls }) };
    expect(encodePayload({ value }, what)).toBe('{"value":{"calls":1}}');
  });

  it("accepts objects without prototype and objects of another realm", async () => {
    const { runInNewContext } = await import("node:vm");
    expect(encodePayload(Object.assign(Object.create(null), { a: 1 }), what)).toBe('{"a":1}');
    expect(encodePayload(runInNewContext("({ a: [1, { b: 2 }] })"), what)).toBe('{"a":[1,{"b":2}]}');
  });

  it("keeps a member called __proto__ a member", () => {
    const value: unknown = JSON.parse('{"__proto__":{"admin":true},"d":0}');
    expect(encodePayload(value, what)).toBe('{"__proto__":{"admin":true},"d":0}');
    expect(encodePayload({ value, date: new Date(0) }, what)).toContain('{"__proto__":{"admin":true},"d":0}');
  });

  it.each([
    ["undefined itself", undefined, "undefined", ""],
    ["NaN", { a: [Number.NaN] }, "number", "a[0]"],
    ["infinity", { a: Number.POSITIVE_INFINITY }, "number", "a"],
    ["a bigint", { "a-b": 1n }, "bigint", "['a-b']"],
    ["a function", { f: () => 1 }, "function", "f"],
    ["a symbol", [Symbol("s")], "symbol", "[0]"],
    ["a Map", { m: new Map() }, "instance", "m"],
    ["a Set", { s: new Set() }, "instance", "s"],
    ["a class instance", { c: new (class Money {})() }, "instance", "c"],
    ["an Error", { e: new Error("no") }, "instance", "e"],
    ["a Promise", { p: Promise.resolve() }, "instance", "p"],
    ["binary data", { b: new Uint8Array(2) }, "instance", "b"],
    ["a NUL in text", { t: "a\u0000b" }, "nul_character", "t"],
    ["a NUL in a key", { o: { "a\u0000b": 1 } }, "nul_character", "o['a\\u0000b']"],
    ["half a surrogate pair", { t: ["\ud83d"] }, "lone_surrogate", "t[0]"],
    ["half a surrogate pair in a key", { "\ude00": 1 }, "lone_surrogate", "['\\ude00']"],
    ["a toJSON that throws", { j: { toJSON: () => fail() } }, "to_json", "j"],
    [
      "a getter that throws",
      Object.defineProperty({}, "g", { get: () => fail(), enumerable: true }),
      "unreadable",
      "g",
    ],
  ])("refuses %s and says where", (_name, value, code, path) => {
    const error = failureOf(value);
    expect(error.code).toBe("JSON_UNSTORABLE");
    expect(error.problems).toMatchObject([{ code, path }]);
    expect(error.message).toContain("the input cannot be stored as JSON:");
  });

  it("says what to do with a Map and a Set", () => {
    expect(failureOf(new Map()).message).toContain("Object.fromEntries(map)");
    expect(failureOf(new Set()).message).toContain("[...set]");
  });

  it("reports all problems together", () => {
    expect(failureOf({ a: 1n, b: [Number.NaN, () => 1] }).problems.map(({ path }) => path)).toEqual([
      "a",
      "b[0]",
      "b[1]",
    ]);
  });

  it("finds circles, and does not mistake a value used twice for one", () => {
    const circle: Record<string, unknown> = {};
    circle.self = { circle };
    expect(failureOf(circle).problems).toMatchObject([{ code: "circular", path: "self.circle" }]);
    const shared = { a: 1 };
    expect(encodePayload([shared, shared], what)).toBe('[{"a":1},{"a":1}]');
  });

  it("bounds the depth", () => {
    expect(encodePayload(nested(jsonDepthLimit), what)).toBe(JSON.stringify(nested(jsonDepthLimit)));
    expect(failureOf(nested(jsonDepthLimit + 1)).problems).toMatchObject([{ code: "too_deep" }]);
    expect(failureOf(nested(1_000_000)).problems).toMatchObject([{ code: "too_deep" }]);
  });

  it("bounds the size in bytes of UTF-8, and says both", () => {
    expect(encodePayload("é".repeat(4), what, 10)).toBe('"éééé"');
    const error = failureOf("é".repeat(5), 10);
    expect(error.code).toBe("PAYLOAD_TOO_LARGE");
    expect(error.message).toContain("12 bytes as JSON, and the limit is 10");
  });

  it("gives up early on values that unfold without end", () => {
    let value: unknown = "x";
    for (let level = 0; level < 100; level += 1) value = [value, value];
    expect(failureOf(value).code).toBe("PAYLOAD_TOO_LARGE");
    const text = "x".repeat(1_000_000);
    expect(failureOf(Array.from({ length: 100_000 }, () => text)).code).toBe("PAYLOAD_TOO_LARGE");
  });

  it("does not mistake a backslash followed by u0000 for a NUL", () => {
    expect(encodePayload({ t: "\\u0000 \\ud800" }, what)).toBe('{"t":"\\\\u0000 \\\\ud800"}');
    expect(encodePayload("😀", what)).toBe('"😀"');
  });
});

describe("encodeOutput", () => {
  it("stores nothing as null, and everything else as encodePayload does", () => {
    expect(encodeOutput(undefined, what)).toBe("null");
    expect(encodeOutput({ a: 1 }, what)).toBe('{"a":1}');
  });
});

const fail = (): never => {
  throw new Error("no");
};
