/** Operators, deciders and other programs: what they may do to an instance, with what must come of it. */
import type { Json, Operated } from "@floxy/shared";
import {
  abortInstance,
  cancelInstance,
  decide,
  discardStep,
  isFloxyError,
  pauseDefinition,
  reprioritise,
  requeueStep,
  resolveStep,
  resumeInstance,
  retryCompensation,
  sendSignal,
  skipCompensation,
  unpauseDefinition,
} from "@floxy/shared";
import type { Account } from "../check/account.ts";
import { hasEnded } from "../check/rest.ts";
import type { Facts } from "../stage/stage.ts";
import type { CrashPlan } from "./crash.ts";
import type { Simulation } from "./simulation.ts";
import { label, Violation } from "./simulation.ts";

/** An act on an instance. */
export type Act =
  | { readonly kind: "cancel" | "abort" }
  | { readonly kind: "resume"; readonly input?: Json }
  | { readonly kind: "reprioritise"; readonly priority: number }
  | { readonly kind: "signal"; readonly name: string; readonly payload: Json; readonly signalId: string }
  | { readonly kind: "decide"; readonly step: string; readonly verdict: "confirm" | "reject"; readonly by: string }
  | { readonly kind: "requeue" | "retry"; readonly step: string; readonly input?: Json }
  | { readonly kind: "resolve"; readonly step: string; readonly output: Json }
  | { readonly kind: "discard" | "skip"; readonly step: string };

/** Performs an act. Answers whether it was accepted; what is refused must have had a reason to be. */
export const act = async (simulation: Simulation, account: Account, what: Act, crash?: CrashPlan): Promise<boolean> => {
  const { instanceId, facts } = account;
  const said = Object.values(what)
    .map((part) => (typeof part === "string" ? part : JSON.stringify(part)))
    .join(" ");
  const refusal: { code?: string } = {};
  const told = (): void => {
    if (refusal.code === undefined) tell(simulation, instanceId, what);
  };
  const work = async (): Promise<boolean> => {
    try {
      await perform(simulation, instanceId, what);
      return true;
    } catch (error) {
      if (simulation.line.isDead || !isFloxyError(error)) throw error;
      refusal.code = error.code;
      simulation.story.push(`    refused: ${error.message}`);
      return false;
    }
  };
  const { answer } = await simulation.step(`${label(instanceId)}: ${said}`, work, { crash, told, touches: instanceId });
  // Whoever lost the answer asks again: every act is safe to repeat.
  if (answer === undefined) return act(simulation, reopen(simulation, instanceId), what);
  if (facts !== undefined) checkAct(account, facts, what, { answer, code: refusal.code });
  return answer;
};

const reopen = ({ accounts }: Simulation, instanceId: string): Account => {
  const account = accounts.get(instanceId);
  if (account === undefined) throw new Error(`there is no instance ${instanceId}`);
  return account;
};

const perform = (simulation: Simulation, instanceId: string, what: Act): Promise<Operated> => {
  const { graphs, hints } = simulation;
  const { db } = simulation.line;
  const base = { instanceId, requestedBy: "op", reason: "simulated", hints };
  switch (what.kind) {
    case "cancel":
      return cancelInstance(db, graphs, base);
    case "abort":
      return abortInstance(db, graphs, base);
    case "resume":
      return resumeInstance(db, graphs, { ...base, input: what.input });
    case "reprioritise":
      return reprioritise(db, graphs, { ...base, priority: what.priority });
    case "signal":
      return sendSignal(db, graphs, { ...what, instanceId, hints, sentBy: "other" });
    case "decide":
      return decide(db, graphs, { instanceId, hints, step: what.step, kind: what.verdict, by: what.by });
    case "requeue":
      return requeueStep(db, graphs, { ...base, step: what.step, input: what.input });
    case "retry":
      return retryCompensation(db, graphs, { ...base, step: what.step, input: what.input });
    case "resolve":
      return resolveStep(db, graphs, { ...base, step: what.step, output: what.output });
    case "discard":
      return discardStep(db, graphs, { ...base, step: what.step });
    case "skip":
      return skipCompensation(db, graphs, { ...base, step: what.step });
  }
};

