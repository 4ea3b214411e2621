import type { StandardSchemaV1 } from "@standard-schema/spec";
import { expect, test } from "vitest";
import { z } from "zod";
import { toJsonSchema, typeOnly, validateWith } from "./schema.ts";

const what = { code: "INPUT_INVALID", subject: "the input" } as const;

/** A schema as a library other than zod might make it: asynchronous, with path segments as objects. */
const failing = (...issues: StandardSchemaV1.Issue[]): StandardSchemaV1 => ({
  "~standard": { version: 1, vendor: "test", validate: async () => ({ issues }) },
});

test("a value that fits comes back as the schema makes it", async () => {
  expect(await validateWith(z.string().transform(Number), "42", what)).toBe(42);
});

test("all problems are listed with their paths", async () => {
  const schema = failing(
    { message: "is empty" },
    { message: "is too long", path: [{ key: "lines" }, 0, "odd key", Symbol.for("s")] },
  );
  await expect(validateWith(schema, {}, what)).rejects.toMatchObject({
    code: "INPUT_INVALID",
    message: "the input does not fit its schema: is empty; lines[0]['odd key']['Symbol(s)']: is too long",
    problems: [
      { path: "", code: "schema_mismatch", message: "is empty" },
      { path: "lines[0]['odd key']['Symbol(s)']", code: "schema_mismatch", message: "is too long" },
    ],
  });
});

test("the JSON Schema of a schema says what it takes, not what it makes", () => {
  expect(toJsonSchema(z.object({ total: z.string().transform(Number), note: z.string().default("") }))).toEqual({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: { total: { type: "string" }, note: { type: "string", default: "" } },
    required: ["total"],
  });
});

test("a schema that JSON Schema has no words for has no JSON Schema", () => {
  expect(toJsonSchema(z.object({ at: z.date() }))).toBeUndefined();
});

test("a library without Standard JSON Schema has no JSON Schema", () => {
  expect(toJsonSchema(failing())).toBeUndefined();
});

test("a schema that only carries a type lets everything pass", async () => {
  expect(await validateWith(typeOnly<number>(), "anything", what)).toBe("anything");
  expect(toJsonSchema(typeOnly<number>())).toBeUndefined();
});
