import { describe, expect, it } from "vitest";
import { condition, end, fork, savepoint, sees, task } from "./testing/nodes.ts";
import { messagesOf, problemsOf } from "./testing/problems.ts";

const back = (name: string, savepoint: string) => end(name, "rollbackTo", { savepoint });

describe("an end", () => {
  it("may end a side, a branch and the whole", () => {
    expect(problemsOf([end("a")])).toEqual([]);
    expect(problemsOf([task("a"), end("b", "fail")])).toEqual([]);
    expect(problemsOf([condition("c", [task("a"), end("b")]), task("d")])).toEqual([]);
    expect(problemsOf([fork("f", { x: [end("a")], y: [task("b")] }), task("c")])).toEqual([]);
  });

  it("is followed by nothing, and the first node that is unreachable is named", () => {
    const nodes = [
      fork("f", { x: [end("a"), task("b"), task("c")], y: [task("d")] }),
      end("e", "fail"),
      task("g"),
      end("h"),
    ];
    expect(problemsOf(nodes)).toEqual(["unreachable_node nodes[0].branches[0].nodes[1]", "unreachable_node nodes[2]"]);
    expect(messagesOf(nodes)).toContain("this node can never be reached: 'a' before it is an end");
  });

  it("on both sides of a condition leaves nothing behind it reachable", () => {
    const inner = condition("d", [end("a", "fail")], [task("t"), end("b")]);
    const nodes = [condition("c", [inner], [end("e")]), task("g")];
    expect(problemsOf(nodes)).toEqual(["unreachable_node nodes[1]"]);
    expect(messagesOf(nodes)).toContain("both sides of the condition 'c' end");
    expect(problemsOf([condition("c", [inner]), task("g")])).toEqual([]);
    expect(problemsOf([condition("c", [inner, task("h")], [end("e")])])).toEqual(["unreachable_node nodes[0].then[1]"]);
  });

  it("says why it fails, and only then", () => {
    expect(problemsOf([end("a", "fail", { message: "no stock" })])).toEqual([]);
    expect(problemsOf([end("a", "complete", { message: "fine" })])).toEqual(["unused_field nodes[0].message"]);
  });

  it("names a savepoint to roll back to, and only then", () => {
    expect(problemsOf([savepoint("s"), back("e", "s")])).toEqual([]);
    expect(problemsOf([savepoint("s"), end("e", "rollbackTo")])).toEqual(["missing_field nodes[1].savepoint"]);
    expect(problemsOf([savepoint("s"), end("e", "fail", { savepoint: "s" })])).toEqual([
      "unused_field nodes[1].savepoint",
    ]);
    expect(problemsOf([savepoint("s"), end("e", "complete", { savepoint: "s" })])).toEqual([
      "unused_field nodes[1].savepoint",
    ]);
  });
});

describe("the savepoint that an end rolls back to", () => {
  it("was certainly passed: before it, or before what it stands in", () => {
    const deep = fork("f", { x: [condition("d", [back("e", "s")])], y: [back("g", "s")] });
    expect(problemsOf([savepoint("s"), task("a"), savepoint("t"), condition("c", [deep]), back("h", "t")])).toEqual([]);
    expect(problemsOf([condition("c", [savepoint("s"), condition("d", [], [back("e", "s")])])])).toEqual([]);
  });

  it("exists and is a savepoint", () => {
    const nodes = [task("a"), condition("c", [back("e", "zz")]), back("g", "a")];
    expect(problemsOf(nodes)).toEqual([
      "unknown_savepoint nodes[1].then[0].savepoint",
      "unknown_savepoint nodes[2].savepoint",
    ]);
    expect(messagesOf(nodes).split("\n")).toEqual([
      "there is no savepoint 'zz' in the definition",
      "'a' is no savepoint but a node of kind task; name a savepoint",
    ]);
  });

  it.each([
    ["comes later", [condition("c", [back("e", "s")]), savepoint("s")], "nodes[0].then[0].savepoint"],
    ["stands on a side", [condition("c", [savepoint("s")]), back("e", "s")], "nodes[1].savepoint"],
    ["stands on the other side", [condition("c", [savepoint("s")], [back("e", "s")])], "nodes[0].else[0].savepoint"],
  ])("is refused when it %s", (_name, nodes, path) => {
    expect(problemsOf(nodes)).toEqual([`savepoint_not_passed ${path}`]);
    expect(messagesOf(nodes)).toContain("the savepoint 's' has not certainly been passed");
  });

  it("has a problem of its own beside those of other nodes", () => {
    expect(problemsOf([back("e", "s"), sees("a", "zz")])).toEqual([
      "unreachable_node nodes[1]",
      "unknown_savepoint nodes[0].savepoint",
      "unknown_step nodes[1].input[0].$",
    ]);
  });
});
