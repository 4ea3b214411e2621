/** Moves an instance of the model: by chance, or in the simplest way. */
import type { Queued, Result } from "./model-run.ts";
import { ModelRun } from "./model-run.ts";
import type { Sample } from "./random-definition.ts";
import type { Tape } from "./tape.ts";

/** More moves than any run of a small definition takes; whoever needs more goes in a circle. */
const moveLimit = 50_000;

/** Runs an instance to its end, or until nothing moves it any more, in an order that the tape chooses. */
export const playByChance = ({ definition, input }: Sample, tape: Tape): ModelRun => {
  const run = new ModelRun(definition, input);
  const trouble = tape.pick([0, 8, 20, 50]);
  let patience = 2;
  for (let moves = 0; moves < moveLimit; moves++) {
    // Nobody has asked, and nothing may come of it.
    if (tape.chance(5)) run.review();
    if (run.status === "rolling_back" && tape.chance(1)) run.cancelRollback();
    const [first, ...others] = movesOf(run, tape, trouble, () => patience-- > 0);
    if (first === undefined) break;
    tape.pick([first, ...others])();
  }
  return run;
};

const movesOf = (run: ModelRun, tape: Tape, trouble: number, isPatient: () => boolean): (() => void)[] => {
  const look = run.noted ? [() => void run.review()] : [];
  const dead = run.status === "dlq" ? [...run.steps.values()].filter(({ status }) => status === "paused") : [];
  return [
    ...look,
    ...[...run.queue.values()].map((queued) => () => move(run, queued, tape, trouble)),
    ...dead.map(
      ({ node }) =>
        () =>
          run.handle(node, tape.chance(50) && isPatient() ? "retry" : "skip"),
    ),
  ];
};

const move = (run: ModelRun, { node, state }: Queued, tape: Tape, trouble: number): void => {
  if (state === "delayed") run.wake(node);
  else if (state === "ready") run.lease(node);
  else run.settle(node, tape.chance(trouble) ? failureBy(tape) : { kind: "completed", output: outputOf(node, tape) });
};

const failureBy = (tape: Tape): Result =>
  tape.pick<Result>([
    { kind: "failed", retryable: true, called: true },
    { kind: "failed", retryable: true, called: true },
    { kind: "failed", retryable: true, called: true },
    { kind: "failed", retryable: false, called: true },
    { kind: "failed", retryable: false, called: false },
    { kind: "lost" },
    { kind: "released" },
  ]);

const outputOf = (node: string, tape: Tape) => ({ by: node, ok: tape.chance(50) });

/** Runs an instance to its end, always the first move. Handlers named in `failing` fail, each time they are called. */
export const play = (run: ModelRun, failing: readonly string[] = []): ModelRun => {
  for (let moves = 0; moves < moveLimit; moves++) {
    const [queued] = run.queue.values();
    if (run.noted) run.review();
    else if (queued === undefined) break;
    else step(run, queued, failing);
  }
  return run;
};

const step = (run: ModelRun, { node, state, lane }: Queued, failing: readonly string[]): void => {
  if (state === "delayed") run.wake(node);
  else if (state === "ready") run.lease(node);
  else if (failing.includes(lane === "forward" ? node : `undo-${node}`)) run.settle(node, failed);
  else run.settle(node, { kind: "completed", output: { by: node } });
};

/** A handler threw. */
export const failed: Result = { kind: "failed", retryable: true, called: true };

/** A handler completed. */
export const completed = (output: Record<string, string | number | boolean> = {}): Result => ({
  kind: "completed",
  output,
});
