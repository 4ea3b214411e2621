/**
 * The end of a run: nobody dies, nothing fails any more, and time passes as far as anything waits for it. Then every
 * instance must have ended, or wait for people or programs; and when these have done what is asked, all must have ended.
 */
import type { Account } from "../check/account.ts";
import { checkRest, hasEnded } from "../check/rest.ts";
import type { Facts } from "../stage/stage.ts";
import type { Tape } from "../tape.ts";
import type { Act } from "./acts.ts";
import { act, pause } from "./acts.ts";
import { outputOf } from "./moves.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./simulation.ts";
import type { SimulatedWorker } from "./worker.ts";

/** More rounds than any run needs; whoever needs more goes in a circle. */
const roundLimit = 400;

/** Brings all to its end. */
export const drain = async (simulation: Simulation, workers: readonly SimulatedWorker[], tape: Tape): Promise<void> => {
  for (const name of [...simulation.paused]) await pause(simulation, name, false);
  for (let round = 0; round < roundLimit; round++) {
    await rest(simulation, workers, tape);
    for (const { facts, ...account } of simulation.live) {
      if (facts !== undefined) simulation.complainIf(checkRest({ ...account, facts }, facts), account.instanceId);
    }
    if (simulation.live.length === 0) return;
    // A person who has tried in vain often enough gives up.
    for (const account of simulation.live) await help(simulation, account, tape, round > 8);
  }
  throw new Violation(`${simulation.live.map(({ instanceId }) => instanceId).join(", ")} did not come to an end`);
};

/** Goes on until nothing moves any more by itself. */
const rest = async (simulation: Simulation, workers: readonly SimulatedWorker[], tape: Tape): Promise<void> => {
  for (let round = 0; round < roundLimit; round++) {
    const moved = [
      await simulation.wake(),
      await simulation.ring(),
      await simulation.takeOver(),
      await simulation.review(),
      ...(await work(workers, tape)),
    ];
    if (moved.some((count) => count > 0)) continue;
    const due = nextDue(simulation);
    if (due === undefined) return;
    await simulation.pass(Math.max(1, Math.ceil(due - simulation.stage.now()) + 1));
  }
  throw new Violation(`nothing comes to rest within ${roundLimit} rounds`);
};

const work = async (workers: readonly SimulatedWorker[], tape: Tape): Promise<number[]> => {
  const counts: number[] = [];
  for (const worker of workers) {
    counts.push(worker.unanswered.length);
    while (worker.unanswered.length > 0) await worker.repeat();
    counts.push(await worker.claim(20), worker.calls.length + worker.finished.length);
    for (const call of [...worker.calls]) {
      worker.finish(call, { kind: "completes", output: outputOf(tape, call.leased.node) });
    }
    await worker.settle();
  }
  return counts;
};

const nextDue = ({ live }: Simulation): number | undefined => {
  const times = live.flatMap(({ facts }) => (facts === undefined ? [] : timesOf(facts)));
  return times.length === 0 ? undefined : Math.min(...times);
};

const timesOf = ({ queue, timers, notes }: Facts): readonly number[] => [
  ...[...queue.values()].flatMap(({ state, readyAt, leaseUntil }) =>
    state === "delayed" ? [readyAt] : state === "leased" ? [leaseUntil ?? 0] : [],
  ),
  ...timers.values(),
  ...notes,
];

const help = async (simulation: Simulation, account: Account, tape: Tape, givesUp: boolean): Promise<void> => {
  const { facts, order } = account;
  if (facts === undefined || hasEnded(facts)) return;
  for (const [step, lane] of facts.deadLetters) {
    const options: readonly [Act, ...Act[]] =
      lane === "compensation"
        ? [
            { kind: "retry", step },
            { kind: "skip", step },
          ]
        : [
            { kind: "requeue", step },
            { kind: "resolve", step, output: outputFor(step) },
            { kind: "discard", step },
          ];
    const last = options.at(-1);
    await act(simulation, account, givesUp && last !== undefined ? last : tape.pick(options));
    return;
  }
  for (const { node, status } of facts.steps.values()) {
    const json = order.nodes.get(node);
    if (status === "waiting_decision" && json?.kind === "human") {
      const voted = facts.votes.filter((vote) => vote.node === node).map(({ voter }) => voter);
      for (const by of ["ada", "ben", "cem", "dee", "eli"].filter((one) => !voted.includes(one))) {
        const isAccepted = await act(simulation, account, { kind: "decide", step: node, verdict: "confirm", by });
        if (isAccepted) return;
      }
      throw new Violation(`nobody may decide ${node} of ${account.instanceId}`);
    }
    if (status === "waiting" && json?.kind === "signal") {
      const signalId = `helpful${simulation.story.length}`;
      await act(simulation, account, {
        kind: "signal",
        name: json.signal ?? node,
        payload: { ok: true, n: 1 },
        signalId,
      });
      return;
    }
  }
};

const outputFor = (step: string) => (step.startsWith("c") ? true : { by: "op", ok: true, n: 1 });
