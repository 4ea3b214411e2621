/** A leased step whose attempt is under way in virtual time. */
import type { AttemptResult, Database, Graph, Hints, Json, Lane, ResolvedStep, StepError } from "@floxy/shared";
import { taskOf } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import { implementHandler } from "../handler/implementation.ts";
import { Attempt, timeoutError, timeoutMsOf } from "../worker/attempt.ts";
import { contextOf } from "../worker/attempt-context.ts";
import { interrupted } from "../worker/failure.ts";
import type { SettledAttempt } from "../worker/settler.ts";
import { Transactions } from "../worker/transactions.ts";
import type { Cast } from "./cast.ts";
import type { Behaviour } from "./script.ts";
import type { FakeTransaction } from "./transaction.ts";
import { poolOf, withoutTransaction } from "./transaction.ts";

/** What became of a call. `refused`: its lease was lost, so the result did not count. */
export type CallResult = "running" | "completed" | "failed" | "crashed" | "released" | "refused";

/** One attempt of a step, as a test looks at it. */
export interface Call<Input = unknown, Output = unknown> {
  readonly instanceId: string;
  readonly step: string;
  readonly lane: Lane;
  readonly handler: string;
  /** Which attempt it is; the first is 1. */
  readonly attempt: number;
  /** What it was called with; `undefined` when the step's mapping could not be evaluated. */
  readonly input: Input;
  readonly idempotencyKey: string;
  readonly effectKey: string;
  /** When it began, in virtual time. */
  readonly at: Date;
  readonly result: CallResult;
  /** What it returned, if it has completed. */
  readonly output: Output | undefined;
  /** Why it has failed, if it has. */
  readonly error: StepError | null;
}

/** What flights need of their world. */
export interface FlightEnvironment {
  readonly db: Database;
  readonly cast: Cast;
  readonly logger: Logger;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly transaction: (() => FakeTransaction) | undefined;
  /** The virtual time. */
  readonly now: () => number;
  readonly onHints: (hints: Hints) => void;
}

/** An attempt that is under way. */
export class Flight {
  readonly step: ResolvedStep;
  /** When its result counts, in virtual time. */
  dueAt: number;
  /** When its lease runs out unless it is extended. */
  leaseUntil: number;
  call: Call;
  readonly #environment: FlightEnvironment;
  readonly #behaviour: Behaviour;
  /** Whether it takes longer than it may. */
  readonly #isTooLong: boolean;
  #attempt: Attempt | undefined;
  #transactions: Transactions | undefined;
  #result: AttemptResult | undefined;
  #run: Promise<void> | undefined;

  /** Begins an attempt. Throws `OPTION_INVALID` when the test does not say what is to be called. */
  constructor(step: ResolvedStep, environment: FlightEnvironment) {
    const { cast, leaseMs } = environment;
    const now = environment.now();
    const timeoutMs = timeoutMsOf(step);
    // A mapping that failed is no call, and uses up nothing of a script.
    const behaviour: Behaviour =
      "error" in step.input ? { kind: "runs", run: () => null, takesMs: 0 } : cast.behaviourOf(step.leased);
    this.step = step;
    this.#environment = environment;
    this.#behaviour = behaviour;
    this.#isTooLong = behaviour.kind === "times out" || (behaviour.kind === "runs" && behaviour.takesMs > timeoutMs);
    this.leaseUntil = now + leaseMs;
    this.dueAt = now + delayOf(behaviour, timeoutMs, leaseMs);
    this.call = callOf(step, new Date(now), environment.logger);
    const begins = behaviour.kind === "runs" || (behaviour.kind === "stalls" ? !behaviour.late : behaviour.called);
    if (begins) this.#begin();
  }

  /** Whether its worker lives and knows of time. */
  get keepsLease(): boolean {
    return this.#behaviour.kind === "runs" || this.#behaviour.kind === "times out";
  }

  /** Resolves when its function has ended, while that is what the world waits for. */
  get awaited(): Promise<void> | undefined {
    return this.#result === undefined && this.#behaviour.kind !== "times out" ? this.#run : undefined;
  }

