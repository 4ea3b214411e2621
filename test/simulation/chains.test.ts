/**
 * The way back by chains is the way back without them: the same instances are played with chains and with a look after
 * each compensation.
 */
import type { Database, Executor } from "@floxy/shared";
import { expect, it } from "vitest";
import { growDefinition, handlers, undoHandlers } from "./definition/sample.ts";
import { drain } from "./drive/drain.ts";
import { Simulation } from "./drive/simulation.ts";
import type { Fate } from "./drive/worker.ts";
import { SimulatedWorker } from "./drive/worker.ts";
import { openMemoryStage } from "./stage/memory.ts";
import type { Stage } from "./stage/stage.ts";
import { Tape } from "./tape.ts";

const seeds = 800;

/** A stage that counts the chains that are made, and makes none when told. */
const stageWith = (chains: "chains" | "none", count: () => void): Stage => {
  const stage = openMemoryStage();
  const wrap = <Of extends Executor>(executor: Of): Of => ({
    ...executor,
    perform: (verb: string, params: readonly unknown[]) => {
      const [steps, ...rest] = params;
      if (verb !== "enqueueSteps") return executor.perform?.(verb, params);
      const plain = (steps as readonly { readonly chain?: unknown }[]).map(({ chain, ...step }) => {
        if (chain !== undefined) count();
        return chains === "none" ? step : { ...step, ...(chain !== undefined && { chain }) };
      });
      return executor.perform?.(verb, [plain, ...rest]);
    },
  });
  const { db } = stage;
  return { ...stage, db: { ...wrap<Database>(db), transaction: (work) => db.transaction((tx) => work(wrap(tx))) } };
};

/** Plays an instance, one step after another; which handlers fail, and how often, is told by the seed. */
const playWith = async (seed: number, stage: Stage) => {
  const tape = Tape.ofSeed(seed);
  const sample = growDefinition(tape, "chains", tape.pick([6, 10, 16]));
  const simulation = new Simulation(stage);
  const worker = new SimulatedWorker(simulation, "w", [...handlers, ...undoHandlers], new Set());
  await simulation.define(sample);
  const sides = Object.fromEntries([...sample.rules.keys()].map((name) => [name, tape.chance(50)]));
  const instanceId = await simulation.start(sample, { start: 1, ok: tape.chance(50), sides, until: 0 });
  const trouble = new Map<string, number>();
  const fateOf = (lane: string, node: string): Fate => {
    const key = `${lane} ${node}`;
    const before = trouble.get(key) ?? (tape.chance(lane === "forward" ? 25 : 12) ? 1 + tape.below(4) : 0);
    trouble.set(key, before - 1);
    if (before > 0) return { kind: "fails", retryable: true, hasEffect: true };
    return { kind: "completes", output: { by: node, ok: true, n: 1 } };
  };
  for (let idle = 0; idle < 3; ) {
    const leased = await worker.claim(1);
    for (const call of [...worker.calls]) worker.finish(call, fateOf(call.leased.lane, call.leased.node));
    await worker.settle();
    const looked = await simulation.review();
    idle = leased + looked > 0 ? 0 : idle + 1;
    if (idle > 0) await simulation.pass(20_000);
    await simulation.wake();
    await simulation.ring();
  }
  await drain(simulation, [worker], Tape.of([]));
  const facts = simulation.accounts.get(instanceId)?.facts;
  const steps = [...(facts?.steps.values() ?? [])].map(
    ({ node, status, outcome, side, attempt, compensationAttempt }) => ({
      ...{ node, status, outcome, side, attempt, compensationAttempt },
    }),
  );
  const undone = worker.log.filter(({ lane }) => lane === "compensation").map(({ node }) => node);
  return { status: facts?.status, boundary: facts?.boundary, steps, undone };
};

it("ends in the same states, and undoes in the same order, with chains and without", async () => {
  let chains = 0;
  let looks = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const with_ = await playWith(
      seed,
      stageWith("chains", () => chains++),
    );
    const without = await playWith(
      seed,
      stageWith("none", () => looks++),
    );
    expect(with_, `seed ${seed}`).toEqual(without);
  }
  // Each compensation that a chain has queued is one that would have had a chain of its own, or none.
  expect(chains).toBeGreaterThan(seeds / 20);
  expect(looks).toBeGreaterThan(chains);
}, 120_000);
