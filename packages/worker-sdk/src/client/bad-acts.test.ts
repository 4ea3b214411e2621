/** Acts that cannot be: each is refused with a typed error, and not one row is written. */
import { defaultPayloadLimit, newId } from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { codeOf, createTestDatabase, quiet } from "./testing/database.ts";
import { definitionOf, task } from "./testing/definitions.ts";

let database: TestDatabase;
let client: FloxyClient;
/** Waits for a decision, beside a task. */
let asking: string;
/** Has ended. */
let ended: string;
/** Has a dead letter of the step `b`, which takes an object with a number `n`. */
let stopped: string;
/** Has a dead letter of the compensation of `a`. */
let stuck: string;
/** Has a dead letter of a condition. */
let undecided: string;

const said = { requestedBy: "ops", reason: "INC-7" };
const nobody = newId();

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  const formSchema = { type: "object", properties: { limit: { type: "number" } }, required: ["limit"] } as const;
  const approve = { kind: "human", name: "approve", deciders: ["ann", "bob"], approvals: 2, formSchema } as const;
  await client.register(definitionOf("ask", [approve, task("later"), { ...approve, name: "second" }]));
  asking = (await client.start("ask", 1)).instanceId;
  await client.decide(asking, "approve", { kind: "confirm", by: "bob", form: { limit: 1 } });

  await client.register(definitionOf("end", [task("a")]));
  ended = (await client.start("end", 1)).instanceId;
  await database.complete("a", 1);

  const inputSchema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] } as const;
  await client.register(
    definitionOf("stop", [task("a"), { ...task("b"), inputSchema } as ReturnType<typeof task>], { onFailure: "dlq" }),
  );
  stopped = (await client.start("stop", 1)).instanceId;
  await database.complete("a", 1);
  await database.fail("b");

  await client.register(
    definitionOf("choose", [{ kind: "condition", name: "if", when: "value.no", then: [], else: [] }], {
      onFailure: "dlq",
    }),
  );
  undecided = (await client.start("choose", {})).instanceId;

  await client.register(definitionOf("undo", [task("a"), task("b")]));
  stuck = (await client.start("undo", 1)).instanceId;
  await database.complete("a", 1);
  await client.cancel(stuck, said);
  await database.fail("undo-a");
  await database.review();
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

const any = <T>(value: unknown): T => value as T;
const vote = (by: string) => ({ kind: "confirm", by, form: { limit: 1 } }) as const;

