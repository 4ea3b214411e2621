import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FloxyError } from "../vocabulary/error.ts";
import { nestingLimit, nodeCountLimit } from "../vocabulary/limit.ts";
import { buildGraph } from "./graph.ts";
import type { Mapping, NodeJson } from "./model.ts";
import { condition, fork, savepoint, sees, task } from "./testing/nodes.ts";
import { parseDefinition, validateDefinition } from "./validate.ts";

const definition = (nodes: readonly unknown[], more: object = {}): unknown => ({
  format: 1,
  name: "order",
  version: 1,
  nodes,
  ...more,
});

const problemsOf = (nodes: readonly unknown[], more?: object): readonly string[] =>
  validateDefinition(definition(nodes, more)).map(({ path, code }) => `${code} ${path}`);
const messagesOf = (nodes: readonly unknown[]): string =>
  validateDefinition(definition(nodes))
    .map(({ message }) => message)
    .join("\n");

const whole = definition(
  [
    task("reserve", { input: { sku: { $: "input.sku" }, note: { "$?": "input.note" } }, metadata: { team: "stock" } }),
    fork("prepare", {
      pay: [
        task("charge", {
          retry: { maxAttempts: 5, strategy: "linear", delayMs: 0, maxDelayMs: 1_000, jitter: 0.5 },
          timeoutMs: 1_000,
          delayMs: 5,
          priority: 100,
          compensation: { handler: "refund", input: { $: "steps.reserve" }, retry: { maxAttempts: 9 }, timeoutMs: 5 },
        }),
      ],
      pack: [task("pack"), sees("label", "pack", "reserve")],
    }),
    savepoint("paid"),
    condition("express", [savepoint("inside"), task("courier")], [], "steps.charge.amount > 100"),
    task("ship", { input: { $: "steps.express" }, idempotent: false, retry: { maxAttempts: 1 } }),
  ],
  { description: "An order", inputSchema: { type: "object" }, priority: 0, metadata: { owner: "sales" } },
);

