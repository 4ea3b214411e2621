/** One attempt: a handler call under a lease, with its timeout and the signal that tells it to stop. */
import {
  type AttemptResult,
  defaultTimeoutMs,
  encodeOutput,
  FloxyError,
  isFloxyError,
  type LeasedStep,
  type ResolvedStep,
  retryPolicyOf,
  type StepError,
  taskOf,
  toStepError,
} from "@floxy/shared";
import type { CompensationContext, Logger } from "../handler/context.ts";
import { NonRetryableError, RetryAfterError } from "../handler/error.ts";
import type { AnyHandlerImplementation } from "../handler/implementation.ts";

/** What an attempt needs of its worker. */
export interface AttemptEnvironment {
  readonly logger: Logger;
  readonly payloadLimit: number | undefined;
}

/** A handler call that is under way. */
export class Attempt {
  readonly step: ResolvedStep;
  /** When the lease runs out unless it is extended, on the clock of `performance.now()`. */
  leaseUntil: number;
  /** Whether the result was written or refused: from then on the lease needs no care. */
  settled = false;
  /** Resolves when the result was written, refused, or given up; undefined until the attempt runs. */
  settlement: Promise<unknown> | undefined;
  readonly #handler: AnyHandlerImplementation;
  readonly #environment: AttemptEnvironment;
  readonly #controller = new AbortController();
  #called: Promise<AttemptResult> | undefined;
  #giveUp: ((result: AttemptResult) => void) | undefined;

  constructor(
    step: ResolvedStep,
    handler: AnyHandlerImplementation,
    environment: AttemptEnvironment,
    leaseUntil: number,
  ) {
    this.step = step;
    this.leaseUntil = leaseUntil;
    this.#handler = handler;
    this.#environment = environment;
  }

  /** The step as it was leased. */
  get leased(): LeasedStep {
    return this.step.leased;
  }

  /** Why the handler was told to stop; `undefined` while it was not. */
  get abortReason(): unknown {
    return this.#controller.signal.aborted ? this.#controller.signal.reason : undefined;
  }

  /** Tells the handler to stop. The first reason stands. */
  abort(reason: FloxyError): void {
    this.#controller.abort(reason);
  }

  /** Ends the attempt although its handler goes on: whoever takes the step over need not wait for the lease to expire. */
  giveUp(reason: FloxyError): void {
    this.abort(reason);
    this.#giveUp?.(failed(toStepError(reason), true, 0));
  }

  /**
   * Calls the handler. Resolves with the result of the attempt: when the handler has ended, when its time is up, or when
   * the attempt is given up. Never rejects.
   */
  async run(): Promise<AttemptResult> {
    const { input } = this.step;
    if ("error" in input) return { kind: "failed", error: input.error, retryable: false, called: false };
    const timeoutMs = this.#timeoutMs();
    const ended = new Promise<AttemptResult>((resolve) => {
      this.#giveUp = resolve;
    });
    const timer = setTimeout(
      () => {
        const error = timeoutError(this.leased, timeoutMs);
        this.abort(error);
        this.#giveUp?.(failed(toStepError(error), true));
      },
      Math.min(timeoutMs, maxTimerMs),
    );
    this.#called = this.#call(input.value);
    try {
      return await Promise.race([this.#called, ended]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the handler has really ended, also when its time was up before. */
  async ended(): Promise<void> {
    await this.#called;
  }

  async #call(input: unknown): Promise<AttemptResult> {
    const { payloadLimit } = this.#environment;
    try {
      const output = await this.#handler.invoke(input, this.#context());
      const what = `the output of handler '${this.#handler.name}'`;
      return { kind: "completed", output: encodeOutput(output, what, payloadLimit) };
    } catch (error) {
      // Whatever the handler throws after it was told to shut down, the next worker may try again at once.
      if (isFloxyError(this.abortReason, "SHUTDOWN")) return failed(toStepError(this.abortReason), true, 0);
      if (error instanceof RetryAfterError) return failed(toStepError(error), true, error.retryAfterMs);
      return failed(toStepError(error, "", codeOf(error)), isRetryable(error));
    }
  }

  #context(): CompensationContext {
    const { leased, graph } = this.step;
    const { instanceId, node, lane, attempt } = leased;
    const fields = { instanceId, step: node, attempt };
    return {
      instanceId,
      step: node,
      definition: { name: leased.definitionName, version: leased.definitionVersion },
      attempt,
      maxAttempts: retryPolicyOf(taskOf(graph, node).json, lane).maxAttempts,
      idempotencyKey: lane === "forward" ? `${instanceId}/${node}` : `${instanceId}/${node}/compensation`,
      metadata: leased.metadata,
      signal: this.#controller.signal,
      logger: withFields(this.#environment.logger, fields),
      lane,
      outcome: leased.outcome === "happened" ? "happened" : "unknown",
      output: leased.output === null ? undefined : JSON.parse(leased.output),
      cause: leased.cause ?? { code: "INTERNAL", message: "the cause is not known" },
    };
  }

  #timeoutMs(): number {
    const { json } = taskOf(this.step.graph, this.leased.node);
    return (this.leased.lane === "compensation" ? json.compensation?.timeoutMs : json.timeoutMs) ?? defaultTimeoutMs;
  }
}

/** The longest time that a Node timer can hold; anything longer would fire at once. */
const maxTimerMs = 2_147_483_647;

const failed = (error: StepError, retryable: boolean, retryAfterMs?: number): AttemptResult => ({
  kind: "failed",
  error,
  retryable,
  retryAfterMs,
  called: true,
});

// A terminal error of Floxy's own stays wrong however often it is tried.
const isRetryable = (error: unknown): boolean =>
  !(error instanceof NonRetryableError || (isFloxyError(error) && error.kind !== "retryable"));

const codeOf = (error: unknown) =>
  error instanceof NonRetryableError ? "HANDLER_NOT_RETRYABLE" : "HANDLER_FAILED";

const timeoutError = ({ node, attempt }: LeasedStep, timeoutMs: number): FloxyError =>
  new FloxyError("STEP_TIMEOUT", `attempt ${attempt} of step '${node}' took longer than its timeout of ${timeoutMs} ms`);

// The fields of an attempt on every line of its handler, whatever the logger is.
const withFields = (logger: Logger, fields: object): Logger => {
  const method = (level: keyof Logger) => (first: object | string, message?: string) =>
    typeof first === "string" ? logger[level](fields, first) : logger[level]({ ...fields, ...first }, message);
  return { debug: method("debug"), info: method("info"), warn: method("warn"), error: method("error") };
};
