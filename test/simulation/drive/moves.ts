/** Random schedules: one move after another, each chosen by the tape from what can be done now. */
import type { Json } from "@floxy/shared";
import type { Account } from "../check/account.ts";
import { hasEnded } from "../check/rest.ts";
import { chiefs, people, signalNames } from "../definition/waits.ts";
import type { Tape } from "../tape.ts";
import type { Act } from "./acts.ts";
import { act, pause } from "./acts.ts";
import type { CrashPlan } from "./crash.ts";
import type { Simulation } from "./simulation.ts";
import type { Call, Fate, SimulatedWorker } from "./worker.ts";
import { leaseMs } from "./worker.ts";

/** How rough a run is, in percent. */
export interface Weather {
  /** Handlers that fail. */
  readonly trouble: number;
  /** Processes that die in a step. */
  readonly crashes: number;
  /** How often people do something, as a weight among other moves. */
  readonly people: number;
  /** How often a worker dies or sleeps through its lease, as a weight. */
  readonly deaths: number;
}

/** What a random schedule moves. */
export interface Scene {
  readonly simulation: Simulation;
  readonly workers: readonly SimulatedWorker[];
  readonly tape: Tape;
  readonly weather: Weather;
}

/** Makes one move. */
export const move = async (scene: Scene): Promise<void> => {
  const { simulation, workers, tape, weather } = scene;
  const calling = workers.filter(({ calls }) => calls.length > 0);
  const settling = workers.filter(({ finished }) => finished.length > 0);
  const repeating = workers.filter(({ unanswered }) => unanswered.length > 0);
  const now = workToDo(simulation);
  const next = tape.weigh<() => Promise<void>>([
    [now.ready ? 18 : 2, () => claimSome(scene)],
    [calling.length > 0 ? 24 : 0, async () => finishSome(scene, calling)],
    [settling.length > 0 ? 20 : 0, () => settleSome(scene, settling)],
    [repeating.length > 0 ? 12 : 0, async () => tape.pickAny(repeating)?.repeat(crashOf(scene, 6))],
    [now.noted ? 16 : 1, async () => void (await simulation.review(tape.pick([100, 1, 2]), crashOf(scene, 16)))],
    [now.delayed ? 6 : 1, async () => void (await simulation.wake(100, crashOf(scene, 1)))],
    [now.timed ? 6 : 1, async () => void (await simulation.ring(tape.pick([100, 1]), crashOf(scene, 1)))],
    [now.expired ? 12 : 1, async () => void (await simulation.takeOver(tape.pick([100, 1]), crashOf(scene, 5)))],
    [6, () => simulation.pass(tape.pick([5_000, 1_000, 20_000]))],
    [weather.deaths, () => simulation.pass(leaseMs + 1_000)],
    [calling.length > 0 ? 3 : 0, async () => tape.pickAny(calling)?.extend()],
    [weather.deaths, async () => tape.pickAny(workers)?.die(() => tape.chance(50))],
    [weather.people, () => interfere(scene)],
  ]);
  await next?.();
};

// Moves that can change nothing are made too, now and then.
const workToDo = ({ live, stage }: Simulation) => {
  const now = stage.now();
  const queued = live.flatMap(({ facts }) => [...(facts?.queue.values() ?? [])]);
  return {
    ready: queued.some(({ state }) => state === "ready"),
    delayed: queued.some(({ state }) => state === "delayed"),
    expired: queued.some(({ leaseUntil }) => leaseUntil !== null && leaseUntil < now),
    noted: live.some(({ facts }) => (facts?.notes.length ?? 0) > 0),
    timed: live.some(({ facts }) => (facts?.timers.size ?? 0) > 0),
  };
};

const crashOf = ({ tape, weather }: Scene, most: number): CrashPlan | undefined =>
  tape.chance(weather.crashes) ? { at: tape.below(most), when: tape.pick(["before", "after"]) } : undefined;

const claimSome = async (scene: Scene): Promise<void> => {
  const { workers, tape } = scene;
  await tape.pickAny(workers)?.claim(tape.pick([4, 1, 10]), crashOf(scene, 1));
};

const finishSome = (scene: Scene, calling: readonly SimulatedWorker[]): void => {
  const { tape } = scene;
  const worker = tape.pickAny(calling);
  if (worker === undefined) return;
  const count = 1 + tape.below(3);
  for (let done = 0; done < count; done++) {
    const call = tape.pickAny(worker.calls);
    if (call !== undefined) worker.finish(call, fateOf(scene, call));
  }
};

