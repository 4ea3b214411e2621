import { defaultPayloadLimit } from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { chainOf, createTestDatabase, quiet } from "./testing/database.ts";

const order = workflow({
  name: "order",
  version: 1,
  input: z.object({ id: z.string(), lines: z.array(z.object({ price: z.number() })) }),
})
  .step(defineStep("charge", defineHandler<unknown, null>({ name: "charge" })))
  .build();
const input = { id: "o-1", lines: [{ price: 2 }] };

let database: TestDatabase;
let client: FloxyClient;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  await client.register(order);
  await client.register(chainOf("free", ["charge"]));
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

/** Expects an error, and that not one row was written. */
const expectRefused = async (call: () => Promise<unknown>, code: string, message: RegExp): Promise<void> => {
  const before = await database.counts();
  await expect(call()).rejects.toMatchObject({ name: "FloxyError", code, message: expect.stringMatching(message) });
  expect(await database.counts()).toEqual(before);
};

const start = (value: unknown, options = {}) => client.start("free", value, options);
const circular: Record<string, unknown> = {};
circular.self = circular;

describe("a start that cannot be", () => {
  it.each([
    ["an unknown definition", () => client.start("no-such", 1), "DEFINITION_NOT_FOUND", /'no-such'.*Register it first/],
    ["an unknown version", () => start(1, { version: 9 }), "DEFINITION_NOT_FOUND", /'free' version 9/],
    ["a version that is none", () => start(1, { version: 1.5 }), "OPTION_INVALID", /integer from 1.*not 1.5/],
    ["a version that no column holds", () => start(1, { version: 2 ** 40 }), "OPTION_INVALID", /integer from 1/],
    [
      "a version of another workflow",
      () => client.start(order, input, { version: 2 }),
      "OPTION_INVALID",
      /leave it out/,
    ],
    ["an empty name", () => client.start("", 1), "NAME_INVALID", /name is empty/],
    ["an odd name", () => client.start("a b'; DROP", 1), "NAME_INVALID", /' ' as character 2/],
    ["an odd name with a version", () => client.start("a\0b", 1, { version: 1 }), "NAME_INVALID", /\\u0000/],
    ["a name that is no text", () => client.start(7 as never, 1 as never), "NAME_INVALID", /must be text/],
    [
      "an input that does not fit the workflow",
      () => client.start(order, { id: 1, lines: [{ price: "2" }] } as never),
      "INPUT_INVALID",
      /id: .*lines\[0\]\.price: /,
    ],
    [
      "an input that does not fit the registered schema",
      () => client.start("order", { id: "x", lines: [{}] }),
      "INPUT_INVALID",
      /lines\[0\]\.price/,
    ],
    ["no input", () => start(undefined), "JSON_UNSTORABLE", /undefined; use null/],
    ["a NUL in text", () => start({ a: ["x\0y"] }), "JSON_UNSTORABLE", /a\[0\].*\\u0000/],
    ["a NUL in a key", () => start({ "a\0": 1 }), "JSON_UNSTORABLE", /the key contains/],
    ["a lone surrogate", () => start({ a: "\ud83d" }), "JSON_UNSTORABLE", /half of a surrogate pair/],
    ["NaN", () => start({ a: Number.NaN }), "JSON_UNSTORABLE", /NaN is not a JSON number/],
    ["a bigint", () => start({ a: 1n }), "JSON_UNSTORABLE", /bigint/],
    ["a Map", () => start({ a: new Map() }), "JSON_UNSTORABLE", /Object.fromEntries/],
    ["a circle", () => start(circular), "JSON_UNSTORABLE", /contains itself/],
    ["too large an input", () => start("x".repeat(defaultPayloadLimit)), "PAYLOAD_TOO_LARGE", /limit is 1048576/],
    ["too large metadata", () => start(1, { metadata: { a: "x".repeat(2_000_000) } }), "PAYLOAD_TOO_LARGE", /metadata/],
    ["a NUL in metadata", () => start(1, { metadata: { a: "\0" } }), "JSON_UNSTORABLE", /metadata.*\\u0000/],
    ["metadata that is a list", () => start(1, { metadata: [1] }), "OPTION_INVALID", /metadata must be a JSON object/],
    ["metadata that is text", () => start(1, { metadata: "a" }), "OPTION_INVALID", /metadata must be a JSON object/],
    ["a priority over 100", () => start(1, { priority: 101 }), "OPTION_INVALID", /0 to 100, not 101/],
    ["a broken priority", () => start(1, { priority: 1.5 }), "OPTION_INVALID", /0 to 100, not 1.5/],
    ["a priority that is text", () => start(1, { priority: "high" }), "OPTION_INVALID", /0 to 100, not high/],
    ["an empty key", () => start(1, { idempotencyKey: "" }), "OPTION_INVALID", /1 to 200 characters/],
    ["too long a key", () => start(1, { idempotencyKey: "k".repeat(201) }), "OPTION_INVALID", /1 to 200 characters/],
    ["a NUL in a key", () => start(1, { idempotencyKey: "a\0" }), "OPTION_INVALID", /without NUL/],
    ["a lone surrogate in a key", () => start(1, { idempotencyKey: "\udc00" }), "OPTION_INVALID", /idempotency key/],
    ["a key that is a number", () => start(1, { idempotencyKey: 5 }), "OPTION_INVALID", /not number/],
    ["a transaction that is no client", () => start(1, { transaction: {} }), "OPTION_INVALID", /method query/],
  ])("is refused with a typed error, and nothing is written: %s", async (_, call, code, message) => {
    await expectRefused(call, code, message);
  });

  it("is refused in the caller's terms: every problem has its path", async () => {
    const call = client.start(order, { id: 1, lines: [{ price: "2" }] } as never);
    await expect(call).rejects.toMatchObject({ problems: [{ path: "id" }, { path: "lines[0].price" }] });
  });

  it("does not keep what is sent beside it from starting", async () => {
    const calls = [start(1), start("\0"), start(2), client.start("no-such", 1), start(3, { priority: -1 }), start(4)];
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status === "fulfilled")).toEqual([true, false, true, false, false, true]);
  });

  it("may be as large as the limit that was set", async () => {
    const small = new FloxyClient({ connectionString: database.url, listenConnectionString: false, payloadLimit: 10 });
    expect((await small.start("free", "12345678")).created).toBe(true);
    await expectRefused(() => small.start("free", "123456789"), "PAYLOAD_TOO_LARGE", /limit is 10/);
    await small.close();
  });
});

describe("a name or a text with odd but fair characters", () => {
  it("comes back as it was given", async () => {
    const value = { "ключ 🔑": "'; DROP TABLE floxy.instance; -- \\u0000 \u{10ffff}", "": [null, true, -0.5, 1e300] };
    const idempotencyKey = "ключ '\"\\ 🔑";
    const handle = await start(value, { metadata: { "'": '"' }, idempotencyKey });
    expect(await handle.get()).toMatchObject({ input: value, metadata: { "'": '"' }, idempotencyKey });
  });
});

describe("options of a client", () => {
  it("are refused together", () => {
    const options = { connectionString: "", maxConnections: 0, payloadLimit: 1.5, startTimeoutMs: Number.NaN };
    expect(() => new FloxyClient(options)).toThrow(
      /connectionString is missing.*payloadLimit must be.*maxConnections must be.*startTimeoutMs must be/,
    );
  });
});
