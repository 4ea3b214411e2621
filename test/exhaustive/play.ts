/** Plays an instance in the one simplest way, with one thing that goes wrong. */
import type { Json } from "@floxy/shared";
import type { Account } from "../simulation/check/account.ts";
import { hasEnded } from "../simulation/check/rest.ts";
import type { Sample } from "../simulation/definition/growth.ts";
import { act } from "../simulation/drive/acts.ts";
import type { CrashPlan } from "../simulation/drive/crash.ts";
import type { Simulation } from "../simulation/drive/simulation.ts";
import { Violation } from "../simulation/drive/simulation.ts";
import type { Call, Fate, SimulatedWorker } from "../simulation/drive/worker.ts";
import { leaseMs } from "../simulation/drive/worker.ts";

/** What goes wrong. */
export type Fault =
  | { readonly kind: "nothing" }
  /** A task fails for good; then another's compensation may do so too. */
  | { readonly kind: "fails"; readonly task: string; readonly undo?: string }
  /** The worker dies while it calls a handler, or only falls asleep, and comes back when another has done its work. */
  | { readonly kind: "lost" | "sleeps"; readonly task: string }
  /** Somebody interferes after so many steps. */
  | { readonly kind: "cancel" | "abort"; readonly after: number }
  /** A process dies in a step. */
  | { readonly kind: "crash"; readonly step: number; readonly plan: CrashPlan };

/** Steps in which a process can die, each with its calls to the database. */
export interface Played {
  readonly account: Account;
  /** The number of calls of each step; 0 for steps in which nobody dies. */
  readonly calls: readonly number[];
}

interface Play {
  readonly simulation: Simulation;
  readonly worker: SimulatedWorker;
  readonly fault: Fault;
  readonly instanceId: string;
  readonly calls: number[];
  /** Whether the task that is to be lost, or slept through, has been so. */
  isDone: boolean;
}

/** More steps than any small definition takes. */
const stepLimit = 300;

/** Plays an instance to its end. */
export const play = async (
  simulation: Simulation,
  worker: SimulatedWorker,
  { sample, input, fault }: { readonly sample: Sample; readonly input: Json; readonly fault: Fault },
): Promise<Played> => {
  const instanceId = await simulation.start(sample, input);
  const one: Play = { simulation, worker, fault, instanceId, calls: [], isDone: false };
  while (!isOver(one)) {
    if (one.calls.length > stepLimit) throw new Violation(`${instanceId} does not come to an end`);
    if (!(await stepOn(one))) await help(one);
  }
  const account = accountOf(one);
  if (account.facts !== undefined) simulation.complainIf(simulation.world.check(account, account.facts), instanceId);
  return { account, calls: one.calls };
};

const accountOf = ({ simulation, instanceId }: Play): Account => {
  const account = simulation.accounts.get(instanceId);
  if (account === undefined) throw new Error(`there is no instance ${instanceId}`);
  return account;
};

const isOver = (one: Play): boolean => {
  const { facts } = accountOf(one);
  return facts !== undefined && hasEnded(facts) && facts.notes.length === 0 && one.worker.isIdle;
};

// Answers whether anything was there to be done.
const stepOn = async (one: Play): Promise<boolean> => {
  const { simulation, worker } = one;
  const { facts } = accountOf(one);
  if (facts === undefined) return false;
  if (facts.notes.length > 0) {
    await make(one, (crash) => simulation.review(100, crash));
    // The note of an instance that has ended is taken and nothing else; it is looked at no more.
    if (hasEnded(facts)) await simulation.observe(new Map(), one.instanceId);
    return true;
  }
  if (worker.unanswered.length > 0) {
    await make(one, () => worker.repeat());
    return true;
  }
  const [call] = worker.calls;
  if (call !== undefined) {
    await finish(one, call);
    return true;
  }
  const queued = [...facts.queue.values()];
  if (queued.some(({ state }) => state === "ready")) {
    await make(one, (crash) => worker.claim(10, crash));
    return true;
  }
  // A claim of which nobody knows.
  if (queued.some(({ state }) => state === "leased")) {
    await expire(one);
    return true;
  }
  if (facts.timers.size === 0) return false;
  await simulation.pass(Math.max(0, Math.min(...facts.timers.values()) - simulation.stage.now()) + 1);
  await make(one, (crash) => simulation.ring(100, crash));
  return true;
};

