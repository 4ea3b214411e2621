import { isFloxyError } from "@floxy/shared";
import { expect, test } from "vitest";
import { refText } from "./expression.ts";
import type { Ref } from "./ref.ts";
import { makeRef } from "./ref.ts";

interface Order {
  readonly id: string;
  readonly total: number;
  readonly lines: readonly { readonly sku: string }[];
  readonly "odd key": { readonly in: string; readonly "é\"'\\": string };
}

const input: Ref<Order> = makeRef<Order>("input");

const problemOf = (misuse: () => unknown): unknown => {
  try {
    misuse();
  } catch (error) {
    return isFloxyError(error, "DEFINITION_INVALID") ? error.problems[0] : error;
  }
  return undefined;
};

test("a reference is the path to what it was taken from", () => {
  expect(refText(input)).toBe("input");
  expect(refText(input.id)).toBe("input.id");
  expect(refText(input.lines[0]?.sku)).toBe("input.lines[0].sku");
});

test("keys that cannot stand behind a dot are quoted", () => {
  expect(refText(input["odd key"])).toBe('input["odd key"]');
  expect(refText(input["odd key"].in)).toBe('input["odd key"]["in"]');
  expect(refText(input["odd key"]["é\"'\\"])).toBe('input["odd key"]["é\\"\'\\\\"]');
});

test("fields that are called like methods of objects are fields", () => {
  const odd = makeRef<{ toString: number; constructor: number; then: number; toJSON: number }>("value");
  expect(refText(odd.toString)).toBe("value.toString");
  expect(refText(odd.constructor)).toBe("value.constructor");
  expect(refText(odd.then)).toBe("value.then");
});

test("the same member is the same reference", () => {
  expect(input.id).toBe(input.id);
});

test("nothing else has a path", () => {
  for (const other of [undefined, null, "input", 1, {}, () => input]) expect(refText(other)).toBeUndefined();
});

test.each<[string, () => unknown, string]>([
  ["in a template", () => `${input.id}`, "used as text or as a number"],
  ["in arithmetic", () => Number(input.total) * 2, "used as text or as a number"],
  ["in a comparison", () => (input.total as unknown as number) > 1, "used as text or as a number"],
  ["in a list pattern", () => [...(input.lines as unknown as Iterable<unknown>)], "iterated"],
  ["in a spread", () => ({ ...input }), "spread or listed"],
  ["in Object.keys", () => Object.keys(input), "spread or listed"],
  ["in JSON", () => JSON.stringify(input.id), "spread or listed"],
  ["with the operator in", () => "id" in input, "asked for its keys"],
  ["as something to write to", () => Object.assign(input, { id: "x" }), "written to"],
])("a reference %s says what to do instead", (_, misuse, words) => {
  expect(problemOf(misuse)).toMatchObject({
    path: expect.stringMatching(/^input/),
    code: "reference_misused",
    message: expect.stringContaining(words),
  });
});
