/** A random run: a definition, and calls of the engine and the store in an order that no worker would make them in. */
import { registerDefinition } from "@floxy/shared";
import { growDefinition } from "../simulation/definition/sample.ts";
import { Tape } from "../simulation/tape.ts";
import type { ClockedPostgres } from "./clocked-postgres.ts";
import { look } from "./looks.ts";
import { operate } from "./operators.ts";
import { createPair } from "./pair.ts";
import type { Run } from "./run.ts";
import { claimSome, extendSome, letTimePass, review, rollBack, settleOddly, settleSome, start } from "./work.ts";

/** Makes the run of a seed on both stores. Throws at the first difference. */
export const makeRun = async (postgres: ClockedPostgres, seed: number): Promise<void> => {
  const tape = Tape.ofSeed(seed);
  const pair = await createPair(postgres);
  const { definition } = growDefinition(tape, "d", 1 + tape.below(12));
  const run: Run = { tape, pair, definition, starts: [] };
  await pair.call("register", ({ db }) => registerDefinition(db, definition));
  await start(run);
  for (let calls = 25 + tape.below(30); calls > 0; calls--) {
    pair.pass(1 + tape.below(50));
    await tape.weigh(moves)?.(run);
  }
};

const moves: readonly (readonly [weight: number, move: (run: Run) => Promise<void>])[] = [
  [22, settleSome],
  [18, claimSome],
  [14, review],
  [8, letTimePass],
  [5, start],
  [12, operate],
  [4, settleOddly],
  [3, rollBack],
  [3, extendSome],
  [5, look],
];
