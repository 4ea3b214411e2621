import { describe, expect, it } from "vitest";
import type { Told } from "./checks.ts";
import { wrongWith } from "./checks.ts";
import { condition, define, fork, savepoint, task, undoable } from "./definitions.ts";
import type { LogEntry } from "./log.ts";
import { ModelRun } from "./model-run.ts";
import { completed, play } from "./play.ts";
import type { Sample } from "./random-definition.ts";

const sample: Sample = {
  definition: define(
    undoable("a"),
    savepoint("s"),
    condition("c", "input.sides.c", [undoable("b")]),
    fork("f", { left: [undoable("l")], right: [undoable("r", { idempotent: false, input: { $: "steps.a" } })] }),
    task("plain"),
    undoable("end"),
  ),
  input: { sides: { c: true } },
  rules: new Map([["c", { by: "input" }]]),
};

const told = (failing: readonly string[], change: (told: Told) => Partial<Told>): string[] => {
  const run = play(new ModelRun(sample.definition, sample.input), failing);
  const { log, status, output, steps, queue } = run;
  const known: Told = { log, status, output, steps, queue };
  return wrongWith(sample, { ...known, ...change(known) });
};

const find = (log: readonly LogEntry[], wanted: Partial<Record<string, unknown>>): number =>
  log.findIndex((entry) =>
    Object.entries(wanted).every(([key, value]) => new Map(Object.entries(entry)).get(key) === value),
  );

/** The log with these entries put in before the entry that is wanted, or at its end. */
const withEntries = (
  log: readonly LogEntry[],
  entries: readonly LogEntry[],
  wanted?: Partial<Record<string, unknown>>,
) => (wanted === undefined ? [...log, ...entries] : log.toSpliced(find(log, wanted), 0, ...entries));

const without = (log: readonly LogEntry[], wanted: Partial<Record<string, unknown>>) =>
  log.toSpliced(find(log, wanted), 1);

const settled = (node: string, lane: "forward" | "compensation"): LogEntry => ({
  type: "settled",
  node,
  lane,
  completed: true,
  again: false,
  called: true,
  message: "",
});

const queued = (node: string, lane: "forward" | "compensation"): LogEntry => ({ type: "enqueued", node, lane });
const leased = (node: string): LogEntry => ({ type: "leased", node, lane: "forward", input: null });

describe("the checkers", () => {
  it("have nothing to say about runs that keep the promises", () => {
    expect(told([], () => ({}))).toEqual([]);
    for (const node of ["a", "b", "l", "r", "end"]) expect(told([node], () => ({}))).toEqual([]);
  });

  it("see that an instance stands still, or has ended with work left", () => {
    expect(told([], () => ({ status: "running" }))).toContain("it stands still as running");
    expect(told([], () => ({ queue: new Map([["a", {}]]) }))).toContain("it has ended and something is still queued");
  });

  it.each<[string, (log: readonly LogEntry[]) => LogEntry[]]>([
    [
      "a went from completed to skipped",
      (log) => withEntries(log, [{ type: "step", node: "a", from: "completed", to: "skipped" }]),
    ],
    [
      "the instance went from failed to completed",
      (log) => withEntries(log, [{ type: "instance", from: "failed", to: "completed" }]),
    ],
    ["a second review said more: {}", (log) => withEntries(log, [{ type: "restless", decision: "{}" }])],
    ["end is undone twice", (log) => withEntries(log, [settled("end", "compensation")])],
    ["a was queued after the freeze", (log) => withEntries(log, [queued("a", "forward")])],
    ["a was called after the freeze", (log) => withEntries(log, [leased("a")])],
    ["a is undone, and it comes before the savepoint", (log) => withEntries(log, [queued("a", "compensation")])],
    [
      "l is undone, and end, which comes after it, is not yet",
      (log) => withEntries(log, [queued("l", "compensation")], { type: "leased", lane: "compensation", node: "end" }),
    ],
    ["end is undone while it runs", (log) => without(log, { type: "settled", node: "end", lane: "forward" })],
    [
      "end is undone, and there is nothing to undo",
      (log) => without(log, { type: "settled", node: "end", lane: "forward" }),
    ],
    ["end is undone, and nothing has failed", (log) => without(log, { type: "frozen" })],
    ["it is failed, and l is not undone", (log) => without(log, { type: "settled", node: "l", lane: "compensation" })],
    [
      "it is failed, and plain is not undone",
      (log) => without(log, { type: "step", node: "plain", to: "rolled_back" }),
    ],
    ["it was frozen twice", (log) => withEntries(log, [{ type: "frozen", boundary: "s", cause: "end forward" }])],
    [
      "it goes back to null and not to s",
      (log) => withEntries(log, [{ type: "frozen", boundary: null, cause: "" }], { type: "frozen" }),
    ],
    [
      "its cause is other and not end forward attempt 1 failed",
      (log) => withEntries(log, [{ type: "frozen", boundary: "s", cause: "other" }], { type: "frozen" }),
    ],
  ])("see in a rollback that %s", (complaint, change) => {
    const complaints = told(["end"], ({ log }) => ({ log: change(log) }));
    expect(complaints.map((text) => text.replace("was undone twice", "is undone twice"))).toContain(complaint);
  });

  it.each<[string, (told: Told) => Partial<Told>]>([
    [
      "the join of f fired 2 times",
      ({ log }) => ({ log: withEntries(log, [{ type: "step", node: "f", from: null, to: "completed" }]) }),
    ],
    ["a was called 2 times", ({ log }) => ({ log: withEntries(log, [settled("a", "forward")]) })],
    ["r was called 2 times", ({ log }) => ({ log: withEntries(log, [settled("r", "forward")]) })],
    [
      "r was undone in 2 calls",
      ({ log }) => ({ log: withEntries(log, [settled("r", "compensation"), settled("r", "compensation")]) }),
    ],
    ['b got null and not {"by":"a"}', ({ log }) => ({ log: withEntries(log, [leased("b")]) })],
    ['r got null and not {"by":"a"}', ({ log }) => ({ log: withEntries(log, [leased("r")]) })],
    ['its output is 7 and not {"by":"end"}', () => ({ output: 7 })],
    [
      "it has completed, and b is undefined and not completed",
      ({ steps }) => ({ steps: new Map([...steps].filter(([name]) => name !== "b")) }),
    ],
    [
      "c took the side else and not then",
      ({ steps }) => ({ steps: new Map([...steps, ["c", { status: "completed", side: "else" }]]) }),
    ],
  ])("see in a run that has completed that %s", (complaint, change) => {
    expect(told([], change)).toContain(complaint);
  });
});

describe("the model", () => {
  it("lets nobody touch a step that is not in the queue", () => {
    const run = play(new ModelRun(sample.definition, sample.input));
    expect(() => run.settle("a", completed())).toThrow("'a' is not in the queue");
  });
});
