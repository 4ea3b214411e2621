import { describe, expect, it } from "vitest";
import { nodeOf } from "../definition/graph.ts";
import type { Stop } from "./flow.ts";
import { stopAfter, stopAtStart } from "./flow.ts";
import { condition, fork, graphOf, task } from "./testing/definitions.ts";

const graph = graphOf(
  task("first"),
  fork("both", {
    left: [condition("outer", "true", [condition("inner", "true", [task("deep")])])],
    right: [task("r")],
  }),
  condition("choice", "true", [task("chosen")], []),
);

const nameOf = (stop: Stop) => (stop.kind === "end" ? `the end of the ${stop.of}` : stop.name);
const after = (name: string) => nameOf(stopAfter(nodeOf(graph, name)));

describe("the flow", () => {
  it("goes from a node to the next", () => {
    expect(nameOf(stopAtStart(graph.root))).toBe("first");
    expect([after("first"), after("both")]).toEqual(["both", "choice"]);
  });

  it("goes out of the sides of conditions, as far as the end of the branch or of all", () => {
    expect([after("deep"), after("inner"), after("r")]).toEqual(Array(3).fill("the end of the branch"));
    expect([after("chosen"), after("choice")]).toEqual(Array(2).fill("the end of the root"));
  });

  it("goes around an empty side", () => {
    const choice = nodeOf(graph, "choice");
    expect(choice.kind === "condition" && nameOf(stopAtStart(choice.else))).toBe("the end of the root");
  });
});