describe("parseDefinition", () => {
  it("gives an equal copy of a valid definition, with nothing filled in", () => {
    const parsed = parseDefinition(whole);
    expect(parsed).toEqual(whole);
    expect(parsed).not.toBe(whole);
  });

  it("throws DEFINITION_INVALID with all problems at once, of shape and of rules", () => {
    try {
      parseDefinition(definition([task("a", { retries: 3 }), task("a"), sees("b", "zz"), task("1")], { version: 0 }));
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
          nodes.map((list) => definition(list)),
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

describe("the shape", () => {
  it.each([
    ["null", null, "wrong_type "],
    ["a list", [], "wrong_type "],
    ["another format", definition([task("a")], { format: 2 }), "invalid_value format"],
    ["no version", definition([task("a")], { version: undefined }), "missing_field version"],
    ["a version that is not whole", definition([task("a")], { version: 1.5 }), "wrong_type version"],
    ["a version too high", definition([task("a")], { version: 2 ** 31 }), "out_of_range version"],
    ["an unknown field", definition([task("a")], { onFailure: "dlq" }), "unknown_field onFailure"],
    ["a priority too high", definition([task("a")], { priority: 101 }), "out_of_range priority"],
    ["a node without kind", definition([{ name: "a" }]), "missing_field nodes[0].kind"],
    ["an unknown kind", definition([{ kind: "sleep", name: "a" }]), "unknown_kind nodes[0].kind"],
    ["a node that is no object", definition(["a"]), "wrong_type nodes[0]"],
    ["a task without handler", definition([{ kind: "task", name: "a" }]), "missing_field nodes[0].handler"],
    ["no attempts", definition([task("a", { retry: { maxAttempts: 0 } })]), "out_of_range nodes[0].retry.maxAttempts"],
    [
      "half an attempt",
      definition([task("a", { retry: { maxAttempts: 1.5 } })]),
      "wrong_type nodes[0].retry.maxAttempts",
    ],
    [
      "too many attempts",
      definition([task("a", { retry: { maxAttempts: 1_001 } })]),
      "out_of_range nodes[0].retry.maxAttempts",
    ],
    ["a negative delay", definition([task("a", { retry: { delayMs: -1 } })]), "out_of_range nodes[0].retry.delayMs"],
    [
      "an unknown strategy",
      definition([task("a", { retry: { strategy: "x" } })]),
      "invalid_value nodes[0].retry.strategy",
    ],
    ["a jitter over 1", definition([task("a", { retry: { jitter: 1.1 } })]), "out_of_range nodes[0].retry.jitter"],
    [
      "a maxDelayMs below 0",
      definition([task("a", { retry: { maxDelayMs: -1 } })]),
      "out_of_range nodes[0].retry.maxDelayMs",
    ],
    ["a timeout of nothing", definition([task("a", { timeoutMs: 0 })]), "out_of_range nodes[0].timeoutMs"],
    [
      "a delay over a year",
      definition([task("a", { delayMs: 366 * 86_400_000 + 1 })]),
      "out_of_range nodes[0].delayMs",
    ],
    [
      "a compensation without handler",
      definition([task("a", { compensation: {} })]),
      "missing_field nodes[0].compensation.handler",
    ],
    ["NaN", definition([task("a", { timeoutMs: Number.NaN })]), "number nodes[0].timeoutMs"],
    ["a function", definition([task("a", { input: { f: () => 1 } })]), "function nodes[0].input.f"],
    ["a NUL", definition([task("a", { metadata: { x: "\u0000" } })]), "nul_character nodes[0].metadata.x"],
    [
      "a schema that cannot be used",
      definition([task("a")], { inputSchema: { type: "x" } }),
      "unsupported_schema inputSchema",
    ],
  ])("reports %s", (_name, value, expected) => {
    expect(validateDefinition(value).map(({ path, code }) => `${code} ${path}`)).toEqual([expected]);
  });

  it("treats a field that is undefined as left out", () => {
    expect(problemsOf([task("a", { timeoutMs: undefined })], { description: undefined })).toEqual([]);
    expect(parseDefinition(definition([task("a")], { description: undefined }))).not.toHaveProperty("description");
  });
});

describe("names", () => {
  it("are checked of the definition, nodes, branches and handlers", () => {
    const nodes = [
      task("a b", { handler: "x y", compensation: { handler: "" } }),
      fork("f", { "1": [task("b")], ok: [task("c")] }),
    ];
    expect(problemsOf(nodes, { name: "é" })).toEqual([
      "invalid_name name",
      "invalid_name nodes[0].name",
      "invalid_name nodes[0].handler",
      "invalid_name nodes[0].compensation.handler",
      "invalid_name nodes[1].branches[0].name",
    ]);
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

  it("refuses more than one attempt where at most one call is promised", () => {
    expect(problemsOf([task("a", { idempotent: false, retry: { maxAttempts: 2 } })])).toEqual([
      "retry_not_idempotent nodes[0].retry.maxAttempts",
    ]);
    expect(problemsOf([task("a", { idempotent: false, retry: { delayMs: 1 } })])).toEqual([]);
    expect(problemsOf([task("a", { idempotent: true, retry: { maxAttempts: 2 } })])).toEqual([]);
  });
});

describe("expressions", () => {
  it("are checked in conditions, mappings and compensations", () => {
    const nodes = [
      condition("c", [], [], "value.x +"),
      task("a", { input: [{ $: "foo" }], compensation: { handler: "h", input: { x: { "$?": "bar()" } } } }),
    ];
    expect(problemsOf(nodes)).toEqual([
      "expression_syntax nodes[0].when",
      "unknown_variable nodes[1].input[0].$",
      "unknown_function nodes[1].compensation.input.x['$?']",
    ]);
  });

  it("may refer to what certainly ran before", () => {
    const nodes = [
      task("a"),
      fork("f", {
        x: [task("b"), fork("g", { p: [task("c")], q: [sees("d", "a", "b")] }), sees("e", "a", "b", "c", "d", "g")],
        y: [condition("h", [task("i"), sees("j", "a", "i")]), sees("k", "a", "h")],
      }),
      savepoint("s"),
      condition("l", [sees("m", "a", "b", "c", "d", "e", "f", "g", "h", "k", "s")], [], "steps.b == steps.k"),
      sees("n", "f", "l", "c", "s"),
    ];
    expect(problemsOf(nodes)).toEqual([]);
  });

  it.each<[string, NodeJson[], string, string]>([
    ["a name that does not exist", [sees("a", "zz")], "unknown_step", "there is no node of this name"],
    ["the node itself", [sees("a", "a")], "later_step", "which is this node itself"],
    ["a later node", [sees("a", "b"), task("b")], "later_step", "which does not come before it"],
    ["the fork around it", [fork("f", { x: [sees("a", "f")], y: [task("b")] })], "later_step", "does not come before"],
    [
      "a later node within a fork",
      [sees("a", "b"), fork("f", { x: [task("b")], y: [task("c")] })],
      "later_step",
      "before",
    ],
    [
      "another branch",
      [fork("f", { x: [task("a")], y: [sees("b", "a")] })],
      "parallel_step",
      "another branch of the fork 'f'",
    ],
    [
      "a deeper place in another branch",
      [fork("f", { x: [condition("c", [task("a")])], y: [condition("d", [sees("b", "a")])] })],
      "parallel_step",
      "another branch of the fork 'f'",
    ],
    [
      "a side of a condition",
      [condition("c", [task("a")]), sees("b", "a")],
      "uncertain_step",
      "may not have run: it is on the side 'then' of the condition 'c'",
    ],
    [
      "a side within a fork",
      [fork("f", { x: [condition("c", [], [task("a")])], y: [task("d")] }), sees("b", "a")],
      "uncertain_step",
      "may not have run: it is on the side 'else' of the condition 'c'",
    ],
    [
      "the other side",
      [condition("c", [task("a")], [sees("b", "a")])],
      "uncertain_step",
      "on the other side of the condition 'c'",
    ],
    ["a side of its own condition", [condition("c", [task("a")], [], "steps.a")], "later_step", "does not come before"],
  ])("may not refer to %s", (_name, nodes, code, message) => {
    const problems = validateDefinition(definition(nodes));
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(problems[0]?.message).toContain(message);
  });

  it("of a compensation see what its step sees, and not the step itself", () => {
    const undo = (step: string) => ({ compensation: { handler: "h", input: { $: `steps.${step}` } } });
    expect(problemsOf([task("a"), task("b", undo("a"))])).toEqual([]);
    expect(problemsOf([task("a", undo("a"))])).toEqual(["later_step nodes[0].compensation.input.$"]);
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