const fateOf = ({ tape, weather }: Scene, call: Call): Fate => {
  if (!tape.chance(weather.trouble)) return { kind: "completes", output: outputOf(tape, call.leased.node) };
  return tape.pick<Fate>([
    { kind: "fails", retryable: true, hasEffect: false },
    { kind: "fails", retryable: true, hasEffect: true },
    { kind: "fails", retryable: false, hasEffect: tape.chance(50) },
    { kind: "fails", retryable: true, hasEffect: true, retryAfterMs: 7_000 },
    { kind: "released" },
    { kind: "refused" },
  ]);
};

/** What a handler answers. */
export const outputOf = (tape: Tape, by: string): Json => ({ by, ok: tape.chance(50), n: tape.below(10) });

const settleSome = async (scene: Scene, settling: readonly SimulatedWorker[]): Promise<void> => {
  const { tape } = scene;
  const worker = tape.pickAny(settling);
  if (worker === undefined) return;
  const count = tape.pick([worker.finished.length, 1]);
  await worker.settle(worker.finished.splice(0, count), crashOf(scene, 6));
};

const interfere = async (scene: Scene): Promise<void> => {
  const { simulation, tape } = scene;
  if (tape.chance(4)) {
    const name = tape.pickAny([
      ...new Set([...simulation.accounts.values()].map(({ order }) => order.definition.name)),
    ]);
    if (name !== undefined) await pause(simulation, name, !simulation.paused.has(name));
    return;
  }
  const account = tape.pickAny([...simulation.accounts.values()]);
  if (account?.facts === undefined) return;
  // What has ended can only be resumed; the rest must be refused, which need not be seen often.
  if (hasEnded(account.facts) && account.facts.status !== "failed" && !tape.chance(15)) return;
  const what = chooseAct(scene, account);
  if (what !== undefined) await act(simulation, account, what, crashOf(scene, 16));
};

const chooseAct = ({ tape, simulation }: Scene, account: Account): Act | undefined => {
  const { facts } = account;
  if (facts === undefined) return undefined;
  const humans = [...facts.steps.values()].filter(({ status }) => status === "waiting_decision");
  const letters = [...facts.deadLetters];
  const isFailed = facts.status === "failed";
  const signals = [...account.order.nodes.values()].some(({ kind }) => kind === "signal");
  return tape.weigh<() => Act | undefined>([
    [humans.length > 0 ? 30 : 0, () => decideBy(tape, tape.pickAny(humans)?.node ?? "")],
    [letters.length > 0 ? 30 : 0, () => handle(tape, tape.pickAny(letters) ?? ["", ""])],
    [isFailed ? 20 : 0, () => resume(tape)],
    [signals ? 16 : 1, () => signal(tape, simulation)],
    [4, () => ({ kind: "cancel" })],
    [2, () => ({ kind: "abort" })],
    [3, () => ({ kind: "reprioritise", priority: tape.below(101) })],
    // At a moment that is wrong.
    [1, () => ({ kind: "resume" })],
    [1, () => decideBy(tape, tape.pickAny([...account.order.nodes.keys()]) ?? "")],
    [1, () => ({ kind: "requeue", step: tape.pickAny([...account.order.nodes.keys()]) ?? "" })],
  ])?.();
};

const decideBy = (tape: Tape, step: string): Act => ({
  kind: "decide",
  step,
  verdict: tape.chance(30) ? "reject" : "confirm",
  by: tape.pick([...people, ...chiefs]),
});

const resume = (tape: Tape): Act => ({ kind: "resume", ...(tape.chance(40) && { input: given(tape) }) });

const signal = (tape: Tape, { story }: Simulation): Act => {
  // Now and then the same signal is sent twice.
  const signalId = tape.chance(10) ? "again" : `signal${story.length}`;
  return { kind: "signal", name: tape.pick(signalNames), payload: { ok: tape.chance(50), n: tape.below(5) }, signalId };
};

/** What a person may do with a dead letter. */
const handle = (tape: Tape, [step, lane]: readonly [string, string]): Act => {
  if (lane === "compensation") {
    if (tape.chance(40)) return { kind: "skip", step };
    return { kind: "retry", step, ...(tape.chance(30) && { input: given(tape) }) };
  }
  return tape.pick<Act>([
    { kind: "requeue", step },
    { kind: "requeue", step, ...(step.startsWith("t") && { input: given(tape) }) },
    { kind: "resolve", step, output: step.startsWith("c") ? tape.chance(50) : { by: "op", ok: tape.chance(50), n: 1 } },
    { kind: "discard", step },
  ]);
};

const given = (tape: Tape): Json => ({
  given: true,
  ok: tape.chance(50),
  n: tape.below(10),
  sides: {},
  start: 1,
  until: 0,
});
