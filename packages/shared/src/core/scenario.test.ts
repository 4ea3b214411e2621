import { describe, expect, it } from "vitest";
import type { NodeJson } from "../definition/model.ts";
import type { Json } from "../vocabulary/json.ts";
import { condition, define, fork, savepoint, task, undoable } from "./testing/definitions.ts";
import { ModelRun } from "./testing/model-run.ts";
import { completed, failed, play } from "./testing/play.ts";

const start = (nodes: readonly NodeJson[], input: Json = null) => new ModelRun(define(...nodes), input);

/** The compensations in the order in which they were called. */
const undone = ({ log }: ModelRun) =>
  log.flatMap((entry) => (entry.type === "leased" && entry.lane === "compensation" ? [entry.node] : []));

const called = ({ log }: ModelRun) =>
  log.flatMap((entry) => (entry.type === "leased" && entry.lane === "forward" ? [entry.node] : []));

const statuses = (run: ModelRun, ...names: readonly string[]) => names.map((name) => run.steps.get(name)?.status);

const order = [undoable("payment"), undoable("inventory"), undoable("shipping")];
const delivery = (n: number) => [undoable(`reserve${n}`), undoable(`ship${n}`)];

describe("a saga", () => {
  it("is rolled back in reverse order when its last step fails, the failed step too, each once (A5)", () => {
    const run = play(start(order), ["shipping"]);
    expect([run.status, undone(run)]).toEqual(["failed", ["shipping", "inventory", "payment"]]);
    expect(run.cause?.message).toContain("shipping");
  });

  it.each([
    [[], "completed", ["completed", "completed", "completed"], []],
    [["ship"], "failed", ["completed", "rolled_back", "rolled_back"], ["ship", "reserve"]],
  ])(
    "with a savepoint, of which %j fails, ends %s and only the steps after it are rolled back (A4)",
    (failing, status, steps, undo) => {
      const run = play(start([undoable("payment"), savepoint("paid"), undoable("reserve"), undoable("ship")]), failing);
      expect([run.status, statuses(run, "payment", "reserve", "ship"), undone(run)]).toEqual([status, steps, undo]);
      expect(run.boundary).toBe(failing.length > 0 ? "paid" : null);
    },
  );

  it.each([
    [true, ["pay", "approve", "ship"]],
    [false, ["pay", "ship"]],
  ])("with a condition that gives %s runs the side taken, or passes an empty one (A6, A7)", (big, steps) => {
    const run = play(start([task("pay"), condition("big", "input.big", [task("approve")]), task("ship")], { big }));
    expect([run.status, called(run)]).toEqual(["completed", steps]);
  });

  it("of three branches with two conditions each joins once, after all of them (A8)", () => {
    const branch = (n: number) => [
      task(`start${n}`),
      condition(`first${n}`, "input.a", [task(`a${n}`)], [task(`b${n}`)]),
      condition(`second${n}`, "input.b", [task(`c${n}`)], []),
    ];
    const run = play(
      start([fork("f", { one: branch(1), two: branch(2), three: branch(3) }), task("end")], { a: true, b: false }),
    );
    expect([run.status, called(run).at(-1)]).toEqual(["completed", "end"]);
    const joins = run.log.filter((entry) => entry.type === "step" && entry.node === "f" && entry.to === "completed");
    expect(joins).toHaveLength(1);
    expect(run.steps.get("f")?.output).toEqual({ one: { by: "a1" }, two: { by: "a2" }, three: { by: "a3" } });
  });

  it("with a condition before a fork still joins (S04)", () => {
    const both = fork("both", { left: [task("l")], right: [task("r")] });
    const run = start([task("pay"), condition("c", "input.x", [task("t")], []), both, task("end")], { x: true });
    play(run);
    expect([run.status, called(run)]).toEqual(["completed", ["pay", "t", "l", "r", "end"]]);
  });

  it("undoes the tasks of branches of single tasks (S11)", () => {
    const run = play(start([fork("both", { left: [undoable("l")], right: [undoable("r")] }), undoable("end")]), [
      "end",
    ]);
    expect([run.status, undone(run)]).toEqual(["failed", ["end", "l", "r"]]);
  });
});

