import { describe, expect, it } from "vitest";
import { fork, human, savepoint, sleep, task } from "./testing/nodes.ts";
import { messagesOf, problemsOf } from "./testing/problems.ts";

describe("a task", () => {
  it("refuses more than one attempt where at most one call is promised", () => {
    expect(problemsOf([task("a", { idempotent: false, retry: { maxAttempts: 2 } })])).toEqual([
      "retry_not_idempotent nodes[0].retry.maxAttempts",
    ]);
    expect(problemsOf([task("a", { idempotent: false, retry: { delayMs: 1 } })])).toEqual([]);
    expect(problemsOf([task("a", { idempotent: true, retry: { maxAttempts: 2 } })])).toEqual([]);
  });

  it("has a schema that can be used", () => {
    expect(problemsOf([task("a", { inputSchema: { type: "x" } })])).toEqual([
      "unsupported_schema nodes[0].inputSchema",
    ]);
    expect(problemsOf([task("a", { inputSchema: { type: "string" }, compensateOn: "started" })])).toEqual([]);
  });
});

describe("a savepoint", () => {
  it("takes any retry policy", () => {
    expect(
      problemsOf([savepoint("s", { retry: {} }), savepoint("t", { retry: { maxAttempts: 5, delayMs: 0 } })]),
    ).toEqual([]);
  });
});

describe("a fork", () => {
  const joined = (more: object) => [fork("f", { x: [task("a")], y: [task("b")] }, more)];

  it("joins all, the first, or so many of its branches", () => {
    for (const join of ["all", "any", { atLeast: 1 }, { atLeast: 2 }]) expect(problemsOf(joined({ join }))).toEqual([]);
  });

  it("cannot wait for more branches than it has", () => {
    expect(problemsOf(joined({ join: { atLeast: 3 } }))).toEqual(["out_of_range nodes[0].join.atLeast"]);
    expect(messagesOf(joined({ join: { atLeast: 3 } }))).toBe(
      "this must be at most the number of branches, 2, and it is 3",
    );
  });

  it("has losers only where it does not join all", () => {
    expect(problemsOf(joined({ losers: "wait" }))).toEqual(["unused_field nodes[0].losers"]);
    expect(problemsOf(joined({ join: "all", losers: "cancel" }))).toEqual(["unused_field nodes[0].losers"]);
    for (const losers of ["cancel", "compensate", "wait"]) {
      expect(problemsOf(joined({ join: "any", losers }))).toEqual([]);
      expect(problemsOf(joined({ join: { atLeast: 2 }, losers }))).toEqual([]);
    }
  });

  it("whose join has the wrong type is no reason for more problems", () => {
    expect(problemsOf(joined({ join: "most", losers: "wait" }))).toEqual(["invalid_value nodes[0].join"]);
  });
});

describe("a sleep", () => {
  it("has a duration or a time, and not both", () => {
    expect(problemsOf([sleep("a"), sleep("b", { until: "input.date" }), sleep("c", { durationMs: 0 })])).toEqual([]);
    expect(problemsOf([sleep("a", {})])).toEqual(["missing_field nodes[0].durationMs"]);
    expect(problemsOf([sleep("a", { durationMs: 1, until: "input.date" })])).toEqual([
      "conflicting_field nodes[0].until",
    ]);
    expect(messagesOf([sleep("a", {})])).toContain("a sleep needs durationMs, or until instead");
  });
});

describe("a decision", () => {
  it("may be left to anyone, and to as many as there are", () => {
    expect(problemsOf([human("a"), human("b", { approvals: 7 })])).toEqual([]);
    expect(problemsOf([human("a", { approvals: 2, deciders: ["ann", "bob"] })])).toEqual([]);
  });

  it("cannot ask for more people than may decide, also after an escalation", () => {
    expect(problemsOf([human("a", { approvals: 2, deciders: ["ann"] })])).toEqual([
      "too_few_deciders nodes[0].approvals",
    ]);
    const escalated = { timeoutMs: 1, onTimeout: "escalate", escalateTo: ["boss"] };
    const nodes = [human("a", { approvals: 2, deciders: ["ann", "bob"], ...escalated })];
    expect(problemsOf(nodes)).toEqual(["too_few_deciders nodes[0].approvals"]);
    expect(messagesOf(nodes)).toContain("2 people must confirm, and escalateTo names only 1");
    expect(problemsOf([human("a", { deciders: ["ann"], ...escalated })])).toEqual([]);
  });

  it("names nobody twice", () => {
    const nodes = [
      human("a", {
        deciders: ["ann", "bob", "ann"],
        timeoutMs: 1,
        onTimeout: "escalate",
        escalateTo: ["ann", "c", "c"],
      }),
    ];
    expect(problemsOf(nodes)).toEqual([
      "duplicate_decider nodes[0].deciders[2]",
      "duplicate_decider nodes[0].escalateTo[2]",
    ]);
    expect(messagesOf(nodes)).toContain("'ann' is named already, as nodes[0].deciders[0]");
  });

  it("says what happens after its time only if it has one", () => {
    for (const onTimeout of ["confirm", "reject"]) {
      expect(problemsOf([human("a", { onTimeout })])).toEqual(["unused_field nodes[0].onTimeout"]);
      expect(problemsOf([human("a", { onTimeout, timeoutMs: 1 })])).toEqual([]);
    }
    expect(problemsOf([human("a", { timeoutMs: 1 })])).toEqual([]);
  });

  it("is escalated to someone, and to nobody otherwise", () => {
    expect(problemsOf([human("a", { timeoutMs: 1, onTimeout: "escalate" })])).toEqual([
      "missing_field nodes[0].escalateTo",
    ]);
    expect(problemsOf([human("a", { timeoutMs: 1, escalateTo: ["ann"] })])).toEqual([
      "unused_field nodes[0].escalateTo",
    ]);
    expect(problemsOf([human("a", { onTimeout: "escalate", escalateTo: ["ann"] })])).toEqual([
      "unused_field nodes[0].onTimeout",
    ]);
  });

  it("has a form whose schema can be used", () => {
    expect(problemsOf([human("a", { formSchema: { type: "x" } })])).toEqual(["unsupported_schema nodes[0].formSchema"]);
    expect(problemsOf([human("a", { formSchema: { type: "object", required: ["reason"] } })])).toEqual([]);
  });
});
