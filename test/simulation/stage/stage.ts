/** What a simulation runs on: a database, a clock that it moves, and a look at what the database holds. */
import type { Database, Json, StepError } from "@floxy/shared";

/** A step's row. Times are in milliseconds. */
export interface StepFact {
  readonly node: string;
  readonly status: string;
  readonly outcome: string | null;
  readonly side: string | null;
  readonly attempt: number;
  readonly compensationAttempt: number;
  readonly output: Json | undefined;
  readonly error: StepError | null;
  readonly run: number;
  readonly dueAt: number | null;
  readonly winners: readonly string[] | null;
}

/** A row of the queue. */
export interface QueueFact {
  readonly node: string;
  readonly lane: "forward" | "compensation";
  readonly state: string;
  readonly attempt: number;
  readonly token: number | null;
  readonly readyAt: number;
  readonly leaseUntil: number | null;
  readonly run: number;
}

/** An event. */
export interface EventFact {
  readonly eventId: number;
  readonly type: string;
  readonly node: string | null;
  readonly attempt: number | null;
  readonly workerId: string | null;
  readonly data: Readonly<Record<string, unknown>> | null;
}

/** A person's vote. */
export interface VoteFact {
  readonly node: string;
  readonly voter: string;
  readonly kind: string;
}

/** A signal; `node` is the one that has taken it. */
export interface SignalFact {
  readonly signalId: string;
  readonly name: string;
  readonly payload: Json;
  readonly node: string | null;
}

/** All that the database holds of an instance. */
export interface Facts {
  readonly instanceId: string;
  readonly status: string;
  readonly epoch: number;
  readonly run: number;
  readonly boundary: string | null;
  readonly pausedFrom: string | null;
  readonly cause: StepError | null;
  readonly outputFrom: string | null;
  readonly deadlineAt: number | null;
  readonly steps: ReadonlyMap<string, StepFact>;
  readonly queue: ReadonlyMap<string, QueueFact>;
  /** The kinds of dead letters, by node. */
  readonly deadLetters: ReadonlyMap<string, string>;
  /** The times of timers, by node; of the deadline under an empty name. */
  readonly timers: ReadonlyMap<string, number>;
  /** When each note to the orchestrator can be taken. */
  readonly notes: readonly number[];
  readonly votes: readonly VoteFact[];
  /** In the order in which they arrived. */
  readonly signals: readonly SignalFact[];
  /** Those that are newer than the cursor that was asked for. */
  readonly events: readonly EventFact[];
}

/** See the top of the file. */
export interface Stage {
  readonly db: Database;
  /** The time by the database's clock, in milliseconds. */
  now(): number;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Looks at instances; `after` are the cursors into their events. */
  look(wanted: readonly { readonly instanceId: string; readonly after: number }[]): Promise<readonly Facts[]>;
  close(): Promise<void>;
}
