/** Making a run that fails smaller: delta debugging over the tape of its choices, of which zeros are the simplest. */
import type { Stage } from "../stage/stage.ts";
import { Tape } from "../tape.ts";
import type { RunResult } from "./run.ts";
import { run } from "./run.ts";

/** A run that fails, with the tape that makes it. */
export interface Failure {
  readonly tape: readonly number[];
  readonly result: RunResult;
}

/** Opens a stage for each try. */
export type OpenStage = () => Stage;

/** How long to go on making a run smaller, in milliseconds. */
const timeLimitMs = 30_000;

/** Makes a run smaller for as long as it fails for a reason of the same kind. */
export const shrink = async (open: OpenStage, failure: Failure): Promise<Failure> => {
  const reason = reasonOf(failure.result.error);
  let best = failure;
  const endsAt = performance.now() + timeLimitMs;

  const fails = async (tape: readonly number[]): Promise<boolean> => {
    if (performance.now() > endsAt) return false;
    const played = Tape.of(tape);
    const result = await run(open(), played);
    if (result.error === undefined || reasonOf(result.error) !== reason) return false;
    best = { tape: trimmed(tape, played.taken.length), result };
    return true;
  };

  // What was made smaller may have made room for more.
  for (let before = Number.POSITIVE_INFINITY; best.tape.length < before && performance.now() < endsAt; ) {
    before = best.tape.length;
    for (let size = Math.ceil(before / 2); size >= 1; size = Math.floor(size / 2)) {
      await pass(size, () => best.tape, fails, remove);
      await pass(size, () => best.tape, fails, zero);
    }
    await pass(1, () => best.tape, fails, halve);
  }
  return best;
};

type Change = (tape: readonly number[], from: number, size: number) => readonly number[] | undefined;

const pass = async (
  size: number,
  tape: () => readonly number[],
  fails: (tape: readonly number[]) => Promise<boolean>,
  change: Change,
): Promise<void> => {
  for (let from = 0; from < tape().length; ) {
    const smaller = change(tape(), from, size);
    // What was removed has made room for what came after it.
    if (smaller === undefined || !(await fails(smaller)) || change !== remove) from += size;
  }
};

const remove: Change = (tape, from, size) => [...tape.slice(0, from), ...tape.slice(from + size)];

const zero: Change = (tape, from, size) =>
  tape.slice(from, from + size).every((number) => number === 0)
    ? undefined
    : tape.map((number, index) => (index >= from && index < from + size ? 0 : number));

const halve: Change = (tape, from) =>
  (tape[from] ?? 0) < 2 ? undefined : tape.map((number, index) => (index === from ? number >> 1 : number));

const trimmed = (tape: readonly number[], used: number): readonly number[] => {
  let end = Math.min(tape.length, used);
  while (end > 0 && tape[end - 1] === 0) end--;
  return tape.slice(0, end);
};

/** What went wrong, without the names and numbers that differ from run to run. */
const reasonOf = (error: unknown): string => {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return line
    .replace(/\{.*\}|\[.*\]/g, "…")
    .replace(/#\d+/g, "#")
    .replace(/\b([a-z])\d+\b/g, "$1");
};
