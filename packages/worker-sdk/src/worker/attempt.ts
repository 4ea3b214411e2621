/** One attempt: a handler call under a lease, with its timeout and the signal that tells it to stop. */
import type { AttemptResult, LeasedStep, ResolvedStep } from "@floxy/shared";
import { defaultTimeoutMs, encodeOutput, FloxyError, isFloxyError, taskOf } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import { contextOf } from "./attempt-context.ts";
import { failureOf, interrupted } from "./failure.ts";

/** What an attempt needs of its worker. */
export interface AttemptEnvironment {
  readonly logger: Logger;
  readonly payloadLimit: number | undefined;
}

/**
 * A handler call that is under way. It has a *result* as soon as it is known what becomes of the step, and has *ended*
 * when the handler has: that is later if the handler goes on after its time was up.
 */
export class Attempt {
  readonly step: ResolvedStep;
  /** When the lease runs out unless it is extended, on the clock of `performance.now()`. */
  leaseUntil: number;
  /** Whether an extension was sent that has not been answered: then the lease's end by our own clock counts. */
  isExtensionOpen = false;
  /** Whether the result was written or refused: from then on the lease needs no care. */
  isSettled = false;
  readonly #handler: AnyHandlerImplementation;
  readonly #environment: AttemptEnvironment;
  readonly #controller = new AbortController();
  readonly #interrupted: Promise<AttemptResult>;
  #interrupt: (result: AttemptResult) => void = () => {};
  #call: Promise<AttemptResult> | undefined;
  #isCalled = false;
  #hasEnded = false;

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
    this.#interrupted = new Promise((resolve) => {
      this.#interrupt = resolve;
    });
  }

  /** The step as it was leased. */
  get leased(): LeasedStep {
    return this.step.leased;
  }

  /** Tells the handler to stop. The first reason stands; a handler that has ended is told nothing. */
  abort(reason: FloxyError): void {
    if (!this.#hasEnded) this.#controller.abort(reason);
  }

  /** Ends the attempt although its handler goes on: whoever takes the step over need not wait for the lease to expire. */
  giveUp(reason: FloxyError): void {
    // First, so that what the handler throws because of the signal comes too late to matter.
    this.#interrupt(
      this.#isCalled || reason.code !== "SHUTDOWN" ? interrupted(reason, this.#isCalled) : { kind: "released" },
    );
    this.abort(reason);
  }

  /**
   * Calls the handler. Resolves with the result of the attempt: when the handler has ended, when its time is up, or when
   * the attempt is given up. Never rejects.
   */
  async run(): Promise<AttemptResult> {
    const { input } = this.step;
    // Told to stop before it began: given back without a call, so that the attempt does not count.
    if (this.#controller.signal.aborted) return { kind: "released" };
    if ("error" in input) return { kind: "failed", error: input.error, retryable: false, called: false };
    const timeoutMs = this.#timeoutMs();
    const startedAt = performance.now();
    const timer = setTimeout(() => this.giveUp(timeoutError(this.leased, timeoutMs)), Math.min(timeoutMs, maxTimerMs));
    this.#call = this.#invoke(input.value);
    try {
      const result = await Promise.race([this.#call, this.#interrupted]);
      // A handler that kept the process busy was too late as well, although the timer could not say so.
      const isLate = this.#hasEnded && performance.now() - startedAt > timeoutMs;
      return isLate ? interrupted(timeoutError(this.leased, timeoutMs), this.#isCalled) : result;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the handler has really ended, also when its time was up before. */
  async ended(): Promise<void> {
    await this.#call;
  }

  // Never rejects.
  async #invoke(input: unknown): Promise<AttemptResult> {
    const { signal } = this.#controller;
    const { logger, payloadLimit } = this.#environment;
    const onCall = (): void => {
      // Checking the input may have taken its time.
      signal.throwIfAborted();
      this.#isCalled = true;
    };
    try {
      const output = await this.#handler.invoke(input, contextOf(this.step, signal, logger), onCall);
      const what = `the output of handler '${this.#handler.name}'`;
      return { kind: "completed", output: encodeOutput(output, what, payloadLimit) };
    } catch (error) {
      const abortReason: unknown = signal.aborted ? signal.reason : undefined;
      if (!this.#isCalled && isFloxyError(abortReason, "SHUTDOWN")) return { kind: "released" };
      return failureOf({ error, abortReason, called: this.#isCalled });
    } finally {
      this.#hasEnded = true;
    }
  }

  #timeoutMs(): number {
    const { json } = taskOf(this.step.graph, this.leased.node);
    return (this.leased.lane === "compensation" ? json.compensation?.timeoutMs : json.timeoutMs) ?? defaultTimeoutMs;
  }
}

/** The longest time that a Node timer can hold; anything longer would fire at once. */
const maxTimerMs = 2_147_483_647;

const timeoutError = ({ node, attempt }: LeasedStep, timeoutMs: number): FloxyError =>
  new FloxyError(
    "STEP_TIMEOUT",
    `attempt ${attempt} of step '${node}' took longer than its timeout of ${timeoutMs} ms`,
  );
