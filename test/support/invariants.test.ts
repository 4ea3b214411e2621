import type { DefinitionJson } from "@floxy/shared";
import { describe, expect, test } from "vitest";
import { orderOf } from "./definition-order.ts";
import { violations } from "./invariants.ts";
import type { EventFact, InstanceFacts, StepFact } from "./snapshot.ts";

const definition: DefinitionJson = {
  format: 1,
  name: "order",
  version: 1,
  nodes: [
    { kind: "task", name: "pay", handler: "pay", compensation: { handler: "refund" }, retry: { maxAttempts: 2 } },
    {
      kind: "fork",
      name: "both",
      branches: [
        { name: "left", nodes: [{ kind: "task", name: "left", handler: "left" }] },
        {
          name: "right",
          nodes: [{ kind: "task", name: "right", handler: "right", compensation: { handler: "undo" } }],
        },
      ],
    },
  ],
};

const handlersOf = new Map([["worker", new Set(["pay", "refund", "left", "right", "undo"])]]);

const step = (node: string, status: string, outcome = "happened"): StepFact => ({
  node,
  status,
  outcome,
  side: null,
  winners: null,
  timed: false,
});

/** Events in short: `type`, `type node` or `step.leased node handler lane`. */
const eventsOf = (lines: readonly string[]): EventFact[] =>
  lines.map((line, index) => {
    const [type = "", node = null, handler = null, lane = null] = line.split(" ");
    return { eventId: index + 1, type, node, attempt: null, workerId: "worker", lane, handler };
  });

const completedEvents = [
  "instance.started",
  "step.leased pay pay forward",
  "step.completed pay",
  "step.waiting both",
  "step.leased left left forward",
  "step.leased right right forward",
  "step.completed left",
  "step.completed right",
  "step.completed both",
  "instance.completed",
];

const failedEvents = [
  ...completedEvents.slice(0, 7),
  "step.failed right",
  "instance.rolling_back",
  "compensation.queued right",
  "step.leased right undo compensation",
  "step.rolled_back right",
  "compensation.queued pay",
  "step.leased pay refund compensation",
  "step.rolled_back pay",
  "instance.failed",
];

const facts = (status: string, steps: readonly StepFact[], lines: readonly string[]): InstanceFacts => ({
  instanceId: "id",
  status,
  boundary: null,
  order: orderOf(definition),
  steps: new Map(steps.map((one) => [one.node, one])),
  queue: [],
  inboxCount: 0,
  deadLetters: [],
  events: eventsOf(lines),
});

const allCompleted = ["pay", "both", "left", "right"].map((name) => step(name, "completed"));
const allUndone = [
  step("pay", "rolled_back"),
  step("both", "skipped"),
  step("left", "rolled_back"),
  step("right", "rolled_back", "unknown"),
];
const completed = facts("completed", allCompleted, completedEvents);
const failed = facts("failed", allUndone, failedEvents);

const withLine = (lines: readonly string[], index: number, ...line: string[]): string[] => [
  ...lines.slice(0, index),
  ...line,
  ...lines.slice(index),
];
const withStep = (steps: readonly StepFact[], changed: StepFact): StepFact[] =>
  steps.map((one) => (one.node === changed.node ? changed : one));

describe("the invariants", () => {
  test("hold for what is right", () => {
    expect(violations(completed, handlersOf)).toEqual([]);
    expect(violations(failed, handlersOf)).toEqual([]);
  });

  const queued = [{ node: "pay", lane: "forward", state: "ready" }];
  const undoneTwice = ["step.leased pay refund compensation", "step.rolled_back pay"];
  const swapped = [
    ...failedEvents.slice(0, 9),
    ...failedEvents.slice(12, 15),
    ...failedEvents.slice(9, 12),
    "instance.failed",
  ];

  test.each<[string, InstanceFacts, RegExp]>([
    ["work left behind", { ...completed, queue: queued }, /^id \(completed\): 1: it has ended, and pay is queued/],
    ["notes left behind", { ...completed, inboxCount: 1 }, /1: .* notes/],
    ["an instance that nothing moves", { ...completed, status: "running" }, /1: it waits for nothing/],
    ["dlq without a letter", { ...failed, status: "dlq" }, /1: .* no dead letter/],
    ["a step that is missing", facts("completed", allCompleted.slice(1), completedEvents), /2: step pay .* missing/],
    [
      "a step that was never passed",
      facts("completed", [...allCompleted, step("other", "completed")], completedEvents),
      /2: step other was not passed/,
    ],
    [
      "a step that stays completed in a rollback",
      facts("failed", withStep(allUndone, step("left", "completed")), failedEvents),
      /3: step left is completed/,
    ],
    [
      "a failed step that was not undone",
      facts("failed", withStep(allUndone, step("left", "failed", "unknown")), failedEvents),
      /3: step left is failed with outcome unknown/,
    ],
    [
      "a compensation that was lost",
      facts("failed", allUndone, [...failedEvents.slice(0, 12), "instance.failed"]),
      /3: step pay is rolled_back, and its compensation succeeded 0 times/,
    ],
    [
      "what was undone before the savepoint",
      { ...failed, order: { ...failed.order, upTo: () => new Set(["pay"]) }, boundary: "saved" },
      /3: step pay stands before the savepoint and was undone/,
    ],
    [
      "a call too many",
      facts(
        "completed",
        allCompleted,
        withLine(
          completedEvents,
          2,
          ...Array.from({ length: 2 }, () => ["step.retried pay", "step.leased pay pay forward"]).flat(),
        ),
      ),
      /4: step pay was called 3 times/,
    ],
    [
      "two leases at a time",
      facts("completed", allCompleted, withLine(completedEvents, 2, "step.leased pay pay forward")),
      /4: step pay was leased twice at a time/,
    ],
    [
      "what was undone twice",
      facts("failed", allUndone, withLine(failedEvents, 15, ...undoneTwice)),
      /5: step pay was undone 2 times/,
    ],
    ["compensations out of order", facts("failed", allUndone, swapped), /5: step pay was undone before right/],
    [
      "a step that began too early",
      facts(
        "completed",
        allCompleted,
        withLine(
          completedEvents.filter((line) => line !== "step.completed pay"),
          5,
          "step.completed pay",
        ),
      ),
      /5: step left began before step pay was over/,
    ],
    [
      "a join that fired twice",
      facts("completed", allCompleted, withLine(completedEvents, 9, "step.completed both")),
      /6: the join of both fired 2 times/,
    ],
    [
      "a step that was leased after the freeze",
      facts("failed", allUndone, withLine(failedEvents, 9, "step.leased left left forward", "step.adopted left")),
      /leased forward after the instance was frozen/,
    ],
    [
      "life after the end",
      facts("completed", allCompleted, [...completedEvents, "step.completed pay"]),
      /came after instance.completed/,
    ],
  ])("report %s", (_, broken, expected) => {
    expect(violations(broken, handlersOf)).toContainEqual(expect.stringMatching(expected));
  });

  test("report a lease by a worker that lacks the handler", () => {
    const found = violations(completed, new Map([["worker", new Set(["pay", "left"])]]));
    expect(found).toEqual(["id (completed): step right was leased by worker, which lacks handler right"]);
  });
});
