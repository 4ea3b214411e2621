/** One attempt: a handler call under a lease, with its timeout and the signal that tells it to stop. */
import type { AttemptResult, LeasedStep, ResolvedStep } from "@floxy/shared";
import { defaultTimeoutMs, encodeOutput, FloxyError, isFloxyError, taskOf } from "@floxy/shared";
import type { CompensationContext, Logger } from "../handler/context.ts";
import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import type { InTransaction } from "../handler/transaction.ts";
import { contextOf } from "./attempt-context.ts";
import { failureOf, interrupted } from "./failure.ts";
import type { AttemptTransaction, Transactions } from "./transactions.ts";

/** What an attempt needs of its worker. */
export interface AttemptEnvironment {
  readonly logger: Logger;
  readonly payloadLimit: number | undefined;
  /** Where transactional handlers get their transactions. */
  readonly transactions?: Pick<Transactions, "begin" | "discard"> | undefined;
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
  /** Made when somebody asks for its signal, or aborts: few handlers do. */
  #controller: AbortController | undefined;
  /** What was decided without the handler; it stands, whatever the handler comes to. */
  #interruption: AttemptResult | undefined;
  #interrupt: (result: AttemptResult) => void = (result) => {
    this.#interruption ??= result;
  };
  #call: Promise<AttemptResult> | undefined;
  #transaction: AttemptTransaction | undefined;
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
  }

  /** The step as it was leased. */
  get leased(): LeasedStep {
    return this.step.leased;
  }

  /** The transaction that its handler runs in, once it was begun. Whoever has the result must end it. */
  get transaction(): AttemptTransaction | undefined {
    return this.#transaction;
  }

  /** Tells the handler to stop. The first reason stands; a handler that has ended is told nothing. */
  abort(reason: FloxyError): void {
    if (this.#hasEnded) return;
    // The next attempt may wait for rows that its transaction has locked, and its result cannot count any more.
    if (this.#isTransactional && reason.code === "LEASE_LOST") this.#interrupt(interrupted(reason, this.#isCalled));
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
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
  run(): Promise<AttemptResult> {
    const { input } = this.step;
    if (this.#interruption !== undefined) return Promise.resolve(this.#interruption);
    // Told to stop before it began: given back without a call, so that the attempt does not count.
    if (this.#isAborted) return Promise.resolve({ kind: "released" });
    if ("error" in input) {
      return Promise.resolve({ kind: "failed", error: input.error, retryable: false, called: false });
    }
    const { value } = input;
    return new Promise((resolve) => this.#run(value, resolve));
  }

  // The first result stands, as a promise keeps the first value that it is given.
  #run(input: unknown, resolve: (result: AttemptResult) => void): void {
    const timeoutMs = timeoutMsOf(this.step);
    const startedAt = performance.now();
    const timer = setTimeout(() => this.giveUp(timeoutError(this.leased, timeoutMs)), Math.min(timeoutMs, maxTimerMs));
    const end = (result: AttemptResult): void => {
      clearTimeout(timer);
      resolve(result);
    };
    this.#interrupt = end;
    this.#call = this.#invoke(input, timeoutMs).then((result) => {
      // A handler that kept the process busy was too late as well, although the timer could not say so.
      const isLate = performance.now() - startedAt > timeoutMs;
      end(isLate ? interrupted(timeoutError(this.leased, timeoutMs), this.#isCalled) : result);
      return result;
    });
  }

  /** Whether its handler goes on, also when the result is known. */
  get isUnderWay(): boolean {
    return this.#call !== undefined && !this.#hasEnded;
  }

  /** Resolves when the handler has really ended, also when its time was up before. */
  async ended(): Promise<void> {
    await this.#call;
  }

  // Never rejects.
  async #invoke(input: unknown, timeoutMs: number): Promise<AttemptResult> {
    const { payloadLimit, logger } = this.#environment;
    const onCall = (): void => {
      // Checking the input may have taken its time.
      this.#controller?.signal.throwIfAborted();
      this.#isCalled = true;
    };
    try {
      const common = contextOf(this.step, this.#signal, logger);
      const context = this.#isTransactional ? await this.#withTransaction(common, timeoutMs) : common;
      const output = await this.#handler.invoke(input, context, onCall);
      const what = `the output of handler '${this.#handler.name}'`;
      return { kind: "completed", output: encodeOutput(output, what, payloadLimit) };
    } catch (error) {
      const abortReason: unknown = this.#isAborted ? this.#controller?.signal.reason : undefined;
      if (!this.#isCalled && isFloxyError(abortReason, "SHUTDOWN")) return { kind: "released" };
      return failureOf({ error, abortReason, called: this.#isCalled });
    } finally {
      this.#hasEnded = true;
    }
  }

  async #withTransaction(context: CompensationContext, timeoutMs: number): Promise<CompensationContext> {
    const { transactions } = this.#environment;
    if (transactions === undefined) return context;
    const signal = this.#signal();
    const transaction = await transactions.begin(timeoutMs, signal);
    if (signal.aborted) {
      // Whoever ends the attempt has looked for it already.
      await transactions.discard(transaction);
      throw signal.reason;
    }
    this.#transaction = transaction;
    const inTransaction: CompensationContext & InTransaction = { ...context, transaction: transaction.client };
    return inTransaction;
  }

  readonly #signal = (): AbortSignal => {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  };

  get #isAborted(): boolean {
    return this.#controller?.signal.aborted ?? false;
  }

  get #isTransactional(): boolean {
    return this.#handler.options.transactional === true;
  }
}

/** How long an attempt of a step may take, in milliseconds. */
export const timeoutMsOf = ({ leased: { node, lane }, graph }: ResolvedStep): number => {
  const { json } = taskOf(graph, node);
  return (lane === "compensation" ? json.compensation?.timeoutMs : json.timeoutMs) ?? defaultTimeoutMs;
};

/** The longest time that a Node timer can hold; anything longer would fire at once. */
const maxTimerMs = 2_147_483_647;

/** Why an attempt that took too long has failed. */
export const timeoutError = ({ node, attempt }: LeasedStep, timeoutMs: number): FloxyError =>
  new FloxyError(
    "STEP_TIMEOUT",
    `attempt ${attempt} of step '${node}' took longer than its timeout of ${timeoutMs} ms`,
  );
