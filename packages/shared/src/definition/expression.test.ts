import { describe, expect, it } from "vitest";
import { FloxyError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { ExpressionScope } from "./expression.ts";
import {
  checkExpression,
  compileExpression,
  evaluate,
  evaluateCondition,
  evaluateIfPresent,
  references,
} from "./expression.ts";

const scope: ExpressionScope = {
  input: { x: 2, name: "Ada" },
  value: {
    amount: 1500.5,
    a: 3,
    count: 3,
    nothing: null,
    text: "abc",
    tags: ["new", "vip"],
    numbers: [1, 2],
    items: [
      { price: 1.5, quantity: 2 },
      { price: 2, quantity: 3 },
    ],
    car: { constructor: "Ferrari", wheels: 4 },
    odd: JSON.parse('{"__proto__":{"z":1}}') as Json,
  },
  steps: { charge: { id: "c1" }, "reserve-stock": 5, constructor: "named so" },
};

const resultOf = (text: string, within = scope): Json => evaluate(compileExpression(text), within);

const failureOf = (run: () => unknown): FloxyError => {
  try {
    run();
  } catch (error) {
    if (error instanceof FloxyError) return error;
    throw error;
  }
  throw new Error("it did not fail");
};

const codesOf = (text: string): readonly string[] => checkExpression(text).map(({ code }) => code);

describe("evaluate", () => {
  it.each<[string, Json]>([
    ["value.amount > 1000", true],
    ["value.a + 1", 4],
    ["1 + value.a", 4],
    ["input.x * 2", 4],
    ["value.a - 1", 2],
    ["value.a / 2", 1.5],
    ["value.a % 2", 1],
    ["-value.a", -3],
    ["value.count == 3", true],
    ["3.0 == 3", true],
    ["value.count != 4", true],
    ["7 / 2", 3],
    ["size(value.items) == 2", true],
    ["value.numbers == [1, 2]", true],
    ["value.a in [1, 2, 3]", true],
    ["'vip' in value.tags", true],
    ["'a' in value", true],
    ["value.nothing == null", true],
    ["value.nothing == 'x'", false],
    ["value.items[0].price", 1.5],
    ["value.items.map(i, i.price * i.quantity)", [3, 6]],
    ["value.items.filter(i, i.quantity > 2)[0].price", 2],
    ["value.items.exists(i, i.price == 2)", true],
    ["value.items.all(i, i.price > 0.0)", true],
    ["{'sku': value.text, 'tags': value.tags + ['x'], 'n': 1}", { sku: "abc", tags: ["new", "vip", "x"], n: 1 }],
    ["[1, 'a', null, true]", [1, "a", null, true]],
    ["value.a > 2 ? 'many' : 'few'", "many"],
    ["'Hello ' + input.name", "Hello Ada"],
    ["string(value.a) + value.text.upperAscii()", "3ABC"],
    ["has(value.a) && !has(value.b)", true],
    ["value.?b.?c.orValue('none')", "none"],
    ["value.?b", null],
    ["[value.?b, 1]", [null, 1]],
    ["steps.charge.id", "c1"],
    ["steps['reserve-stock'] + 1", 6],
    ["type(value.a) == double", true],
    ["timestamp('2026-01-01T00:00:00+01:00') + duration('90m')", "2026-01-01T00:30:00.000Z"],
    ["timestamp('2026-03-01T00:00:00Z').getMonth()", 2],
    ["value.text.size()", 3],
  ])("%s", (text, expected) => {
    expect(checkExpression(text)).toEqual([]);
    expect(resultOf(text)).toEqual(expected);
  });

  it("sees values that are no objects", () => {
    expect(resultOf("value", { ...scope, value: null })).toBeNull();
    expect(resultOf("value + 1", { ...scope, value: 1 })).toBe(2);
    expect(resultOf("value[1]", { ...scope, value: [1, 2] })).toBe(2);
  });

  it("gives the same each time, and can be used again after a failure", () => {
    const compiled = compileExpression("value.items.map(i, i.price)");
    expect(evaluate(compiled, scope)).toEqual([1.5, 2]);
    expect(failureOf(() => evaluate(compiled, { ...scope, value: {} })).code).toBe("EXPRESSION_FAILED");
    expect(evaluate(compiled, scope)).toEqual([1.5, 2]);
  });

  it("does not let prototypes through", () => {
    for (const text of ["value.__proto__", "value.constructor", "value['constructor']", "value.text.constructor"]) {
      expect(failureOf(() => resultOf(text)).message, text).toContain("does not exist");
    }
    expect(failureOf(() => resultOf("value.toString")).code).toBe("EXPRESSION_FAILED");
    expect(resultOf("'toString' in value")).toBe(false);
    expect(failureOf(() => resultOf("steps.toString")).message).toContain("the path steps.toString does not exist");
  });

  it("reads data whose members are called constructor or __proto__", () => {
    expect(resultOf("value.car.wheels")).toBe(4);
    expect(resultOf("value.car.constructor")).toBe("Ferrari");
    expect(resultOf("value.car")).toEqual({ constructor: "Ferrari", wheels: 4 });
    expect(resultOf("steps.constructor")).toBe("named so");
    expect(resultOf("value.odd.__proto__.z")).toBe(1);
    expect(JSON.stringify(resultOf("value.odd"))).toBe('{"__proto__":{"z":1}}');
    expect(({} as { z?: unknown }).z).toBeUndefined();
  });
});

describe("a failing expression", () => {
  it.each([
    ["value.customer.name + 'x'", "value.customer"],
    ["value.items[7].price", "value.items[7]"],
    ["value.text.length", "value.text.length"],
    ["steps.refund.id", "steps.refund"],
    ["value.nothing.x", "value.nothing.x"],
    ["value.items.map(i, i.tax)", "i.tax"],
  ])("%s says the expression and the missing path", (text, path) => {
    const error = failureOf(() => resultOf(text));
    expect(error.code).toBe("EXPRESSION_FAILED");
    expect(error.message).toBe(`expression '${text}' failed: the path ${path} does not exist`);
    expect(error.data).toEqual({ expression: text, missingPath: path });
  });

  it.each([
    ["value.text + 1", "no such overload: string + int"],
    ["value.text.substring(value.a)", "write int(…)"],
    ["value.a ? 1 : 2", "got 'double'"],
    ["value.a / 0", "division by zero"],
    ["value.a / (value.a - 3)", "division by zero"],
    ["value.a % 0", "division by zero"],
    ["1 / 0", "division by zero"],
    ["9007199254740993", "too large to be exact"],
    ["9223372036854775807 + 1", "overflow"],
    ["duration('1h')", "no JSON"],
    ["type(1)", "no JSON"],
    ["timestamp('2026-01-01T00:00:00')", "needs an offset"],
    ["int('x')", "cannot convert to int"],
  ])("%s says why", (text, reason) => {
    const error = failureOf(() => resultOf(text));
    expect(error.code).toBe("EXPRESSION_FAILED");
    expect(error.message).toContain(reason);
    expect(error.data).toEqual({ expression: text });
  });
});

describe("evaluateIfPresent", () => {
  it("gives undefined for a path that does not exist or an optional without a value, and fails otherwise", () => {
    const present = (text: string): Json | undefined => evaluateIfPresent(compileExpression(text), scope);
    expect(present("value.a")).toBe(3);
    expect(present("value.nothing")).toBeNull();
    expect(present("value.b.c")).toBeUndefined();
    expect(present("value.items[9]")).toBeUndefined();
    expect(present("value.?b")).toBeUndefined();
    expect(failureOf(() => present("value.text + 1")).code).toBe("EXPRESSION_FAILED");
  });
});

describe("evaluateCondition", () => {
  it("gives true or false, and takes nothing else for them", () => {
    expect(evaluateCondition(compileExpression("value.amount > 1000"), scope)).toBe(true);
    const cases = [
      ["value.a", "a number"],
      ["value.text", "text"],
      ["value.items", "a list"],
      ["value", "an object"],
      ["value.nothing", "null"],
      ["value.?b", "null"],
    ] as const;
    for (const [text, kind] of cases) {
      const error = failureOf(() => evaluateCondition(compileExpression(text), scope));
      expect(error.code).toBe("EXPRESSION_FAILED");
      expect(error.message).toContain(`must give true or false, and it gave ${kind}`);
    }
  });
});

describe("checkExpression", () => {
  it("reports everything that is wrong, with the path", () => {
    const problems = checkExpression("bar + foo(1) + value.text.matches('a')", "nodes[0].when");
    expect(problems.map(({ code }) => code).sort()).toEqual([
      "function_not_allowed",
      "unknown_function",
      "unknown_variable",
    ]);
    expect(problems.every(({ path }) => path === "nodes[0].when")).toBe(true);
  });

  it.each([
    ["value.a +", "expression_syntax"],
    ["", "expression_syntax"],
    ["bar", "unknown_variable"],
    ["i.price", "unknown_variable"],
    ["google.protobuf", "unknown_variable"],
    ["constructor", "unknown_variable"],
    ["foo(1)", "unknown_function"],
    ["value.foo()", "unknown_function"],
    ["toString()", "unknown_function"],
    ["value.text.matches('a')", "function_not_allowed"],
    ["value.items.exists(i, i.name.matches('(a+)+$'))", "function_not_allowed"],
    ["timestamp('2026-01-01T00:00:00Z').getDayOfYear()", "function_not_allowed"],
    ["timestamp('2026-01-01T00:00:00Z').getHours('Europe/Berlin')", "function_not_allowed"],
    ["steps[value.a]", "dynamic_reference"],
    ["steps.map(s, s)", "dynamic_reference"],
    ["size(steps)", "dynamic_reference"],
    ["value.items.map(value, value.price)", "reserved_variable"],
    ["{'__proto__': 1}", "expression_key"],
    ["b'bytes'", "expression_literal"],
    ["1u", "expression_literal"],
    ["'a' + 1", "expression_type"],
    ["value.a == 3 ? 'x' : 1", "expression_type"],
  ])("%s: %s", (text, code) => {
    expect(codesOf(text)).toEqual([code]);
  });

  it("refuses what is not text", () => {
    expect(checkExpression(1)).toMatchObject([{ code: "expression_syntax" }]);
  });

  it.each([
    ["deep parentheses", `${"(".repeat(1_900)}1${")".repeat(1_900)}`],
    ["a long run of !", `${"!".repeat(3_900)}true`],
    ["a long run of -", `${"-".repeat(900)}1`],
    ["deep lists", `${"[".repeat(250)}${"]".repeat(250)}`],
    ["a long path", `value${".a".repeat(250)}`],
    ["a long sum", `1${"+1".repeat(600)}`],
    ["a deep sum", `1${"+1".repeat(300)}`],
    ["a long list", `[${"1,".repeat(300)}1]`],
    ["a long text", `'${"a".repeat(5_000)}'`],
    ["a huge text", `'${"a".repeat(5_000_000)}'`],
  ])("refuses %s as too complex", (_name, text) => {
    expect(codesOf(text)).toEqual(["expression_too_complex"]);
    expect(checkExpression(text)[0]?.message.length).toBeLessThan(500);
  });

  it("makes compileExpression throw the same problems", () => {
    const error = failureOf(() => compileExpression("foo(bar)"));
    expect(error.code).toBe("EXPRESSION_INVALID");
    expect(error.problems.map(({ code }) => code)).toEqual(["unknown_function", "unknown_variable"]);
  });
});

describe("references", () => {
  it("says what an expression uses", () => {
    expect(references("1 + 1")).toEqual({ input: false, value: false, steps: [] });
    expect(references("input.a == value.b")).toEqual({ input: true, value: true, steps: [] });
    expect(references("steps.a.b + steps['c-d'] + steps.?e.orValue(1) + steps[?'f'].orValue(2) + steps.a.x")).toEqual({
      input: false,
      value: false,
      steps: ["a", "c-d", "e", "f"],
    });
    expect(references("value.list.exists(s, s.steps.x == steps.y)").steps).toEqual(["y"]);
    expect(references("has(steps.a)").steps).toEqual(["a"]);
  });
});

describe("the bound on evaluation", () => {
  const list = Array.from({ length: 200_000 }, (_, index) => index);
  const big: ExpressionScope = {
    input: { text: "a".repeat(1_000_000), needle: `${"a".repeat(500_000)}b`, digits: "1".repeat(2_000) },
    value: list,
    steps: {},
  };

  it("leaves room for what a definition would do", () => {
    expect(resultOf("value.map(x, x + 1).size()", big)).toBe(200_000);
    expect(resultOf("value == value", big)).toBe(true);
    expect(resultOf("input.text.contains(input.needle)", big)).toBe(false);
  });

  it.each([
    ["nested map", "value.map(x, value.map(y, x * y)).size()"],
    ["nested exists", "value.exists(x, value.exists(y, x + y == -1))"],
    ["nested exists whose error || would pass over", "value.exists(x, value.exists(y, x + y == -1)) || true"],
    ["comparing long lists again and again", "value.all(x, value == value)"],
    ["searching a long list again and again", "value.map(x, x in value)"],
    ["joining long lists again and again", "value.map(x, value + value).size()"],
    ["joining long texts", "value.map(x, input.text).join('')"],
    ["a result with a long text many times", "value.map(x, input.text)"],
    ["doubling text", `['aaaaaaaa']${".map(x, x + x)".repeat(60)}`],
    ["doubling lists", `[[1, 1]]${".map(x, x + x)".repeat(60)}`],
    ["nesting lists twice each", `[1]${".map(x, [x, x])".repeat(60)}`],
    ["a duration of many digits", "duration(input.digits)"],
  ])("stops %s", (_name, text) => {
    const begin = performance.now();
    expect(failureOf(() => resultOf(text, big)).code).toBe("EXPRESSION_FAILED");
    // Generous: it takes about 0.2 s; without the bound it takes minutes or all memory.
    expect(performance.now() - begin).toBeLessThan(5_000);
  });
});
