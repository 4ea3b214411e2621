import { describe, expect, it } from "vitest";
import { definitionOf, end, fork, human, savepoint, signal, sleep, task } from "./testing/nodes.ts";
import { messagesOf, problemsOf, shortly } from "./testing/problems.ts";
import { parseDefinition } from "./validate.ts";

const joined = (more: object) => fork("f", { x: [task("a")], y: [task("b")] }, more);

describe("the shape", () => {
  it.each([
    ["null", null, "wrong_type "],
    ["a list", [], "wrong_type "],
    ["another format", definitionOf([task("a")], { format: 2 }), "invalid_value format"],
    ["no version", definitionOf([task("a")], { version: undefined }), "missing_field version"],
    ["a version that is not whole", definitionOf([task("a")], { version: 1.5 }), "wrong_type version"],
    ["a version too high", definitionOf([task("a")], { version: 2 ** 31 }), "out_of_range version"],
    ["an unknown field", definitionOf([task("a")], { onError: "dlq" }), "unknown_field onError"],
    ["a priority too high", definitionOf([task("a")], { priority: 101 }), "out_of_range priority"],
    ["a node without kind", definitionOf([{ name: "a" }]), "missing_field nodes[0].kind"],
    ["an unknown kind", definitionOf([{ kind: "pause", name: "a" }]), "unknown_kind nodes[0].kind"],
    ["a node that is no object", definitionOf(["a"]), "wrong_type nodes[0]"],
    ["a task without handler", definitionOf([{ kind: "task", name: "a" }]), "missing_field nodes[0].handler"],
    [
      "no attempts",
      definitionOf([task("a", { retry: { maxAttempts: 0 } })]),
      "out_of_range nodes[0].retry.maxAttempts",
    ],
    [
      "half an attempt",
      definitionOf([task("a", { retry: { maxAttempts: 1.5 } })]),
      "wrong_type nodes[0].retry.maxAttempts",
    ],
    [
      "too many attempts",
      definitionOf([task("a", { retry: { maxAttempts: 1_001 } })]),
      "out_of_range nodes[0].retry.maxAttempts",
    ],
    ["a negative delay", definitionOf([task("a", { retry: { delayMs: -1 } })]), "out_of_range nodes[0].retry.delayMs"],
    [
      "an unknown strategy",
      definitionOf([task("a", { retry: { strategy: "x" } })]),
      "invalid_value nodes[0].retry.strategy",
    ],
    ["a jitter over 1", definitionOf([task("a", { retry: { jitter: 1.1 } })]), "out_of_range nodes[0].retry.jitter"],
    [
      "a maxDelayMs below 0",
      definitionOf([task("a", { retry: { maxDelayMs: -1 } })]),
      "out_of_range nodes[0].retry.maxDelayMs",
    ],
    ["a timeout of nothing", definitionOf([task("a", { timeoutMs: 0 })]), "out_of_range nodes[0].timeoutMs"],
    [
      "a delay over a year",
      definitionOf([task("a", { delayMs: 366 * 86_400_000 + 1 })]),
      "out_of_range nodes[0].delayMs",
    ],
    [
      "a compensation without handler",
      definitionOf([task("a", { compensation: {} })]),
      "missing_field nodes[0].compensation.handler",
    ],
    ["NaN", definitionOf([task("a", { timeoutMs: Number.NaN })]), "number nodes[0].timeoutMs"],
    ["a function", definitionOf([task("a", { input: { f: () => 1 } })]), "function nodes[0].input.f"],
    ["a NUL", definitionOf([task("a", { metadata: { x: "\u0000" } })]), "nul_character nodes[0].metadata.x"],
    [
      "a schema that cannot be used",
      definitionOf([task("a")], { inputSchema: { type: "x" } }),
      "unsupported_schema inputSchema",
    ],
    ["another reaction to failure", definitionOf([task("a")], { onFailure: "ignore" }), "invalid_value onFailure"],
    ["another order of undoing", definitionOf([task("a")], { compensate: "none" }), "invalid_value compensate"],
    ["a deadline of nothing", definitionOf([task("a")], { deadlineMs: 0 }), "out_of_range deadlineMs"],
    [
      "another time to compensate",
      definitionOf([task("a", { compensateOn: "failed" })]),
      "invalid_value nodes[0].compensateOn",
    ],
    [
      "a task's schema that is no object",
      definitionOf([task("a", { inputSchema: true })]),
      "wrong_type nodes[0].inputSchema",
    ],
    [
      "a savepoint that retries wrongly",
      definitionOf([savepoint("s", { retry: { maxAttempts: 0 } })]),
      "out_of_range nodes[0].retry.maxAttempts",
    ],
    ["losers of another kind", definitionOf([joined({ join: "any", losers: "x" })]), "invalid_value nodes[0].losers"],
    ["a join of another kind", definitionOf([joined({ join: "some" })]), "invalid_value nodes[0].join"],
    ["a join that is a list", definitionOf([joined({ join: [1] })]), "invalid_value nodes[0].join"],
    ["a join without number", definitionOf([joined({ join: {} })]), "missing_field nodes[0].join.atLeast"],
    ["a join of none", definitionOf([joined({ join: { atLeast: 0 } })]), "out_of_range nodes[0].join.atLeast"],
    [
      "a join of one and a half",
      definitionOf([joined({ join: { atLeast: 1.5 } })]),
      "wrong_type nodes[0].join.atLeast",
    ],
    [
      "a join with more to it",
      definitionOf([joined({ join: { atLeast: 1, of: 2 } })]),
      "unknown_field nodes[0].join.of",
    ],
    ["nobody to decide", definitionOf([human("h", { deciders: [] })]), "out_of_range nodes[0].deciders"],
    ["a decider without name", definitionOf([human("h", { deciders: [""] })]), "out_of_range nodes[0].deciders[0]"],
    [
      "a decider with too long a name",
      definitionOf([human("h", { deciders: ["x".repeat(201)] })]),
      "out_of_range nodes[0].deciders[0]",
    ],
    ["no approval", definitionOf([human("h", { approvals: 0 })]), "out_of_range nodes[0].approvals"],
    ["another rejection", definitionOf([human("h", { onReject: "retry" })]), "invalid_value nodes[0].onReject"],
    ["a time that is no text", definitionOf([sleep("s", { until: 5 })]), "wrong_type nodes[0].until"],
    ["a negative sleep", definitionOf([sleep("s", { durationMs: -1 })]), "out_of_range nodes[0].durationMs"],
    ["a signal without time", definitionOf([signal("s", { timeoutMs: 0 })]), "out_of_range nodes[0].timeoutMs"],
    ["an end without how", definitionOf([{ kind: "end", name: "e" }]), "missing_field nodes[0].how"],
    ["another end", definitionOf([{ kind: "end", name: "e", how: "stop" }]), "invalid_value nodes[0].how"],
    ["an empty message", definitionOf([end("e", "fail", { message: "" })]), "out_of_range nodes[0].message"],
  ])("reports %s", (_name, value, expected) => {
    expect(shortly(value)).toEqual([expected]);
  });

  it("treats a field that is undefined as left out", () => {
    expect(problemsOf([task("a", { timeoutMs: undefined })], { description: undefined })).toEqual([]);
    expect(parseDefinition(definitionOf([task("a")], { description: undefined }))).not.toHaveProperty("description");
  });

  it("names the kinds of nodes and the ways to join that there are", () => {
    expect(messagesOf([{ kind: "wait", name: "a" }])).toBe(
      "there is no kind of node 'wait'; write task, fork, condition, savepoint, human, sleep, signal or end",
    );
    expect(messagesOf([joined({ join: "some" })])).toBe(
      `this must be 'all', 'any' or { "atLeast": a number }, and it is 'some'`,
    );
  });

  it("says how long a text or list is, and how long it may be", () => {
    const people = Array.from({ length: 1_001 }, (_, index) => `p${index}`);
    const nodes = [
      human("a", { deciders: [] }),
      human("b", { deciders: people }),
      human("c", { deciders: ["x".repeat(201)] }),
    ];
    expect(messagesOf(nodes).split("\n")).toEqual([
      "this must not be empty",
      "this must have at most 1000 entries, and it has 1001",
      "this must have at most 200 characters, and it has 201",
    ]);
  });
});
