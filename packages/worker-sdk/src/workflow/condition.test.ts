import type { Json } from "@floxy/shared";
import { compileExpression, evaluateCondition } from "@floxy/shared";
import { expect, test } from "vitest";
import type { Condition } from "./condition.ts";
import {
  and,
  atLeast,
  atMost,
  conditionText,
  equal,
  greaterThan,
  isPresent,
  lessThan,
  not,
  notEqual,
  or,
} from "./condition.ts";
import { expr, required } from "./expression.ts";
import { makeRef } from "./ref.ts";

interface Order {
  readonly total: number;
  readonly country: "DE" | "AT";
  readonly paid: boolean;
  readonly note?: string | null;
  readonly address?: { readonly zip?: string; readonly "odd key"?: number };
  readonly lines: readonly { readonly sku: string }[];
}

const input = makeRef<Order>("input");
const order = { total: 99.5, country: "DE", paid: false, lines: [{ sku: "a" }] };

const holds = (condition: Condition | string, data: Json = order): boolean =>
  evaluateCondition(compileExpression(conditionText(condition)), { input: data, value: null, steps: {} });

test("comparisons compare references with literals and with each other", () => {
  expect(conditionText(greaterThan(input.total, 1000))).toBe("input.total > 1000");
  expect(conditionText(equal(input.country, "DE"))).toBe('input.country == "DE"');
  expect(holds(equal(input.country, "DE"))).toBe(true);
  expect(holds(notEqual(input.country, "DE"))).toBe(false);
  expect(holds(equal(input.paid, false))).toBe(true);
  expect(holds(greaterThan(input.total, 99))).toBe(true);
  expect(holds(atLeast(input.total, 99.5))).toBe(true);
  expect(holds(lessThan(input.total, input.total))).toBe(false);
  expect(holds(atMost(input.total, 1e21))).toBe(true);
  expect(holds(greaterThan(input.total, -Number.MAX_SAFE_INTEGER * 4))).toBe(true);
});

test("text in a comparison is quoted", () => {
  const text = 'a "b" \\ \n c\u2028';
  expect(holds(equal(expr<string>("input.text"), text), { text })).toBe(true);
});

test("conditions are put together with brackets, so that none changes the meaning of another", () => {
  const mixed = and(
    or(equal(input.paid, true), "input.total > 1.0" as unknown as Condition),
    not(isPresent(input.note)),
  );
  expect(holds(mixed)).toBe(true);
  expect(holds(not(and(expr<boolean>("false || true"), expr<boolean>("true"))))).toBe(false);
  expect(conditionText(and(equal(input.paid, true)))).toBe("input.paid == true");
});

test("an expression in a comparison keeps its own meaning", () => {
  expect(holds(equal(expr<boolean>("false && false"), false))).toBe(true);
});

test("a value is present when it is there and not null, whatever is missing on the way", () => {
  const zip = isPresent(input.address?.zip);
  expect(holds(zip)).toBe(false);
  expect(holds(zip, { ...order, address: null })).toBe(false);
  expect(holds(zip, { ...order, address: {} })).toBe(false);
  expect(holds(zip, { ...order, address: { zip: null } })).toBe(false);
  expect(holds(zip, { ...order, address: { zip: "1010" } })).toBe(true);
});

test("presence of odd keys and of places in a list can be asked for", () => {
  const odd = isPresent(input.address?.["odd key"]);
  expect(holds(odd, { ...order, address: { "odd key": 1 } })).toBe(true);
  expect(holds(odd, { ...order, address: {} })).toBe(false);
  expect(holds(isPresent(input.lines[0]))).toBe(true);
  expect(holds(isPresent(input.lines[1]?.sku))).toBe(false);
});

test("presence guards what comes after it", () => {
  const short = and(isPresent(input.note), equal(required(input.note), "x"));
  expect(holds(short)).toBe(false);
  expect(holds(short, { ...order, note: "x" })).toBe(true);
});

test("a value as a whole is present unless it is null", () => {
  expect(conditionText(isPresent(makeRef("value")))).toBe("value != null");
});

test.each([{}, Number.NaN, undefined, () => 1])("%s is nothing to compare with", (operand) => {
  expect(() => equal(input.total, operand as never)).toThrow(/a condition compares/);
});

test("what is no condition is refused", () => {
  expect(() => conditionText(true)).toThrow(/a condition is CEL text/);
  expect(() => isPresent(undefined)).toThrow(/takes a reference/);
});