describe("an act that cannot be", () => {
  it("has fixtures that stand as the cases need them", async () => {
    const statuses = await Promise.all([asking, ended, stopped, stuck, undecided].map((id) => client.get(id)));
    expect(statuses.map(({ status }) => status)).toEqual(["running", "completed", "dlq", "dlq", "dlq"]);
  });

  it.each([
    ["on no instance", () => client.cancel(nobody, said), "INSTANCE_NOT_FOUND", /there is no instance/],
    ["on no id", () => client.abort("x'; --", said), "INSTANCE_NOT_FOUND", /is not the id of an instance/],
    ["on undefined", () => client.resume(any(undefined), said), "INSTANCE_NOT_FOUND", /'undefined' is not the id/],
    ["cancelling what has ended", () => client.cancel(ended, said), "INSTANCE_TERMINAL", /has ended 'completed'/],
    ["aborting what has ended", () => client.abort(ended, said), "INSTANCE_TERMINAL", /cannot be aborted/],
    ["a signal to what has ended", () => client.signal(ended, "s", { sentBy: "x" }), "INSTANCE_TERMINAL", /signal/],
    ["queueing in what has ended", () => client.requeue(ended, "a", said), "INSTANCE_TERMINAL", /cannot be changed/],
    [
      "a priority for what has ended",
      () => client.reprioritise(ended, { ...said, priority: 1 }),
      "INSTANCE_TERMINAL",
      /another priority/,
    ],
    ["resuming what has not failed", () => client.resume(ended, said), "INSTANCE_NOT_FAILED", /is 'completed'/],
    ["resuming what goes on", () => client.resume(asking, said), "INSTANCE_NOT_FAILED", /is 'running'/],
    ["a decision on no node", () => client.decide(asking, "no", vote("ann")), "STEP_NOT_FOUND", /'no' is no node/],
    ["a decision on a task", () => client.decide(asking, "later", vote("ann")), "STEP_NOT_FOUND", /is a task, not/],
    ["a decision on a number", () => client.decide(asking, any(5), vote("ann")), "STEP_NOT_FOUND", /'5' is no node/],
    [
      "a decision before its time",
      () => client.decide(asking, "second", vote("ann")),
      "DECISION_NOT_OPEN",
      /has not been reached yet/,
    ],
    [
      "a stranger's decision",
      () => client.decide(asking, "approve", vote("eve")),
      "DECISION_FORBIDDEN",
      /'ann', 'bob' may/,
    ],
    [
      "another vote",
      () => client.decide(asking, "approve", { kind: "reject", by: "bob" }),
      "DECISION_CONFLICT",
      /has decided 'approve' before: confirm/,
    ],
    [
      "a form that does not fit",
      () => client.decide(asking, "approve", { kind: "confirm", by: "ann", form: { limit: "a" } }),
      "INPUT_INVALID",
      /limit: /,
    ],
    ["no form", () => client.decide(asking, "approve", { kind: "confirm", by: "ann" }), "INPUT_INVALID", /form/],
    [
      "a form that cannot be stored",
      () => client.decide(asking, "approve", { ...vote("ann"), form: { limit: Number.NaN } }),
      "JSON_UNSTORABLE",
      /the form.*limit/,
    ],
    [
      "a decision that is none",
      () => client.decide(asking, "approve", any({ kind: "maybe", by: "ann" })),
      "OPTION_INVALID",
      /"confirm" or "reject", not 'maybe'/,
    ],
    [
      "a decision by nobody",
      () => client.decide(asking, "approve", any({ kind: "confirm" })),
      "OPTION_INVALID",
      /by must say who/,
    ],
    ["an odd signal", () => client.signal(asking, "a b", { sentBy: "x" }), "NAME_INVALID", /' ' as character 2/],
    [
      "a signal that cannot be stored",
      () => client.signal(asking, "s", { sentBy: "x", payload: "a\0" }),
      "JSON_UNSTORABLE",
      /the payload/,
    ],
    [
      "too large a signal",
      () => client.signal(asking, "s", { sentBy: "x", payload: "x".repeat(defaultPayloadLimit) }),
      "PAYLOAD_TOO_LARGE",
      /the payload/,
    ],
    [
      "an empty signal id",
      () => client.signal(asking, "s", { sentBy: "x", signalId: " " }),
      "OPTION_INVALID",
      /signalId/,
    ],
    ["queueing no step", () => client.requeue(stopped, "c", said), "STEP_NOT_FOUND", /'c' is no node/],
    ["queueing a live step", () => client.requeue(stopped, "a", said), "DEAD_LETTER_NOT_FOUND", /no dead letter/],
    [
      "queueing a compensation",
      () => client.requeue(stuck, "a", said),
      "DEAD_LETTER_NOT_FOUND",
      /use retryCompensation or skipCompensation/,
    ],
    [
      "calling the compensation of a dead step",
      () => client.retryCompensation(stopped, "b", said),
      "DEAD_LETTER_NOT_FOUND",
      /use requeue, resolve or discard/,
    ],
    [
      "an input that does not fit the handler",
      () => client.requeue(stopped, "b", { ...said, input: { n: "1" } }),
      "INPUT_INVALID",
      /does not fit handler 'b'.*n: /,
    ],
    [
      "an input for what calls no handler",
      () => client.requeue(undecided, "if", { ...said, input: 1 }),
      "OPTION_INVALID",
      /calls no handler/,
    ],
    [
      "an output that cannot be stored",
      () => client.resolve(stopped, "b", { ...said, output: 1n }),
      "JSON_UNSTORABLE",
      /the output/,
    ],
    [
      "a condition that is given no side",
      () => client.resolve(undecided, "if", { ...said, output: "yes" }),
      "OUTPUT_INVALID",
      /true or false/,
    ],
    [
      "giving up without a reason",
      () => client.discard(stopped, "b", any({ requestedBy: "ops" })),
      "OPTION_INVALID",
      /needs a reason/,
    ],
    [
      "skipping with an empty reason",
      () => client.skipCompensation(stuck, "a", { requestedBy: "ops", reason: " " }),
      "OPTION_INVALID",
      /needs a reason/,
    ],
    [
      "a priority over 100",
      () => client.reprioritise(asking, { ...said, priority: 101 }),
      "OPTION_INVALID",
      /0 to 100, not 101/,
    ],
    [
      "a priority that is text",
      () => client.reprioritise(asking, { ...said, priority: any("9") }),
      "OPTION_INVALID",
      /0 to 100, not 9/,
    ],
    ["no options", () => client.cancel(asking, any(undefined)), "OPTION_INVALID", /takes an object.*not undefined/],
    ["a list of options", () => client.cancel(asking, any([])), "OPTION_INVALID", /not a list/],
    [
      "a misspelt option",
      () => client.cancel(asking, any({ requestBy: "ops" })),
      "OPTION_INVALID",
      /no option 'requestBy'; it has requestedBy, reason/,
    ],
    [
      "an act by nobody",
      () => client.cancel(asking, { requestedBy: "" }),
      "OPTION_INVALID",
      /requestedBy must say who/,
    ],
    ["an act by a number", () => client.cancel(asking, any({ requestedBy: 7 })), "OPTION_INVALID", /not number/],
    [
      "too long a reason",
      () => client.cancel(asking, { requestedBy: "ops", reason: "x".repeat(4_001) }),
      "OPTION_INVALID",
      /at most 4000 characters.*not text of 4001/,
    ],
    [
      "a NUL in a reason",
      () => client.cancel(asking, { requestedBy: "ops", reason: "a\0" }),
      "OPTION_INVALID",
      /without NUL/,
    ],
    ["pausing an unknown name", () => client.pauseDefinition("no", said), "DEFINITION_NOT_FOUND", /nothing to pause/],
    ["pausing an odd name", () => client.pauseDefinition("a b", said), "NAME_INVALID", /character 2/],
    ["going on with an odd name", () => client.unpauseDefinition("", said), "NAME_INVALID", /is empty/],
    ["an unknown version", () => client.deprecate("ask", 9, said), "DEFINITION_NOT_FOUND", /version 9 is not/],
    ["half a version", () => client.deprecate("ask", 1.5, said), "OPTION_INVALID", /integer from 1.*not 1.5/],
    ["a version as text", () => client.undeprecate("ask", any("1"), said), "OPTION_INVALID", /integer from 1/],
    ["a deadline of nothing", () => client.start("end", 1, { deadlineMs: 0 }), "OPTION_INVALID", /deadline.*not 0/],
    ["a deadline as text", () => client.start("end", 1, { deadlineMs: any("5") }), "OPTION_INVALID", /deadline.*not 5/],
  ])("is refused with a typed error, and nothing is written: %s", async (_, call, code, message) => {
    await expectRefused(call, code, message);
  });
});

