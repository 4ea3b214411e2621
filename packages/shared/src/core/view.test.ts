import { describe, expect, it } from "vitest";
import { nodeOf } from "../definition/graph.ts";
import type { InstanceStatus } from "../vocabulary/status.ts";
import { condition, fork, graphOf, task } from "./testing/definitions.ts";
import type { ViewedQueue, ViewedStep } from "./view.ts";
import { statusOf } from "./view.ts";

const graph = graphOf(
  task("first"),
  condition("choice", "value.big", [fork("both", { left: [task("l")], right: [task("r")] })], [task("small")]),
  task("last"),
);

const viewed = (
  name: string,
  steps: Readonly<Record<string, ViewedStep>>,
  queue: Readonly<Record<string, ViewedQueue>> = {},
  instance: InstanceStatus = "running",
) => statusOf(nodeOf(graph, name), instance, new Map(Object.entries(steps)), new Map(Object.entries(queue)));

describe("the status of a node as a person sees it", () => {
  it("is pending while it waits in the queue, and running while a worker has it", () => {
    expect(viewed("first", {}, { first: { lane: "forward", state: "ready" } })).toBe("pending");
    expect(viewed("first", {}, { first: { lane: "forward", state: "delayed" } })).toBe("pending");
    expect(viewed("first", {}, { first: { lane: "forward", state: "leased" } })).toBe("running");
  });

  it("is that of its row, also while its compensation is queued", () => {
    const steps = { first: { status: "compensating", side: null } } as const;
    expect(viewed("first", steps, { first: { lane: "compensation", state: "leased" } })).toBe("compensating");
    expect(viewed("first", { first: { status: "completed", side: null } })).toBe("completed");
  });

  it("is pending where the flow has not come yet", () => {
    for (const name of ["choice", "l", "small", "last"]) expect(viewed(name, {})).toBe("pending");
  });

  it("is skipped on the side that was not taken, at any depth, and nowhere else (A6)", () => {
    const taken = (side: "then" | "else") => ({ choice: { status: "completed", side } }) as const;
    expect(["both", "l", "r"].map((name) => viewed(name, taken("else")))).toEqual(["skipped", "skipped", "skipped"]);
    expect(viewed("small", taken("else"))).toBe("pending");
    expect(viewed("small", taken("then"))).toBe("skipped");
    expect(["l", "last"].map((name) => viewed(name, taken("then")))).toEqual(["pending", "pending"]);
  });

  it("is skipped where the flow never came and the instance has ended", () => {
    for (const ended of ["failed", "cancelled", "aborted"] as const)
      expect(viewed("last", {}, {}, ended)).toBe("skipped");
    expect(viewed("last", {}, {}, "rolling_back")).toBe("pending");
  });

  it("is skipped in a branch that its join does without, and pending while the join waits", () => {
    const first = (status: "waiting" | "paused" | "completed" | "skipped") => ({
      choice: { status: "completed", side: "then" } as const,
      both: { status, side: null },
    });
    expect(["waiting", "paused"].map((status) => viewed("l", first(status as "waiting")))).toEqual([
      "pending",
      "pending",
    ]);
    expect(["completed", "skipped"].map((status) => viewed("l", first(status as "skipped")))).toEqual([
      "skipped",
      "skipped",
    ]);
  });
});
