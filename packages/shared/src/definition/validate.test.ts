import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FloxyError } from "../vocabulary/error.ts";
import { nestingLimit, nodeCountLimit } from "../vocabulary/limit.ts";
import { buildGraph } from "./graph.ts";
import type { Mapping, NodeJson } from "./model.ts";
import { condition, definitionOf, end, fork, human, savepoint, sees, signal, sleep, task } from "./testing/nodes.ts";
import { messagesOf, problemsOf } from "./testing/problems.ts";
import { parseDefinition } from "./validate.ts";

const whole = definitionOf(
  [
    task("reserve", { input: { sku: { $: "input.sku" }, note: { "$?": "input.note" } }, metadata: { team: "stock" } }),
    fork("prepare", {
      pay: [
        task("charge", {
          retry: { maxAttempts: 5, strategy: "linear", delayMs: 0, maxDelayMs: 1_000, jitter: 0.5 },
          timeoutMs: 1_000,
          delayMs: 5,
          priority: 100,
          compensateOn: "completed",
          inputSchema: { type: "object" },
          compensation: { handler: "refund", input: { $: "steps.reserve" }, retry: { maxAttempts: 9 }, timeoutMs: 5 },
        }),
      ],
      pack: [task("pack"), sees("label", "pack", "reserve")],
    }),
    savepoint("paid"),
    condition("express", [savepoint("inside"), task("courier")], [], "steps.charge.amount > 100"),
    human("approve", {
      input: { sum: { $: "steps.charge.amount" } },
      description: "Is it too much?",
      deciders: ["ann", "bob"],
      approvals: 2,
      formSchema: { type: "object" },
      timeoutMs: 1_000,
      onTimeout: "escalate",
      escalateTo: ["carla", "dan"],
      onReject: "continue",
      metadata: { team: "sales" },
    }),
    sleep("night", { until: "steps.approve.morning" }),
    sleep("pause"),
    signal("parcel", { signal: "parcel.ready", timeoutMs: 1_000 }),
    fork("offers", { x: [task("ups")], y: [task("dhl")], z: [end("none")] }, { join: { atLeast: 2 }, losers: "wait" }),
    savepoint("packed", { retry: { maxAttempts: 3 } }),
    condition(
      "late",
      [end("again", "rollbackTo", { savepoint: "paid", message: "too late" })],
      [],
      "steps.offers == {}",
    ),
    condition("lost", [end("fails", "fail", { message: "lost" })], [end("done")], "false"),
  ],
  {
    description: "An order",
    inputSchema: { type: "object" },
    priority: 0,
    onFailure: "dlq",
    compensate: "sequential",
    deadlineMs: 86_400_000,
    metadata: { owner: "sales" },
  },
);

describe("parseDefinition", () => {
  it("gives an equal copy of a valid definition, with nothing filled in", () => {
    const parsed = parseDefinition(whole);
    expect(parsed).toEqual(whole);
    expect(parsed).not.toBe(whole);
  });

  it("throws DEFINITION_INVALID with all problems at once, of shape and of rules", () => {
    try {
      parseDefinition(definitionOf([task("a", { retries: 3 }), task("a"), sees("b", "zz"), task("1")], { version: 0 }));
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof FloxyError)) throw error;
      expect(error.code).toBe("DEFINITION_INVALID");
      expect(error.message).toContain("the definition 'order' is not valid: version: this must be at least 1");
      expect(error.message).toContain("(and 4 more problems)");
      expect(error.problems.map(({ code, path }) => `${code} ${path}`)).toEqual([
        "out_of_range version",
        "unknown_field nodes[0].retries",
        "invalid_name nodes[3].name",
        "duplicate_name nodes[1].name",
        "unknown_step nodes[2].input[0].$",
      ]);
    }
  });

  it("never throws anything but a FloxyError, and gives nothing but what buildGraph can walk", () => {
    const anything = fc.oneof(fc.anything(), fc.jsonValue());
    const { nodes } = fc.letrec<{ nodes: unknown[] }>((tie) => ({
      nodes: fc.array(
        fc.oneof(
          { maxDepth: 3 },
          fc.constantFrom(task("a"), task("b"), savepoint("c"), sees("d", "a"), task("e", { retry: 1 })),
          fc.constantFrom(human("i"), sleep("j"), signal("k"), end("l"), end("m", "rollbackTo", { savepoint: "c" })),
          fc.record({
            kind: fc.constantFrom("fork", "task", 1),
            name: fc.string(),
            branches: anything,
            handler: anything,
          }),
          fc.record({
            kind: fc.constant("fork"),
            name: fc.constantFrom("f", "g"),
            branches: fc.array(fc.record({ name: fc.constantFrom("x", "y", null), nodes: tie("nodes") })),
            join: fc.oneof(fc.constantFrom("all", "any", { atLeast: 1 }, undefined), anything),
          }),
          fc
            .tuple(fc.string(), tie("nodes"))
            .map(([when, nodes]) => ({ ...condition("h", nodes as NodeJson[], [], when) })) as fc.Arbitrary<unknown>,
        ),
        { maxLength: 3 },
      ),
    }));
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          nodes.map((list) => definitionOf(list)),
        ),
        (value) => {
          try {
            buildGraph(parseDefinition(value));
          } catch (error) {
            expect(error).toBeInstanceOf(FloxyError);
          }
        },
      ),
    );
  });
});

