/**
 * Every small definition with every single fault. `FLOXY_EXHAUSTIVE_NODES` says how large definitions get, `5` unless
 * told; the kinds of nodes that the largest are made of are fewer, so that all of it takes about a minute, unless
 * `FLOXY_EXHAUSTIVE_KINDS` is `all`.
 */
import type { Json } from "@floxy/shared";
import { isFloxyError } from "@floxy/shared";
import type { Sample } from "../simulation/definition/growth.ts";
import { Simulation } from "../simulation/drive/simulation.ts";
import { SimulatedWorker } from "../simulation/drive/worker.ts";
import { openMemoryStage } from "../simulation/stage/memory.ts";
import type { Fault, Played } from "./play.ts";
import { play } from "./play.ts";
import type { Alphabet } from "./shapes.ts";
import { definitionsOf } from "./shapes.ts";

/** What was checked. */
export interface Checked {
  readonly definitions: number;
  readonly cases: number;
  /** The first case that went wrong. */
  readonly failure: string | undefined;
}

const everything: Alphabet = {
  leaves: ["task", "savepoint", "human", "signal", "sleep", "complete", "fail"],
  joins: ["all", "cancel", "compensate", "wait"],
  conditions: true,
};

const some: Alphabet = {
  leaves: ["task", "savepoint", "human"],
  joins: ["all", "cancel", "compensate"],
  conditions: true,
};

const few: Alphabet = { leaves: ["task"], joins: ["all", "cancel", "compensate", "wait"], conditions: true };

/** Whether the larger definitions are made of all kinds as well: 25,616 definitions of up to five nodes. */
const allKinds = process.env.FLOXY_EXHAUSTIVE_KINDS === "all";

const alphabetOf = (size: number): Alphabet => {
  if (size <= 3 || allKinds) return everything;
  return size === 4 ? some : few;
};

/** Checks the share of one of several parts. */
export const checkAll = async (part: number, parts: number): Promise<Checked> => {
  const most = Number(process.env.FLOXY_EXHAUSTIVE_NODES ?? 5);
  let definitions = 0;
  let cases = 0;
  for (let size = 1; size <= most; size++) {
    for (const [number, sample] of definitionsOf(size, alphabetOf(size)).entries()) {
      if (number % parts !== part) continue;
      definitions++;
      const checked = await checkOne(sample);
      cases += checked.cases;
      if (checked.failure !== undefined) return { definitions, cases, failure: checked.failure };
    }
  }
  return { definitions, cases, failure: undefined };
};

const checkOne = async (sample: Sample): Promise<Omit<Checked, "definitions">> => {
  let simulation = await openSimulation(sample);
  let cases = 0;
  for (const sides of [true, false]) {
    // Without a condition there is only one way.
    if (!sides && sample.rules.size === 0) continue;
    const input = inputOf(sample, sides);
    const faults: Fault[] = [{ kind: "nothing" }];
    for (let fault = faults.shift(); fault !== undefined; fault = faults.shift()) {
      cases++;
      const from = simulation.simulation.story.length;
      try {
        const played = await play(simulation.simulation, simulation.worker, { sample, input, fault });
        if (fault.kind === "nothing") faults.push(...faultsOf(played));
      } catch (error) {
        const story = simulation.simulation.story.slice(from);
        return { cases, failure: tell(sample, { input, fault, error, story }) };
      }
      // A simulation looks back at all that it has played, so it must not get old.
      if (cases % 40 === 0) simulation = await openSimulation(sample);
    }
  }
  return { cases, failure: undefined };
};

const openSimulation = async (sample: Sample) => {
  const simulation = new Simulation(openMemoryStage());
  const worker = new SimulatedWorker(simulation, "w", ["charge", "refund"], new Set());
  await simulation.define(sample);
  return { simulation, worker };
};

const inputOf = ({ rules }: Sample, side: boolean): Json => ({
  start: 1,
  ok: true,
  sides: Object.fromEntries([...rules.keys()].map((name) => [name, side])),
});

const faultsOf = ({ account, calls }: Played): readonly Fault[] => {
  const tasks = [...account.nodes].filter(([, { calls: made }]) => made.forward > 0).map(([name]) => name);
  return [
    ...tasks.flatMap((task): Fault[] => [
      { kind: "fails", task },
      { kind: "lost", task },
      { kind: "sleeps", task },
      ...tasks.map((undo): Fault => ({ kind: "fails", task, undo })),
    ]),
    ...calls.flatMap((_, after): Fault[] => [
      { kind: "cancel", after },
      { kind: "abort", after },
    ]),
    ...calls.flatMap((count, step) =>
      Array.from({ length: count }, (_, at): Fault[] => [
        { kind: "crash", step, plan: { at, when: "before" } },
        { kind: "crash", step, plan: { at, when: "after" } },
      ]).flat(),
    ),
  ];
};

const tell = (
  { definition }: Sample,
  { input, fault, error, story }: { input: Json; fault: Fault; error: unknown; story: readonly string[] },
): string => {
  const isKnown = error instanceof Error && (error.name === "Violation" || isFloxyError(error));
  const what = isKnown ? error.message : error instanceof Error ? error.stack : String(error);
  return [what, JSON.stringify(fault), JSON.stringify(definition.nodes), JSON.stringify(input), ...story].join("\n");
};
