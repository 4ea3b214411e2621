/** One run: definitions, instances, a schedule, and all that may go wrong, chosen by one tape. */
import type { Json } from "@floxy/shared";
import { same } from "../check/flow.ts";
import { hasEnded } from "../check/rest.ts";
import type { Sample } from "../definition/growth.ts";
import { growDefinition, handlers, undoHandlers } from "../definition/sample.ts";
import type { Stage } from "../stage/stage.ts";
import type { Tape } from "../tape.ts";
import { drain } from "./drain.ts";
import type { Scene, Weather } from "./moves.ts";
import { move } from "./moves.ts";
import { Simulation } from "./simulation.ts";
import { SimulatedWorker } from "./worker.ts";

/** What a run came to. */
export interface RunResult {
  readonly simulation: Simulation;
  /** What was wrong; nothing when all promises were kept. */
  readonly error: unknown;
}

/** Makes a run on a stage that has nothing else going on. */
export const run = async (stage: Stage, tape: Tape, prefix?: string): Promise<RunResult> => {
  const simulation = new Simulation(stage, prefix);
  try {
    await play(simulation, tape, prefix ?? "");
    return { simulation, error: undefined };
  } catch (error) {
    return { simulation, error: error ?? new Error("nothing was thrown") };
  }
};

const play = async (simulation: Simulation, tape: Tape, prefix: string): Promise<void> => {
  const workers = hire(simulation, tape);
  const weather = weatherBy(tape);
  const samples: Sample[] = [];
  const count = tape.pick([1, 2]);
  for (let number = 0; number < count; number++) {
    const sample = growDefinition(tape, `saga${prefix}${number}`, tape.pick([3, 6, 10]));
    await simulation.define(sample);
    samples.push(sample);
  }
  const scene: Scene = { simulation, workers, tape, weather };
  const instances = 1 + tape.below(6);
  for (let number = 0; number < instances; number++) {
    await startOne(scene, samples);
    const pace = tape.below(3);
    for (let moves = 0; moves < pace; moves++) await move(scene);
  }
  const moves = tape.below(14 * instances);
  for (let made = 0; made < moves && simulation.live.length > 0; made++) await move(scene);
  await drain(simulation, workers, tape);
  await checkAll(simulation);
};

const startOne = async ({ simulation, tape, weather }: Scene, samples: readonly Sample[]): Promise<void> => {
  const sample = tape.pickAny(samples);
  if (sample === undefined) return;
  const crash = tape.chance(weather.crashes) ? { at: 0, when: tape.pick(["before", "after"] as const) } : undefined;
  const priority = tape.chance(10) ? { priority: tape.below(101) } : {};
  await simulation.start(sample, inputOf(simulation, tape, sample), { ...priority, crash });
};

const inputOf = ({ stage }: Simulation, tape: Tape, { rules }: Sample): Json => ({
  start: tape.below(5),
  ok: tape.chance(50),
  sides: Object.fromEntries([...rules.keys()].map((name) => [name, tape.chance(50)])),
  until: stage.now() + 10_000 * tape.below(6),
});

// Some have the same handlers and some have handlers that the others lack; between them they have all.
const hire = (simulation: Simulation, tape: Tape): readonly SimulatedWorker[] => {
  const all = [...handlers, ...undoHandlers];
  const some = (percent: number) => new Set(all.filter(() => tape.chance(percent)));
  const transactional = some(25);
  const others = tape.chance(15) ? some(50) : transactional;
  const split = tape.below(all.length + 1);
  return [
    new SimulatedWorker(simulation, "w1", all.slice(0, Math.max(1, all.length - split)), transactional),
    new SimulatedWorker(
      simulation,
      "w2",
      all.slice(split === 0 ? 0 : Math.min(all.length - 1, all.length - split)),
      others,
    ),
  ];
};

const weatherBy = (tape: Tape): Weather => ({
  trouble: tape.pick([0, 8, 25, 50]),
  crashes: tape.pick([0, 5, 15]),
  people: tape.pick([4, 0, 12]),
  deaths: tape.pick([0, 1, 4]),
});

// What has ended has stayed as it was, and the world is as it says.
const checkAll = async (simulation: Simulation): Promise<void> => {
  const { accounts, stage, world } = simulation;
  const wanted = [...accounts.values()].map(({ instanceId, cursor }) => ({ instanceId, after: cursor }));
  for (const now of await stage.look(wanted)) {
    const account = accounts.get(now.instanceId);
    if (account?.facts === undefined) continue;
    const { facts } = account;
    const late = now.events
      .filter(({ type }) => type !== "step.refused")
      .map(({ type, node }) => `${type} ${node ?? ""}`);
    const wrong = [
      ...(hasEnded(now) ? [] : [`it is ${now.status}`]),
      ...(late.length > 0 ? [`after its end came ${late.join(", ")}`] : []),
      ...(now.status !== facts.status || !same([...now.steps.values()], [...facts.steps.values()])
        ? ["it has changed after its end"]
        : []),
      ...(now.queue.size + now.notes.length + now.timers.size > 0
        ? ["it has ended, and has left something behind"]
        : []),
      ...world.check(account, now),
    ];
    simulation.complainIf(wrong, now.instanceId);
  }
};