// What people have given is known before the database is looked at.
const tell = (simulation: Simulation, instanceId: string, what: Act): void => {
  if (what.kind === "resume") {
    const { account } = simulation.nodeOf(instanceId, "");
    account.nodes.delete("");
    const boundary = account.facts?.boundary ?? null;
    if (what.input === undefined) return;
    if (boundary === null) account.told.input = what.input;
    else account.told.replaced.set(boundary, what.input);
    return;
  }
  if (!("step" in what)) return;
  const { account, node } = simulation.nodeOf(instanceId, what.step);
  if (what.kind === "requeue" && what.input !== undefined) {
    node.given = { value: what.input };
    // It is the step's input from now on, also for a compensation that comes before the step is called with it.
    if (!account.sample.mappings.has(`~${what.step}`)) node.undoInput = node.given;
  }
  // The next retry without an input goes back to what the compensation gets by itself.
  if (what.kind === "retry") node.undoGiven = what.input === undefined ? undefined : { value: what.input };
  if (what.kind === "skip") {
    const run = account.facts?.steps.get(what.step)?.run ?? 0;
    simulation.world.excuse(instanceId, what.step, run);
  }
  if (what.kind !== "resolve") return;
  if (account.order.nodes.get(what.step)?.kind === "condition") {
    account.told.sides.set(what.step, what.output === true ? "then" : "else");
    return;
  }
  account.told.outputs.set(what.step, what.output);
  // A step that a person says has happened has effects to undo, whoever made them.
  if (account.order.tasks.has(what.step)) Object.assign(node, { hasEffects: true, completed: true });
};

const checkAct = (
  { instanceId, order }: Account,
  before: Facts,
  what: Act,
  { answer, code }: { readonly answer: boolean; readonly code: string | undefined },
): void => {
  const should = mustAccept(before, what) && !(what.kind === "requeue" && isCalledForGood(before, order, what.step));
  if (should === undefined || should === answer) return;
  const how = answer ? "accepted" : `refused with ${code}`;
  throw new Violation(`${label(instanceId)}: ${what.kind} was ${how} while it was ${before.status}`);
};

// At most one call, ever, also when a person asks.
const isCalledForGood = ({ steps }: Facts, { tasks }: Account["order"], step: string): boolean =>
  tasks.get(step)?.idempotent === false && steps.get(step)?.outcome !== "absent";

/** Whether an act must be accepted, or refused; `undefined` when that is not foretold. */
const mustAccept = (before: Facts, what: Act): boolean | undefined => {
  const { status, deadLetters } = before;
  switch (what.kind) {
    case "cancel":
    case "abort":
    case "reprioritise":
      return !hasEnded(before);
    case "signal":
      // Sent again it is answered as before, whatever has become of the instance.
      return before.signals.some(({ signalId }) => signalId === what.signalId) || !hasEnded(before);
    case "resume":
      return status === "failed";
    case "requeue":
    case "resolve":
    case "discard":
      // An instance that goes back withdraws them at its next look.
      return (status === "running" || status === "dlq") && deadLetters.get(what.step) === "forward";
    case "retry":
    case "skip":
      return !hasEnded(before) && deadLetters.get(what.step) === "compensation";
    case "decide": {
      const isOpen = status === "running" && before.steps.get(what.step)?.status === "waiting_decision";
      const isRepeat = before.votes.some(({ node, voter }) => node === what.step && voter === what.by);
      return isOpen || isRepeat ? undefined : false;
    }
  }
};

/** Pauses a definition, or goes on with it. */
export const pause = async (simulation: Simulation, name: string, on: boolean): Promise<void> => {
  const { line, hints, paused } = simulation;
  const params = { name, requestedBy: "op", reason: "simulated", hints };
  const work = () => (on ? pauseDefinition(line.db, params) : unpauseDefinition(line.db, params));
  await simulation.step(`${on ? "pause" : "unpause"} ${name}`, work);
  if (on) paused.add(name);
  else paused.delete(name);
};