describe("names", () => {
  it("are checked of the definition, nodes, branches, handlers and signals", () => {
    const nodes = [
      task("a b", { handler: "x y", compensation: { handler: "" } }),
      fork("f", { "1": [task("b")], ok: [task("c")] }),
      signal("s", { signal: "no name" }),
    ];
    expect(problemsOf(nodes, { name: "é" })).toEqual([
      "invalid_name name",
      "invalid_name nodes[0].name",
      "invalid_name nodes[0].handler",
      "invalid_name nodes[0].compensation.handler",
      "invalid_name nodes[1].branches[0].name",
      "invalid_name nodes[2].signal",
    ]);
    expect(messagesOf(nodes)).toContain("the signal name 'no name' has ' ' as character 3");
  });

  it("of nodes are unique at all depths, and the message says where the first is", () => {
    const nodes = [condition("c", [task("a")]), fork("f", { x: [task("b")], y: [task("a"), task("f")] })];
    expect(problemsOf(nodes)).toEqual([
      "duplicate_name nodes[1].branches[1].nodes[0].name",
      "duplicate_name nodes[1].branches[1].nodes[1].name",
    ]);
    expect(messagesOf(nodes)).toContain("the node name 'a' is taken by nodes[0].then[0]");
  });

  it("of branches are unique in their fork only", () => {
    const twice = {
      kind: "fork",
      name: "f",
      branches: ["x", "x"].map((name, i) => ({ name, nodes: [task(`t${i}`)] })),
    };
    expect(problemsOf([twice])).toEqual(["duplicate_branch nodes[0].branches[1].name"]);
    const both = [fork("f", { x: [task("a")], y: [task("b")] }), fork("g", { x: [task("c")], y: [task("d")] })];
    expect(problemsOf(both)).toEqual([]);
  });
});

describe("places", () => {
  it("asks for a node, for two branches, and for a node in each", () => {
    expect(problemsOf([])).toEqual(["no_nodes nodes"]);
    expect(problemsOf([fork("f", {})])).toEqual(["too_few_branches nodes[0].branches"]);
    expect(problemsOf([fork("f", { x: [task("a")] })])).toEqual(["too_few_branches nodes[0].branches"]);
    expect(problemsOf([fork("f", { x: [task("a")], y: [] })])).toEqual(["empty_branch nodes[0].branches[1].nodes"]);
    expect(problemsOf([condition("c", [])])).toEqual([]);
  });

  it("allows a savepoint outermost or in a condition there, and nowhere in a fork", () => {
    expect(problemsOf([savepoint("s"), condition("c", [condition("d", [], [savepoint("t")])])])).toEqual([]);
    const nodes = [fork("f", { x: [condition("c", [savepoint("s")]), task("a")], y: [savepoint("t")] })];
    expect(problemsOf(nodes)).toEqual([
      "savepoint_in_branch nodes[0].branches[0].nodes[0].then[0]",
      "savepoint_in_branch nodes[0].branches[1].nodes[0]",
    ]);
    expect(messagesOf(nodes)).toContain("in a branch of the fork 'f'");
  });
});

describe("limits", () => {
  const nest = (depth: number): NodeJson => {
    let node = task("t");
    for (let level = 0; level < depth; level += 1) node = condition(`c${level}`, [node]);
    return node;
  };

  it("bound the nesting, and nothing overflows far beyond", () => {
    expect(problemsOf([nest(nestingLimit)])).toEqual([]);
    expect(problemsOf([nest(nestingLimit + 1)]).map((problem) => problem.split(" ")[0])).toEqual(["too_deep"]);
    expect(problemsOf([nest(50_000)]).map((problem) => problem.split(" ")[0])).toEqual(["too_deep"]);
    let forks = task("t");
    for (let level = 0; level < nestingLimit; level += 1) {
      forks = fork(`f${level}`, { x: [forks], y: [task(`t${level}`)] });
    }
    expect(problemsOf([forks])).toEqual([]);
  });

  it("bound the number of nodes", () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => task(`t${index}`));
    expect(problemsOf(many(nodeCountLimit))).toEqual([]);
    expect(problemsOf(many(nodeCountLimit + 1))).toEqual(["too_many_nodes nodes"]);
  });

  it("bound the size", () => {
    expect(problemsOf([task("a", { metadata: { text: "x".repeat(1_048_576) } })])).toEqual(["too_large "]);
    expect(problemsOf([task("a", { metadata: { text: "é".repeat(600_000) } })])).toEqual(["too_large "]);
    expect(problemsOf([task("a", { metadata: { text: "x".repeat(1_000_000) } })])).toEqual([]);
  });

  it("bound the depth of a mapping", () => {
    let input: Mapping = 1;
    for (let level = 0; level < 250; level += 1) input = [input];
    expect(problemsOf([task("a", { input })]).map((problem) => problem.split(" ")[0])).toEqual(["too_deep"]);
  });
});