describe("a failure while other branches are on their way", () => {
  const nodes = [
    undoable("pay"),
    fork("f", { left: [undoable("l")], right: [undoable("r1"), undoable("r2")] }),
    undoable("end"),
  ];

  const atFailure = () => {
    const run = start(nodes);
    run.lease("pay");
    run.settle("pay", completed());
    run.lease("l");
    run.lease("r1");
    run.settle("l", failed);
    run.review();
    return run;
  };

  it("adopts a sibling that completes now: it is undone, and nothing follows it (S29, S30)", () => {
    const run = atFailure();
    expect([run.status, [...run.queue.keys()].sort()]).toEqual(["rolling_back", ["l", "r1"]]);
    run.settle("r1", completed());
    expect([statuses(run, "r1"), run.queue.has("r2")]).toEqual([["completed"], false]);
    play(run);
    expect([run.status, called(run)]).toEqual(["failed", ["pay", "l", "r1"]]);
    expect(undone(run).sort()).toEqual(["l", "pay", "r1"]);
    expect(statuses(run, "pay", "f", "l", "r1", "r2", "end")).toEqual([
      "rolled_back",
      "skipped",
      "rolled_back",
      "rolled_back",
      undefined,
      undefined,
    ]);
  });

  it.each([
    ["fails", failed, ["l", "r1"]],
    ["is lost with its worker", { kind: "lost" }, ["l", "r1"]],
    ["was given back before it was called", { kind: "released" }, ["l"]],
  ] as const)("undoes a sibling that %s only if it may have had effects", (_what, result, expected) => {
    const run = atFailure();
    run.settle("r1", result);
    play(run);
    expect([
      run.status,
      undone(run)
        .filter((name) => name !== "pay")
        .sort(),
    ]).toEqual(["failed", expected]);
  });

  it("does not undo what was before the fork while a branch still runs (S31, S32)", () => {
    const run = atFailure();
    run.lease("l");
    run.settle("l", completed());
    run.review();
    expect([...run.queue.keys()]).toEqual(["r1"]);
    run.settle("r1", completed());
    run.review();
    expect([...run.queue.keys()]).toEqual(["r1"]);
    run.lease("r1");
    run.settle("r1", completed());
    run.review();
    expect([...run.queue.keys()]).toEqual(["pay"]);
  });

  it("keeps the order when a compensation is tried again (S31)", () => {
    const compensation = { handler: "undo", retry: { maxAttempts: 3, delayMs: 10 } };
    const run = play(start([undoable("a"), task("b", { compensation }), undoable("c")]), ["c", "undo-b"]);
    expect([run.status, undone(run)]).toEqual(["dlq", ["c", "b", "b", "b"]]);
    run.handle("b", "retry");
    expect([play(run).status, undone(run)]).toEqual(["failed", ["c", "b", "b", "b", "b", "a"]]);
  });

  it("waits out a retry that a sibling's end does not disturb (S06)", () => {
    const retrying = undoable("l", { retry: { maxAttempts: 2, delayMs: 10 } });
    const run = start([fork("f", { left: [retrying], right: [undoable("r")] })]);
    run.lease("l");
    run.settle("l", failed);
    run.lease("r");
    run.settle("r", completed());
    run.review();
    expect([run.status, run.queue.get("l")?.state]).toEqual(["running", "delayed"]);
    expect([play(run).status, called(run)]).toEqual(["completed", ["l", "r", "l"]]);
  });
});

describe("a failure on a side of a condition", () => {
  const choice = (n: string) => condition(`c${n}`, "input.x", [undoable(`then${n}`)], [undoable(`else${n}`)]);

  it.each([
    ["A22", false, "else"],
    ["A23", true, "then"],
  ])("in sequence undoes only what ran (%s)", (_id, x, side) => {
    const run = play(start([undoable("pay"), choice("")], { x }), [side]);
    expect([run.status, undone(run)]).toEqual(["failed", [side, "pay"]]);
    expect([...run.steps.keys()].sort()).toEqual(["c", "pay", side].sort());
  });

  it.each([
    ["A24", false, "else"],
    ["A25", true, "then"],
  ])("inside both branches of a fork undoes only what ran (%s)", (_id, x, side) => {
    const branches = { left: [undoable("l"), choice("L")], right: [undoable("r"), choice("R")] };
    const run = play(start([undoable("pay"), fork("f", branches)], { x }), [`${side}L`, `${side}R`]);
    expect([run.status, undone(run).at(-1)]).toEqual(["failed", "pay"]);
    const other = side === "then" ? "else" : "then";
    expect([...run.steps.keys()].filter((name) => name.startsWith(other))).toEqual([]);
    expect(new Set(undone(run)).size).toBe(undone(run).length);
  });
});

