/** Scripts: what a test says that calls of a step or handler come to. */
import { FloxyError } from "@floxy/shared";
import type { CompensationContext } from "../handler/context.ts";
import type { Duration } from "./duration.ts";
import { msOf } from "./duration.ts";

/** For how many calls something is said. */
export interface ScriptTimes {
  /** For so many calls, one after the other; by default for all that come. */
  readonly times?: number | undefined;
}

/** How a call that is answered goes. */
export interface ScriptOptions extends ScriptTimes {
  /** How long it takes, in virtual time. Longer than the step's timeout, and it times out. Default: no time at all. */
  readonly takes?: Duration | undefined;
}

/** Whether the real handler is called before something goes wrong. */
export interface CalledOptions extends ScriptTimes {
  /** `true`: the implementation is called, so its effect is there, and then its result is lost. Default `false`. */
  readonly called?: boolean | undefined;
}

/** How a worker stands still. */
export interface StallOptions extends ScriptTimes {
  /** For how long; by default until its lease has just run out and the step was taken over. */
  readonly for?: Duration | undefined;
  /** `true`: it calls the handler only when it goes on, so that the effect comes late. Default `false`: it called it before. */
  readonly late?: boolean | undefined;
}

/** What stands in for a handler. A forward step finds `undefined` as `output`, and no cause. */
export type ScriptFunction<Input, Output> = (input: Input, context: CompensationContext) => Output | Promise<Output>;

/**
 * Says what the next calls come to. What is said first comes first: `fails("busy", { times: 2 }).returns({ id: "p1" })`.
 * When all is used up, the implementation is called.
 */
export interface Script<Input = unknown, Output = unknown> {
  /** The call returns this. It is checked against the handler's schema, as what a handler returns. */
  returns(output: Output, options?: ScriptOptions): Script<Input, Output>;
  /** This function is called in place of the implementation. */
  runs(run: ScriptFunction<Input, Output>, options?: ScriptOptions): Script<Input, Output>;
  /** The call throws this: an `Error`, a `NonRetryableError`, a `RetryAfterError`, or an `Error` with this message. */
  fails(error?: Error | string, options?: ScriptOptions): Script<Input, Output>;
  /** The implementation is called, and it takes this long in virtual time. */
  takes(duration: Duration, options?: ScriptTimes): Script<Input, Output>;
  /** The attempt takes longer than the step's timeout. With `called` the implementation runs, and is told to stop then. */
  timesOut(options?: CalledOptions): Script<Input, Output>;
  /** The worker dies with the call: its lease runs out, and the step is taken over. */
  crashes(options?: CalledOptions): Script<Input, Output>;
  /** The worker stands still and comes back: the step was taken over meanwhile, and its result is refused. */
  stalls(options?: StallOptions): Script<Input, Output>;
}

/** What one call comes to. */
export type Behaviour =
  /** `run` is called, or the implementation if it is not there. */
  | { readonly kind: "runs"; readonly run?: ScriptFunction<unknown, unknown>; readonly takesMs: number }
  | { readonly kind: "times out" | "crashes"; readonly called: boolean }
  | { readonly kind: "stalls"; readonly forMs: number | undefined; readonly late: boolean };

/** The behaviours of a script that are not used up. */
export interface Rules {
  /** What the next call comes to; `undefined` when nothing is said of it. */
  next(): Behaviour | undefined;
}

/** Makes a script, and what reads it. */
export const createScript = (target: string): { readonly script: Script; readonly rules: Rules } => {
  const rules: { left: number; readonly behaviour: Behaviour }[] = [];

  const say = (behaviour: Behaviour, { times = Number.POSITIVE_INFINITY }: ScriptTimes): Script => {
    if (times !== Number.POSITIVE_INFINITY && !(Number.isInteger(times) && times >= 1)) {
      throw new FloxyError("OPTION_INVALID", `times must be an integer ≥ 1, not ${String(times)}`);
    }
    if (rules.at(-1)?.left === Number.POSITIVE_INFINITY) {
      const message = `what was said of ${target} before holds for all calls, so nothing can follow: give it times, or begin anew with kit.on(…)`;
      throw new FloxyError("OPTION_INVALID", message);
    }
    rules.push({ left: times, behaviour });
    return script;
  };

  const script: Script = {
    returns: (output, options = {}) => say({ kind: "runs", run: () => output, takesMs: takesMs(options) }, options),
    runs: (run, options = {}) => say({ kind: "runs", run, takesMs: takesMs(options) }, options),
    fails(error = `${target} was made to fail by the test`, options = {}) {
      const thrown = typeof error === "string" ? new Error(error) : error;
      const run = (): never => {
        throw thrown;
      };
      return say({ kind: "runs", run, takesMs: takesMs(options) }, options);
    },
    takes: (duration, options = {}) => say({ kind: "runs", takesMs: msOf(duration) }, options),
    timesOut: (options = {}) => say({ kind: "times out", called: options.called ?? false }, options),
    crashes: (options = {}) => say({ kind: "crashes", called: options.called ?? false }, options),
    stalls(options = {}) {
      const forMs = options.for === undefined ? undefined : msOf(options.for);
      return say({ kind: "stalls", forMs, late: options.late ?? false }, options);
    },
  };

  const next = (): Behaviour | undefined => {
    const rule = rules.find(({ left }) => left > 0);
    if (rule === undefined) return undefined;
    rule.left--;
    return rule.behaviour;
  };
  return { script, rules: { next } };
};

const takesMs = ({ takes }: ScriptOptions): number => (takes === undefined ? 0 : msOf(takes));
