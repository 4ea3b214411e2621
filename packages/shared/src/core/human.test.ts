import { describe, expect, it } from "vitest";
import type { HumanNode } from "../definition/graph.ts";
import { nodeOf } from "../definition/graph.ts";
import { human } from "../definition/testing/nodes.ts";
import { decidersOf, humanInput, humanOutput, verdictOf } from "./human.ts";
import type { StepState, Vote } from "./model.ts";
import { graphOf, task } from "./testing/definitions.ts";
import { payloadsOf, step } from "./testing/states.ts";

const at = "2030-01-01T00:00:00.000Z";
const vote = (by: string, kind: Vote["kind"] = "confirm"): Vote => ({ by, kind, comment: null, form: null, at });
const asking = (more: object) => nodeOf(graphOf(human("ask", more)), "ask") as HumanNode;
const verdict = (more: object, votes: readonly Vote[], row: Partial<StepState> = {}) =>
  verdictOf(asking(more), step("ask", { status: "waiting_decision", ...row }), votes);

describe("a decision", () => {
  it("is made by the first confirmation, or by as many as must agree", () => {
    expect(verdict({}, [])).toBeUndefined();
    expect(verdict({}, [vote("ann")])).toMatchObject({ kind: "confirm", by: "ann" });
    expect(verdict({ approvals: 2 }, [vote("ann")])).toBeUndefined();
    expect(verdict({ approvals: 2 }, [vote("ann"), vote("bob")])).toMatchObject({ kind: "confirm", by: "bob" });
  });

  it("is made by a single rejection, however many must agree", () => {
    const votes = [vote("ann"), vote("bob", "reject")];
    expect(verdict({ approvals: 3 }, votes)).toMatchObject({ kind: "reject", by: "bob" });
  });

  it.each([
    [undefined, "reject"],
    ["reject", "reject"],
    ["confirm", "confirm"],
  ] as const)("is made by the deadline as onTimeout says: %s", (onTimeout, kind) => {
    const made = verdict({ timeoutMs: 5, ...(onTimeout && { onTimeout }) }, [], { due: true });
    expect(made).toEqual({ kind, by: null, comment: null, form: null, at: null });
  });

  it("is passed on to others at the first deadline, and rejected at the second", () => {
    const more = { timeoutMs: 5, onTimeout: "escalate", escalateTo: ["dan"] };
    expect(verdict(more, [], { due: true })).toBe("escalate");
    expect(verdict(more, [], { due: true, attempt: 1 })).toMatchObject({ kind: "reject", by: null });
  });

  it("that people have made counts, though the deadline has passed meanwhile", () => {
    expect(verdict({ timeoutMs: 5 }, [vote("ann")], { due: true })).toMatchObject({ kind: "confirm", by: "ann" });
  });
});

describe("those who may decide", () => {
  it("are the deciders, and others once it was escalated", () => {
    const node = asking({ deciders: ["ann"], escalateTo: ["dan"] });
    expect(decidersOf(node, undefined)).toEqual(["ann"]);
    expect(decidersOf(node, step("ask"))).toEqual(["ann"]);
    expect(decidersOf(node, step("ask", { attempt: 1 }))).toEqual(["dan"]);
    expect(decidersOf(asking({}), step("ask"))).toBeUndefined();
  });
});

describe("what people see and what is passed on", () => {
  it("is the value that came in, or what the mapping makes of it", () => {
    const graph = graphOf(task("a"), human("ask"), human("other", { input: { id: { $: "value.id" } } }));
    const seen = (name: string, output?: object) =>
      humanInput(graph, nodeOf(graph, name) as HumanNode, "a", payloadsOf(null, output ? { a: { ...output } } : {}));
    expect(seen("ask", { id: 1 })).toEqual({ id: 1 });
    expect(seen("ask")).toBeNull();
    expect(seen("other", { id: 1, more: 2 })).toEqual({ id: 1 });
  });

  it("holds the decision beside the input, with all votes", () => {
    const votes = [vote("ann"), { ...vote("bob"), comment: "fine", form: { limit: 5 } }];
    const decision = { kind: "confirm", by: "bob", comment: "fine", form: { limit: 5 }, at, votes };
    expect(humanOutput({ id: 1 }, votes[1] as Vote, votes)).toEqual({ id: 1, decision });
  });

  it.each([[null], [[1, 2]], ["text"]])("holds an input that is no object as a value: %j", (input) => {
    expect(humanOutput(input, vote("ann"), [])).toMatchObject({ value: input, decision: { by: "ann" } });
  });
});
