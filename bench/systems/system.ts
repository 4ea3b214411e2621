/** What the harness asks of a system that is measured. */

/** What a workflow of a workload looks like. */
export interface Scenario {
  readonly shape: "sequence" | "fork" | "saga";
  /** Steps of a sequence or saga, branches of a fork. */
  readonly width: number;
  /** The size of the input of a workflow, passed on from step to step. */
  readonly payloadBytes: number;
  /** How long a handler waits for something outside, in milliseconds; 0 for one that does nothing. */
  readonly ioMs: number;
  /** How many handlers the worker offers; the steps of the workflows are spread over all of them. */
  readonly handlers: number;
}

/** A sequence of three steps that do nothing, with 300 bytes: what all systems can do. */
export const sequenceOf = (width: number): Scenario => ({
  shape: "sequence",
  width,
  payloadBytes: 300,
  ioMs: 0,
  handlers: 1,
});

/** The handler calls that one workflow costs, compensations among them. */
export const callsOf = ({ shape, width }: Scenario): number => {
  if (shape === "sequence") return width;
  // A fork has a step behind its join; of a saga the last step fails and all before it are undone.
  return shape === "fork" ? width + 1 : width + (width - 1);
};

/** What a workflow takes: who it is, so that its calls can be told apart, and something to carry. */
export interface Payload {
  readonly id: number;
  readonly text: string;
}

// Letters without a pattern, so that no compression makes a large payload small. The same in all processes and rounds.
const letters = ((): string => {
  let state = 1;
  const next = (): string => {
    state = (state * 48_271) % 2_147_483_647;
    return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[state % 64] ?? "";
  };
  return Array.from({ length: 220_000 }, next).join("");
})();

/** A payload of about so many bytes of JSON. */
export const payloadOf = (id: number, bytes: number): Payload => {
  const from = Math.abs(id * 7_919) % 10_000;
  return { id, text: letters.slice(from, from + Math.max(0, bytes - 20)) };
};

/** Is told of each call of a handler. */
export interface Probe {
  /** The handler of a step, counted from 0, is called. */
  began(workflow: number, step: number): void;
  /** It is about to return. */
  ended(workflow: number, step: number): void;
}

/** Where and what a session works on. */
export interface Site {
  /** The database, or the Redis, that this session has for itself. */
  readonly url: string;
  readonly scenario: Scenario;
  readonly probe: Probe;
}

/** A way to start workflows, with its own connections. */
export interface Client {
  /** Enqueues workflows `first` to `first + count - 1` in the fastest way there is for many. */
  enqueue(first: number, count: number): Promise<void>;
  /** Enqueues one, as a service does while it answers a request. */
  startOne(id: number, key?: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Something that works until it is told to stop. */
export interface Stoppable {
  stop(): Promise<void>;
}

/** What the system itself says it did. */
export interface Tally {
  /** Workflows that ended as they should; undefined if it forgets them. */
  readonly ended?: number;
  /** Workflows that were started, whatever became of them; undefined if nobody needs to know. */
  readonly started?: number;
  /** What is left to do, where the system keeps nothing else. */
  readonly left?: number;
  /** Steps that it knows to have completed, compensations among them; undefined if it keeps none. */
  readonly steps: number | undefined;
}

/** One system in one database and one process. */
export interface Session {
  /** Brings its tables into an empty database. */
  setUp(): Promise<void>;
  openClient(): Promise<Client>;
  startWorker(): Promise<Stoppable>;
  /** Whether any workflow has not ended. Asked again and again when all handlers have been called. */
  unfinished(): Promise<boolean>;
  tally(): Promise<Tally>;
  /** Lets go of all connections. */
  close(): Promise<void>;
}

/** A system that can be measured. */
export interface System {
  /** How it is set up, for the document. */
  readonly configuration: string;
  /** A few workflows, about a second of work, that warm it up. */
  readonly warmUp: number;
  open(site: Site): Session;
}

/** Waits like a call to somebody else would. Not at all for 0. */
export const io = (ms: number): Promise<void> | undefined =>
  ms === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, ms));