describe("reading that cannot be", () => {
  it.each([
    ["acts on no id", () => client.audit({ instanceId: "x" }), "INSTANCE_NOT_FOUND"],
    ["no acts", () => client.audit({ limit: 0 }), "OPTION_INVALID"],
    ["too many acts", () => client.audit({ limit: 501 }), "OPTION_INVALID"],
    ["a cursor of another kind", () => client.audit({ cursor: "1e3" }), "OPTION_INVALID"],
    ["a cursor beyond numbers", () => client.audit({ cursor: "9".repeat(30) }), "OPTION_INVALID"],
    ["a misspelt option", () => client.audit(any({ before: 1 })), "OPTION_INVALID"],
    ["an odd definition", () => client.deadLetters({ definition: "a b" }), "NAME_INVALID"],
    ["an odd handler", () => client.deadLetters({ handler: "" }), "NAME_INVALID"],
    ["an unknown kind", () => client.deadLetters({ kind: any("dead") }), "OPTION_INVALID"],
    ["half a dead letter", () => client.deadLetters({ limit: 0.5 }), "OPTION_INVALID"],
    ["a cursor that is none", () => client.deadLetters({ cursor: "a" }), "OPTION_INVALID"],
    [
      "a cursor of a day that is none",
      () => client.deadLetters({ cursor: `2026-02-30T00:00:00.000000Z/${nobody}/a` }),
      "OPTION_INVALID",
    ],
    [
      "a cursor with a NUL",
      () => client.deadLetters({ cursor: `2026-02-03T00:00:00.000000Z/${nobody}/\0` }),
      "OPTION_INVALID",
    ],
  ])("is refused: %s", async (_, call, code) => {
    expect(await codeOf(call())).toBe(code);
  });
});
