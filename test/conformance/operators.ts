/** What operators, deciders and other programs do, on both stores. */
import {
  abortInstance,
  cancelInstance,
  decide,
  deprecateDefinition,
  discardStep,
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
import { chiefs, people, signalNames } from "../simulation/definition/waits.ts";
import type { Run } from "./run.ts";
import { nodesOf } from "./run.ts";

/** An act on an instance, with which of the names of nodes it is about. */
type OnInstance = (run: Run, instanceId: string) => Promise<void>;

/** Does what an operator could want, whether it makes sense just now or not. */
export const operate = async (run: Run): Promise<void> => {
  const { tape, pair } = run;
  const instances = pair.tables.instance.all().sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  const troubled = instances.filter(({ instanceId }) => pair.tables.deadLetter.of(instanceId).length > 0);
  const instance = (tape.chance(50) ? tape.pickAny(troubled) : undefined) ?? tape.pickAny(instances);
  if (instance === undefined || tape.chance(10)) await onDefinition(run);
  else await tape.weigh(acts)?.(run, instance.instanceId);
};

const said = { requestedBy: "op", reason: "because" };

const vote: OnInstance = async ({ tape, pair, definition }, instanceId) => {
  const waiting = pair.tables.step.of(instanceId).filter(({ status }) => status === "waiting_decision");
  const step = tape.pickAny(waiting)?.node ?? tape.pickAny(nodesOf(definition))?.name ?? "none";
  const by = tape.pick([...people, ...chiefs, "eve"] as const);
  const kind = tape.chance(70) ? "confirm" : "reject";
  const comment = tape.chance(30) ? "well" : undefined;
  const form = tape.chance(30) ? { a: [1, null] } : undefined;
  await pair.call("decide", ({ db, graphs, hints }) =>
    decide(db, graphs, { instanceId, step, kind, by, comment, form, hints }),
  );
};

const signal: OnInstance = async ({ tape, pair }, instanceId) => {
  const name = tape.pick(signalNames);
  const signalId = `s${tape.below(6)}`;
  const payload = { n: tape.below(9) };
  await pair.call("signal", ({ db, graphs, hints }) =>
    sendSignal(db, graphs, { instanceId, name, signalId, payload, sentBy: "other", hints }),
  );
};

const onLetter: OnInstance = async ({ tape, pair, definition }, instanceId) => {
  const letter = tape.pickAny(pair.tables.deadLetter.of(instanceId).sort((a, b) => (a.node < b.node ? -1 : 1)));
  const node = tape.pickAny(nodesOf(definition));
  const step = letter?.node ?? node?.name ?? "none";
  const input = tape.chance(40) ? { input: { given: true } } : {};
  const output = node?.kind === "condition" ? tape.chance(50) : { ok: true };
  const fitting =
    letter?.kind === "compensation" ? (["retry", "skip"] as const) : (["requeue", "resolve", "discard"] as const);
  const verb = tape.chance(75)
    ? tape.pick(fitting)
    : tape.pick(["requeue", "resolve", "discard", "retry", "skip"] as const);
  await pair.call(verb, ({ db, graphs, hints }) => {
    const params = { ...said, instanceId, step, hints };
    switch (verb) {
      case "requeue":
        return requeueStep(db, graphs, { ...params, ...input });
      case "resolve":
        return resolveStep(db, graphs, { ...params, output });
      case "discard":
        return discardStep(db, graphs, params);
      case "retry":
        return retryCompensation(db, graphs, { ...params, ...input });
      case "skip":
        return skipCompensation(db, graphs, params);
    }
  });
};

const cancel: OnInstance = ({ tape, pair }, instanceId) => {
  const verb = tape.chance(25) ? abortInstance : cancelInstance;
  const actId = tape.chance(30) ? `act ${tape.below(3)}` : undefined;
  return pair.call("stop", ({ db, graphs, hints }) => verb(db, graphs, { ...said, instanceId, actId, hints }));
};

const resume: OnInstance = ({ tape, pair }, instanceId) => {
  const input = tape.chance(50) ? { input: { ok: true, sides: {}, start: 2, until: 0 } } : {};
  return pair.call("resume", ({ db, graphs, hints }) =>
    resumeInstance(db, graphs, { ...said, ...input, instanceId, hints }),
  );
};

const prioritise: OnInstance = ({ tape, pair }, instanceId) => {
  const priority = tape.below(101);
  return pair.call("reprioritise", ({ db, graphs, hints }) =>
    reprioritise(db, graphs, { ...said, instanceId, priority, hints }),
  );
};

const acts: readonly (readonly [weight: number, act: OnInstance])[] = [
  [30, vote],
  [20, signal],
  [25, onLetter],
  [8, cancel],
  [12, resume],
  [5, prioritise],
];

const onDefinition = async ({ tape, pair, definition: { name } }: Run): Promise<void> => {
  const verb = tape.pick(["unpause", "pause", "unpause", "deprecate", "undeprecate"] as const);
  await pair.call(verb, ({ db, hints }) => {
    if (verb === "pause") return pauseDefinition(db, { ...said, name, hints });
    if (verb === "unpause") return unpauseDefinition(db, { ...said, name, hints });
    return deprecateDefinition(db, { ...said, name, version: 1, deprecated: verb === "deprecate" });
  });
};