const make = async (one: Play, step: (crash: CrashPlan | undefined) => Promise<unknown>): Promise<void> => {
  const { simulation, fault } = one;
  const number = one.calls.length;
  await step(fault.kind === "crash" && fault.step === number ? fault.plan : undefined);
  one.calls.push(simulation.lastCalls);
  const isNow = (fault.kind === "cancel" || fault.kind === "abort") && fault.after === number;
  if (isNow && !isOver(one)) await interfere(one, fault.kind);
};

const interfere = async (one: Play, kind: "cancel" | "abort"): Promise<void> => {
  const account = accountOf(one);
  if (account.facts !== undefined && !hasEnded(account.facts)) await act(one.simulation, account, { kind });
};

const expire = async ({ simulation, ...one }: Play): Promise<void> => {
  await simulation.pass(leaseMs + 1);
  await make({ simulation, ...one }, (crash) => simulation.takeOver(100, crash));
};

const finish = async (one: Play, call: Call): Promise<void> => {
  const { worker, fault } = one;
  const { node, lane } = call.leased;
  const isConcerned = "task" in fault && fault.task === node && lane === "forward" && !one.isDone;
  if (isConcerned && fault.kind === "lost") {
    one.isDone = true;
    worker.die(() => true);
    return;
  }
  if (isConcerned && fault.kind === "sleeps") {
    one.isDone = true;
    await sleepThrough(one, call);
    return;
  }
  worker.finish(call, fateOf(fault, call));
  await make(one, (crash) => worker.settle(worker.finished.splice(0), crash));
};

// The lease expires, another attempt is made and settled, and only then the first one comes to its end.
const sleepThrough = async (one: Play, call: Call): Promise<void> => {
  const { simulation, worker } = one;
  const others = worker.calls.filter((other) => other !== call);
  for (const other of others) worker.finish(other, fateOf(one.fault, other));
  if (others.length > 0) await make(one, () => worker.settle());
  await expire(one);
  await make(one, () => worker.claim(10));
  for (const other of worker.calls.filter((next) => next !== call)) worker.finish(other, fateOf(one.fault, other));
  await make(one, () => worker.settle());
  worker.finish(call, { kind: "completes", output: outputOf(`${call.leased.node} too late`) });
  await make(one, () => worker.settle());
  simulation.coverage.count("zombies");
};

const fateOf = (fault: Fault, { leased: { node, lane } }: Call): Fate => {
  const fails = fault.kind === "fails" && (lane === "forward" ? fault.task === node : fault.undo === node);
  return fails ? { kind: "fails", retryable: false, hasEffect: true } : { kind: "completes", output: outputOf(node) };
};

const outputOf = (by: string): Json => ({ by, ok: true, n: 1 });

/** People and programs do what is asked of them. */
const help = async (one: Play): Promise<void> => {
  const { simulation } = one;
  const account = accountOf(one);
  const { facts } = account;
  if (facts === undefined) return;
  const human = [...facts.steps.values()].find(({ status }) => status === "waiting_decision");
  const [letter] = facts.deadLetters.keys();
  one.calls.push(0);
  if (letter !== undefined) await act(simulation, account, { kind: "skip", step: letter });
  else if (human !== undefined) {
    await act(simulation, account, { kind: "decide", step: human.node, verdict: "confirm", by: "ada" });
  } else {
    const signalId = `signal${one.calls.length}`;
    await act(simulation, account, { kind: "signal", name: "paid", payload: { ok: true, n: 1 }, signalId });
  }
  const { fault } = one;
  const isNow = (fault.kind === "cancel" || fault.kind === "abort") && fault.after === one.calls.length - 1;
  if (isNow) await interfere(one, fault.kind);
};
