import type { Json } from "@floxy/shared";
import { evaluateMapping } from "@floxy/shared";
import { expect, test } from "vitest";
import { expr, optional, required } from "./expression.ts";
import { toMapping } from "./mapping.ts";
import { makeRef } from "./ref.ts";

interface Order {
  readonly id: string;
  readonly note?: string;
  readonly address?: { readonly zip: string };
}

const input = makeRef<Order>("input");
const data: Json = { id: "o1" };
const filled = (template: unknown): Json =>
  evaluateMapping(toMapping(template, "x"), { input: data, value: null, steps: {} });

test("references become expressions and literals stand for themselves", () => {
  const template = { id: input.id, kind: "order", deep: [{ whole: input }, null, true, 1.5] };
  expect(toMapping(template, "x")).toEqual({
    id: { $: "input.id" },
    kind: "order",
    deep: [{ whole: { $: "input" } }, null, true, 1.5],
  });
  expect(filled(template)).toEqual({ id: "o1", kind: "order", deep: [{ whole: data }, null, true, 1.5] });
});

test("a mapping can be a single reference", () => {
  expect(toMapping(input, "x")).toEqual({ $: "input" });
});

test("an optional member is left out when there is nothing to fill it with", () => {
  expect(toMapping({ note: optional(input.note) }, "x")).toEqual({ note: { "$?": "input.note" } });
  expect(filled({ note: optional(input.note), zip: optional(input.address?.zip), id: optional(input.id) })).toEqual({
    id: "o1",
  });
});

test("a required value is a plain reference, and fails when it is absent", () => {
  expect(toMapping(required(input.note), "x")).toEqual({ $: "input.note" });
  expect(() => filled({ note: required(input.note) })).toThrow(/input\.note/);
});

test("an expression is taken as it is written, and has members", () => {
  const pair = expr<{ a: number }>('{"a": 1 + 1}');
  expect(filled({ pair, a: pair.a })).toEqual({ pair: { a: 2 }, a: 2 });
});

test("a literal object that looks like an expression still stands for itself", () => {
  for (const literal of [{ $: "input.id" }, { "$?": [1, 2] }, { $: { $: { text: 'a "b" \\ c', no: null } } }]) {
    expect(filled({ literal })).toEqual({ literal });
  }
  expect(filled({ $: input.id })).toEqual({ $: "o1" });
  expect(filled({ $: 1, other: 2 })).toEqual({ $: 1, other: 2 });
});

test("members that are undefined are left out", () => {
  expect(toMapping({ a: undefined, b: 1 }, "x")).toEqual({ b: 1 });
});

test.each<[string, unknown, RegExp]>([
  ["a function", { a: () => 1 }, /charge\.input\.a: .* a value of type function/],
  ["a date", [new Date(0)], /charge\.input\[0\]: .* an instance of Date/],
  ["NaN", { a: { b: Number.NaN } }, /charge\.input\.a\.b: .* the number NaN/],
  ["nothing at all", undefined, /charge\.input: .* a value of type undefined/],
  ["a promise", Promise.resolve({}), /cannot be async/],
  ["an optional inside a marked literal", { $: optional(input.note) }, /optional\(\.\.\.\) cannot stand/],
])("a mapping with %s is refused at its path", (_, template, message) => {
  expect(() => toMapping(template, "charge.input")).toThrow(message);
});

test("optional and required want a reference", () => {
  expect(() => optional("input.note" as never)).toThrow(/optional\(\.\.\.\) takes a reference/);
  expect(() => required(undefined)).toThrow(/required\(\.\.\.\) takes a reference/);
});
