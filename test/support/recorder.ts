/** Steps whose handlers write down every call, so that a test can say what was called, in which order, with what. */
import type { Lane, RetryPolicy } from "@floxy/shared";
import type {
  AnyHandlerImplementation,
  CompensationContext,
  StepContext,
  StepHandle,
  StepOptions,
} from "@floxy/worker-sdk";
import { defineCompensation, defineHandler, defineStep } from "@floxy/worker-sdk";

/** A call of a handler. */
export interface Call {
  /** The step's name, for a compensation with `undo ` before it. */
  readonly label: string;
  readonly step: string;
  readonly lane: Lane;
  readonly input: unknown;
  readonly context: StepContext;
  /** What a compensation was told besides. */
  readonly undoes: Pick<CompensationContext, "outcome" | "output" | "cause"> | undefined;
  /** Its place among all starts and ends of calls. */
  readonly startedAt: number;
  endedAt: number | undefined;
  ended: "returned" | "threw" | undefined;
}

/** How a step of a test is run; what is not told is done at once and without an error. */
export interface StepSpec<In, Out> extends Omit<StepOptions, "onFailure" | "compensateOn"> {
  /** The name of its handler; the step's name unless told. The compensation's has `.undo` behind it. */
  readonly handler?: string;
  /** How many calls of its handler a worker makes at the same time. */
  readonly concurrency?: number;
  readonly run?: (input: In, context: StepContext) => Out | Promise<Out>;
  /** Its compensation; `true` for one that only writes down that it was called. */
  readonly undo?: true | ((input: In, context: CompensationContext) => unknown);
  /** When it is undone; it has a compensation then. */
  readonly compensateOn?: "started" | "completed";
  /** Three attempts, 5 ms apart, unless told. */
  readonly undoRetry?: RetryPolicy;
  readonly undoTimeoutMs?: number;
}

/** A step together with what a worker needs to run it. */
export type TestStep<Name extends string = string, In = unknown, Out = unknown> = StepHandle<Name, In, Out, In> & {
  readonly implementations: readonly AnyHandlerImplementation[];
};

/** What a step returns when it is not told what. */
export interface DoneBy {
  readonly by: string;
}

/** How long a call may take to begin, in milliseconds. */
const begunDeadlineMs = 30_000;

/** The log of all calls, and the maker of steps that write to it. */
export class Recorder {
  readonly calls: Call[] = [];
  #place = 0;
  /** Each looks whether what it waits for has begun, and says so once. */
  #waiting: (() => boolean)[] = [];

  /** Makes a step. One attempt unless `retry` says otherwise. */
  step<const Name extends string, In = unknown, Out = DoneBy>(
    name: Name,
    spec: StepSpec<In, Out> = {},
  ): TestStep<Name, In, Out> {
    const { handler = name, concurrency, run, undo, undoRetry, undoTimeoutMs, compensateOn, ...options } = spec;
    const contract = defineHandler<unknown, unknown>({ name: handler });
    const forward = contract.implement(
      (input, context) =>
        this.#record(input, context, undefined, () => (run === undefined ? { by: name } : run(input as In, context))),
      concurrency === undefined ? {} : { concurrency },
    );
    const retry = { maxAttempts: 1, ...options.retry };
    if (undo === undefined) {
      const step = defineStep(name, contract, { ...options, retry });
      return this.#testStep<Name, In, Out>(step, [forward]);
    }
    const undoContract = defineCompensation({ name: `${handler}.undo`, of: contract });
    const backward = undoContract.implement((input, context) => {
      const { outcome, output, cause } = context;
      const call = undo === true ? () => undefined : () => undo(input as In, context);
      return this.#record(input, context, { outcome, output, cause }, call) as Promise<void>;
    });
    const onFailure = {
      handler: undoContract,
      retry: { maxAttempts: 3, delayMs: 5, jitter: 0, ...undoRetry },
      ...(undoTimeoutMs !== undefined && { timeoutMs: undoTimeoutMs }),
    };
    const step = defineStep(name, contract, {
      ...options,
      retry,
      onFailure,
      ...(compensateOn !== undefined && { compensateOn }),
    });
    return this.#testStep<Name, In, Out>(step, [forward, backward]);
  }

  /** The labels of all calls in the order in which they began, of one instance if told. */
  labels(instanceId?: string): string[] {
    return this.calls
      .filter(({ context }) => instanceId === undefined || context.instanceId === instanceId)
      .map(({ label }) => label);
  }

  /** The calls with this label, in order. */
  of(label: string): Call[] {
    return this.calls.filter((call) => call.label === label);
  }

  /** The first call with this label; throws if there was none. */
  first(label: string): Call {
    const [call] = this.of(label);
    if (call === undefined) throw new Error(`'${label}' was not called; calls: ${this.labels().join(", ")}`);
    return call;
  }

  /** Whether the first call of one label had ended before the first call of another began. */
  isBefore(earlier: string, later: string): boolean {
    const { endedAt } = this.first(earlier);
    return endedAt !== undefined && endedAt < this.first(later).startedAt;
  }

  /** Resolves with the n-th call of a label, when it has begun; rejects if it does not within 30 s. */
  begun(label: string, count = 1): Promise<Call> {
    return new Promise((resolve, reject) => {
      const called = (): string => this.labels().slice(-20).join(", ");
      const timer = setTimeout(() => {
        reject(new Error(`call ${count} of '${label}' did not begin within ${begunDeadlineMs} ms; last: ${called()}`));
      }, begunDeadlineMs);
      const look = (): boolean => {
        const call = this.of(label)[count - 1];
        if (call === undefined) return false;
        clearTimeout(timer);
        resolve(call);
        return true;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  #testStep<Name extends string, In, Out>(
    step: StepHandle,
    implementations: readonly AnyHandlerImplementation[],
  ): TestStep<Name, In, Out> {
    return { ...step, implementations } as unknown as TestStep<Name, In, Out>;
  }

  async #record(input: unknown, context: StepContext, undoes: Call["undoes"], run: () => unknown): Promise<unknown> {
    const { step, lane } = context;
    const call: Call = {
      label: lane === "forward" ? step : `undo ${step}`,
      step,
      lane,
      input,
      context,
      undoes,
      startedAt: this.#place++,
      endedAt: undefined,
      ended: undefined,
    };
    this.calls.push(call);
    this.#waiting = this.#waiting.filter((look) => !look());
    try {
      const output = await run();
      call.ended = "returned";
      return output;
    } catch (error) {
      call.ended = "threw";
      throw error;
    } finally {
      call.endedAt = this.#place++;
    }
  }
}

/** A handler that fails each time. */
export const failing = (message: string) => (): never => {
  throw new Error(message);
};