describe("a rollback through forks", () => {
  const pair = (name: string, left: readonly NodeJson[], right: readonly NodeJson[]) => fork(name, { left, right });
  const inner = () => pair("inner", [undoable("a1"), undoable("a2")], [undoable("b")]);
  const deepest = () => pair("middle", [undoable("m"), inner()], [undoable("n")]);

  it("stops at the savepoint before them (A26, A27)", () => {
    const nodes = [
      undoable("validate"),
      undoable("payment"),
      savepoint("paid"),
      pair("f", delivery(1), delivery(2)),
      task("notify"),
    ];
    expect(play(start(nodes)).status).toBe("completed");
    const run = play(start(nodes), ["ship2"]);
    expect([run.status, run.boundary]).toEqual(["failed", "paid"]);
    expect(statuses(run, "validate", "payment", "paid")).toEqual(["completed", "completed", "completed"]);
    for (const name of ["reserve1", "reserve2", "ship2"]) expect(statuses(run, name)).toEqual(["rolled_back"]);
    expect([undefined, "rolled_back", "skipped"]).toContain(statuses(run, "ship1")[0]);
    expect(statuses(run, "f", "notify")).toEqual(["skipped", undefined]);
  });

  it.each<[string, readonly NodeJson[], readonly string[], readonly string[]]>([
    ["A32 two levels, the inner fails", [undoable("o"), inner()], ["a2"], ["p"]],
    ["A33 two levels, the second branch fails", [undoable("o"), inner()], ["q"], ["p"]],
    ["A34 two levels, both fail", [undoable("o"), inner()], ["b", "q"], ["p"]],
    ["A35 three levels, the innermost fails", [undoable("o"), deepest()], ["a2"], ["p"]],
    ["A36 three levels, a savepoint before", [undoable("o"), deepest()], ["b"], []],
  ])("undoes each step once, inner before outer: %s", (name, left, failing, before) => {
    const mark = name.startsWith("A36") ? [savepoint("s")] : [];
    const run = play(start([undoable("p"), ...mark, pair("outer", left, [undoable("q")]), undoable("end")]), failing);
    const list = undone(run);
    expect([run.status, list.length]).toEqual(["failed", new Set(list).size]);
    expect(list.filter((step) => step === "p")).toEqual(before);
    expect(statuses(run, "p")).toEqual([before.length > 0 ? "rolled_back" : "completed"]);
    const outward = [
      ["a2", "a1"],
      ["a1", "m"],
      ["b", "m"],
      ["a1", "o"],
      ["m", "o"],
      ["o", "p"],
      ["q", "p"],
    ] as const;
    for (const [first, then] of outward) {
      if (list.includes(first) && list.includes(then)) expect(list.indexOf(first)).toBeLessThan(list.indexOf(then));
    }
    const ran = [...run.steps.values()].filter(
      ({ node, outcome }) => node !== "p" && called(run).includes(node) && outcome !== "absent",
    );
    expect(list.filter((step) => step !== "p").sort()).toEqual(ran.map(({ node }) => node).sort());
  });
});

describe("a large instance", () => {
  it("with a fork of five hundred branches completes, and is rolled back, with work in proportion", () => {
    const names = Array.from({ length: 500 }, (_, index) => `t${index}`);
    const nodes = [fork("fan", Object.fromEntries(names.map((name) => [name, [undoable(name)]]))), undoable("end")];
    expect(play(start(nodes)).status).toBe("completed");
    const run = play(start(nodes), ["end"]);
    expect([run.status, undone(run).length]).toEqual(["failed", 501]);
  });

  it("of a thousand steps in sequence is rolled back to its start", () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
    const run = play(start(names.map((name) => undoable(name))), ["t999"]);
    expect([run.status, undone(run)]).toEqual(["failed", names.reverse()]);
  });

  it("is rolled back from fifty levels down", () => {
    const nest = (level: number): readonly NodeJson[] =>
      level === 0 ? [undoable("deep")] : [fork(`f${level}`, { in: nest(level - 1), out: [undoable(`t${level}`)] })];
    const run = play(start(nest(50)), ["deep"]);
    expect([run.status, statuses(run, "deep", "f50")]).toEqual(["failed", ["rolled_back", "skipped"]]);
  });
});
