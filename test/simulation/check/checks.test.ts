import type { NodeJson } from "@floxy/shared";
import { describe, expect, it } from "vitest";
import { drain } from "../drive/drain.ts";
import { Simulation } from "../drive/simulation.ts";
import { SimulatedWorker } from "../drive/worker.ts";
import { openMemoryStage } from "../stage/memory.ts";
import type { EventFact, Facts, QueueFact, StepFact } from "../stage/stage.ts";
import { Tape } from "../tape.ts";
import { checkRest } from "./rest.ts";

const task = (name: string): NodeJson => ({
  kind: "task",
  name,
  handler: "charge",
  retry: { maxAttempts: 1 },
  compensation: { handler: "refund", retry: { maxAttempts: 1 } },
});

const nodes: readonly NodeJson[] = [
  task("a"),
  { kind: "fork", name: "f", branches: [task("l"), task("r")].map((node) => ({ name: node.name, nodes: [node] })) },
  task("end"),
];

type Tamper = (facts: Facts) => Partial<Facts>;

/** Plays a run in which each look at the database is falsified; `failing` fails for good. Answers what was complained of. */
const complaint = async (tamper: Tamper, failing?: string): Promise<string> => {
  const stage = openMemoryStage();
  const look: typeof stage.look = async (wanted) =>
    (await stage.look(wanted)).map((facts) => ({ ...facts, ...tamper(facts) }));
  const simulation = new Simulation({ ...stage, look });
  const worker = new SimulatedWorker(simulation, "w", ["charge", "refund"], new Set());
  const sample = {
    definition: { format: 1, name: "d", version: 1, nodes } as const,
    rules: new Map(),
    mappings: new Map(),
  };
  try {
    await simulation.define(sample);
    await simulation.start(sample, { start: 1 });
    for (let round = 0; failing !== undefined && round < 20; round++) {
      await worker.claim(10);
      for (const call of [...worker.calls]) {
        const isFailing = call.leased.node === failing && call.leased.lane === "forward";
        const output = { by: call.leased.node };
        worker.finish(
          call,
          isFailing ? { kind: "fails", retryable: false, hasEffect: true } : { kind: "completes", output },
        );
      }
      await worker.settle();
      await simulation.review();
    }
    await drain(simulation, [worker], Tape.of([]));
    return "nothing";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

const withEvent =
  (after: (event: EventFact) => boolean, more: Partial<EventFact>): Tamper =>
  ({ events }) => ({ events: events.flatMap((event) => (after(event) ? [event, { ...event, ...more }] : [event])) });

const withoutEvent =
  (gone: (event: EventFact) => boolean): Tamper =>
  ({ events }) => ({ events: events.filter((event) => !gone(event)) });

const withStep =
  (name: string, change: Partial<StepFact>, when: (facts: Facts) => boolean = () => true): Tamper =>
  (facts) => {
    const step = facts.steps.get(name);
    if (step === undefined || !when(facts)) return {};
    return { steps: new Map([...facts.steps, [name, { ...step, ...change }]]) };
  };

const is = (type: string, node: string | null) => (event: EventFact) => event.type === type && event.node === node;
const undoing = (node: string) => ({ type: "step.leased", node, attempt: 1, data: { lane: "compensation" } });
const queued: QueueFact = {
  node: "a",
  lane: "forward",
  state: "ready",
  attempt: 0,
  token: null,
  readyAt: 0,
  leaseUntil: null,
  run: 0,
};
const hasStatus = (status: string) => (facts: Facts) => facts.status === status;

describe("the checkers", () => {
  it("have nothing to say when the database keeps the promises", async () => {
    expect(await complaint(() => ({}))).toBe("nothing");
    for (const failing of ["a", "l", "end"]) expect(await complaint(() => ({}), failing)).toBe("nothing");
  });

  it.each<[string, Tamper]>([
    ["a is leased twice at a time", withEvent(is("step.leased", "a"), {})],
    ["step.retried of a, which is not leased", withEvent(is("step.completed", "a"), { type: "step.retried" })],
    ["the join of f fired 2 times", withEvent(is("step.completed", "f"), {})],
    ["it went from completed to failed", withEvent(is("instance.completed", null), { type: "instance.failed" })],
    ["a went from completed to skipped", withEvent(is("step.completed", "a"), { type: "step.skipped" })],
    ["its history says running, and its row completed", withoutEvent(is("instance.completed", null))],
    ["the lease of a has gone without a trace", withoutEvent(is("step.completed", "a"))],
    ["a is leased without a trace", withoutEvent(is("step.leased", "a"))],
    ["the history of a says completed, and its row failed", withStep("a", { status: "failed" })],
    ["the join of f gives", withStep("f", { output: { l: 1 } }, hasStatus("running"))],
    [
      "the join of f fired with",
      withStep("f", { winners: ["l"] }, ({ steps }) => steps.get("f")?.status === "completed"),
    ],
    ["the flow has come to f, and nothing of it is there", ({ steps }) => ({ steps: without(steps, "f") })],
    ["end is there, and the flow has not come to it", ({ queue }) => ({ queue: new Map([...queue, ["end", queued]]) })],
    ["its output is", withStep("end", { output: 7 })],
    [
      "it is completed, and a is queued",
      (facts) => (hasStatus("completed")(facts) ? { queue: new Map([["a", queued]]) } : {}),
    ],
    [
      "it is completed, and has timers",
      (facts) => (hasStatus("completed")(facts) ? { timers: new Map([["", 1]]) } : {}),
    ],
    [
      "call 1 of a is attempt 7",
      ({ events }) => ({
        events: events.map((event) => (is("step.leased", "a")(event) ? { ...event, attempt: 7 } : event)),
      }),
    ],
  ])("see in a run that completes that %s", async (what, tamper) => {
    expect(await complaint(tamper)).toContain(what);
  });

  it.each<[string, Tamper]>([
    [
      "end is undone twice",
      withEvent(is("step.rolled_back", "end"), { type: "step.leased", attempt: 2, data: { lane: "compensation" } }),
    ],
    ["l is undone before end, which comes after it", withEvent(is("compensation.queued", "end"), undoing("l"))],
    ["the lease of end has gone without a trace", withoutEvent(is("step.rolled_back", "end"))],
    ["it is failed, and a is not undone", (facts) => (hasStatus("rolling_back")(facts) ? { status: "failed" } : {})],
    ["it is failed, and a is completed", withStep("a", { status: "completed" }, hasStatus("failed"))],
    [
      "it is failed, and end is failed with outcome unknown",
      withStep("end", { status: "failed" }, hasStatus("failed")),
    ],
    ["a is absent, and may have had effects", withStep("a", { outcome: "absent" }, hasStatus("failed"))],
    [
      "a is queued, and it is rolling_back",
      (facts) => (hasStatus("rolling_back")(facts) ? { queue: new Map([...facts.queue, ["a", queued]]) } : {}),
    ],
    ["a is undone while the instance is running", withEvent(is("step.completed", "a"), undoing("a"))],
    ["comes before the savepoint", (facts) => (hasStatus("rolling_back")(facts) ? { boundary: "end" } : {})],
    ["it is dlq without a dead letter", (facts) => (hasStatus("rolling_back")(facts) ? { status: "dlq" } : {})],
  ])("see in a rollback that %s", async (what, tamper) => {
    expect(await complaint(tamper, "end")).toContain(what);
  });
});

describe("an instance at rest", () => {
  const resting = async (change: Partial<Facts>): Promise<string[]> => {
    const simulation = new Simulation(openMemoryStage());
    const waiting: NodeJson = { kind: "signal", name: "w", signal: "paid" };
    const definition = { format: 1, name: "d", version: 1, nodes: [waiting] } as const;
    const sample = { definition, rules: new Map(), mappings: new Map() };
    await simulation.define(sample);
    await simulation.start(sample, {});
    await simulation.review();
    const [account] = simulation.live;
    if (account?.facts === undefined) throw new Error("it has ended");
    return checkRest(account, { ...account.facts, ...change });
  };

  it("may wait for a signal", async () => {
    expect(await resting({})).toEqual([]);
  });

  it.each<[string, Partial<Facts>]>([
    ["it is running, and waits for nothing that exists", { steps: new Map() }],
    ["there are notes of it", { notes: [1] }],
    ["a is queued, and nobody takes it", { queue: new Map([["a", queued]]) }],
    ["it has timers that are long over", { timers: new Map([["w", 1]]) }],
    ["w waits for a signal that is there", { signals: [{ signalId: "s", name: "paid", payload: null, node: null }] }],
    ["it is rolling_back, and waits for nothing that exists", { status: "rolling_back" }],
  ])("is seen to rest wrongly when %s", async (what, change) => {
    expect(await resting(change)).toContain(what);
  });
});

const without = <V>(map: ReadonlyMap<string, V>, name: string): Map<string, V> =>
  new Map([...map].filter(([key]) => key !== name));
