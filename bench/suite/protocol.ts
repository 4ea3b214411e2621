/** What the harness and the processes it measures say to each other. */
import type { Scenario, Tally } from "../systems/system.ts";
import type { Latency } from "./statistics.ts";

/** What a process that hosts a system can be asked, each with what it takes and answers. */
export interface Calls {
  /** Loads a system and points it at its database. The first to come also makes its tables. */
  open(take: {
    readonly system: string;
    readonly url: string;
    readonly scenario: Scenario;
    readonly setUp: boolean;
  }): Promise<{ readonly configuration: string; readonly warmUp: number }>;
  /** Starts many workflows with a client of its own that is gone afterwards. Answers how long the calls took. */
  enqueue(take: { readonly first: number; readonly count: number }): Promise<{ readonly ms: number }>;
  /** Starts a worker. Handler calls and CPU time are counted from here on. */
  work(): Promise<void>;
  /** How many handlers have been called since {@link Calls.work}. */
  calls(): Promise<number>;
  /** Waits until that many handlers have been called. */
  called(take: { readonly calls: number; readonly timeoutMs: number }): Promise<void>;
  /** Waits until no workflow is unfinished. Answers how often it asked. */
  ended(take: { readonly timeoutMs: number }): Promise<number>;
  /** CPU time since {@link Calls.work} in microseconds, and the most memory this process ever had, in bytes. */
  usage(): Promise<{ readonly cpuUs: number; readonly peakBytes: number }>;
  /** Stops the worker and its connections. */
  rest(): Promise<void>;
  tally(): Promise<Tally>;
  /** Workflows one by one, each when the one before has ended and a random moment has passed. */
  oneByOne(take: { readonly first: number; readonly count: number }): Promise<Latencies>;
  /** Workflows at a steady rate, whatever becomes of those before them. */
  steadily(take: { readonly first: number; readonly perSecond: number; readonly seconds: number }): Promise<Latencies>;
  /** Starts one workflow a call from so many callers for so long. */
  singleStarts(take: {
    readonly first: number;
    readonly callers: number;
    readonly seconds: number;
    readonly keyed: boolean;
  }): Promise<{ readonly count: number; readonly ms: number; readonly latency: Latency }>;
  /** Starts workers that have nothing to do, or an orchestrator (0 workers). */
  idle(take: { readonly workers: number; readonly url: string }): Promise<void>;
  close(): Promise<void>;
}

/** How long a workflow waited, in milliseconds. */
export interface Latencies {
  /** From before the call that starts it to the call of its first handler. */
  readonly start: Latency;
  /** From the end of one handler to the call of the next. */
  readonly step: Latency;
  /** Workflows a second that were started, to see whether the rate was kept. */
  readonly perSecond: number;
}

/** A question, with a number that its answer repeats. */
export interface Ask {
  readonly number: number;
  readonly name: keyof Calls;
  readonly take: unknown;
}

/** An answer. */
export interface Answer {
  readonly number: number;
  readonly value?: unknown;
  readonly error?: string;
}