  /** What it has come to by now; `undefined` while that is not known. */
  look(): AttemptResult | "crashed" | undefined {
    const { step } = this;
    const behaviour = this.#behaviour;
    const isDue = this.dueAt <= this.#environment.now();
    if (behaviour.kind === "crashes" && (!behaviour.called || this.#result !== undefined)) return "crashed";
    // What never came to a call takes no time.
    if (this.#result?.kind === "failed" && !this.#result.called) return this.#result;
    if (!isDue) return undefined;
    if (this.#isTooLong) {
      const error = timeoutError(step.leased, timeoutMsOf(step));
      this.#attempt?.abort(error);
      return interrupted(error, true);
    }
    return this.#result;
  }

  /** Calls the handler if its worker has stood still before it could, and now goes on. */
  goOn(): void {
    const { now } = this.#environment;
    if (this.#behaviour.kind === "stalls" && this.#attempt === undefined && this.dueAt <= now()) this.#begin();
  }

  /** Tells the handler to stop. */
  abort(reason: Parameters<Attempt["abort"]>[0]): void {
    this.#attempt?.abort(reason);
  }

  /** Ends the transaction of its handler, if it had one. Answers what is left to be settled. */
  async end(result: AttemptResult): Promise<SettledAttempt | undefined> {
    const settled = { ...this.step.leased, graph: this.step.graph, result };
    const transaction = this.#attempt?.transaction;
    return transaction === undefined ? settled : this.#transactions?.end(transaction, settled);
  }

  /** Its worker is dead. */
  async die(): Promise<void> {
    this.note({ result: "crashed" });
    const transaction = this.#attempt?.transaction;
    if (transaction !== undefined) await this.#transactions?.discard(transaction);
  }

  /** Notes what became of the call. */
  note(change: Partial<Pick<Call, "result" | "output" | "error">>): void {
    Object.assign(this.call, change);
  }

  #begin(): void {
    const { cast, logger, transaction, db, workerId, onHints } = this.#environment;
    const { leased } = this.step;
    const run = this.#behaviour.kind === "runs" ? this.#behaviour.run : undefined;
    const implementation = "error" in this.step.input ? neverCalled : cast.implementationOf(leased, run);
    if (implementation.options.transactional === true) {
      if (transaction === undefined) throw withoutTransaction(leased);
      const pool = poolOf(transaction(), db);
      this.#transactions = new Transactions({ pool, workerId, logger, random: () => 0, onHints });
    }
    const environment = { logger, payloadLimit: undefined, transactions: this.#transactions };
    // Its lease is a matter of virtual time, of which it knows nothing.
    const attempt = new Attempt(withoutTimeout(this.step), implementation, environment, Number.POSITIVE_INFINITY);
    this.#attempt = attempt;
    this.#run = attempt.run().then((result) => {
      this.#result = result;
    });
  }
}

const neverCalled = implementHandler({ name: "never-called", input: undefined, run: () => null, options: undefined });

const delayOf = (behaviour: Behaviour, timeoutMs: number, leaseMs: number): number => {
  switch (behaviour.kind) {
    case "runs":
      return Math.min(behaviour.takesMs, timeoutMs);
    case "times out":
      return timeoutMs;
    case "crashes":
      return 0;
    case "stalls":
      return behaviour.forMs ?? leaseMs + 1;
  }
};

/** The longest time that a Node timer can hold. */
const maxTimerMs = 2_147_483_647;

// Timeouts are a matter of virtual time too: a handler that needs real time gets it.
const withoutTimeout = (step: ResolvedStep): ResolvedStep => {
  const task = taskOf(step.graph, step.leased.node);
  const { compensation } = task.json;
  const json = {
    ...task.json,
    timeoutMs: maxTimerMs,
    ...(compensation && { compensation: { ...compensation, timeoutMs: maxTimerMs } }),
  };
  const graph: Graph = { ...step.graph, nodes: new Map([...step.graph.nodes, [task.name, { ...task, json }]]) };
  return { ...step, graph };
};

const callOf = (step: ResolvedStep, at: Date, logger: Logger): Call => {
  const { instanceId, node, lane, handler, attempt } = step.leased;
  const { idempotencyKey, effectKey } = contextOf(step, () => new AbortController().signal, logger);
  const input: Json | undefined = "error" in step.input ? undefined : step.input.value;
  const what = { instanceId, step: node, lane, handler, attempt, input, idempotencyKey, effectKey, at };
  return { ...what, result: "running", output: undefined, error: null };
};
