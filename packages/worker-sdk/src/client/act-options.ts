/** What acts can be told, and checking it at run time. */
import { FloxyError, quote } from "@floxy/shared";

/** Who asks for an act, and why; both are kept for the audit. */
export interface ActOptions {
  /** Who: a person or a program, in 1 to 4,000 characters. */
  readonly requestedBy: string;
  /** Why. It is also shown where it explains something, such as in the cause of a rollback. */
  readonly reason?: string | undefined;
}

/** As {@link ActOptions}, for what whoever looks at the instance later must be able to understand. */
export interface ReasonedOptions extends ActOptions {
  readonly reason: string;
}

/** A vote on a human node. */
export interface DecideOptions {
  readonly kind: "confirm" | "reject";
  /** Who decides; one of the node's deciders, if it names any. */
  readonly by: string;
  readonly comment?: string | undefined;
  /** What the node's form holds, if it has one: any JSON. */
  readonly form?: unknown;
}

/** A signal. */
export interface SignalOptions {
  /** Any JSON; by default `null`. */
  readonly payload?: unknown;
  /** Who sends it; kept for the audit. */
  readonly sentBy: string;
  /** The same id again is the same signal, and arrives once. By default every call sends a signal of its own. */
  readonly signalId?: string | undefined;
}

/** How to try a step again. */
export interface RequeueOptions extends ActOptions {
  /** Another input for its handler, in place of what the definition passes to it. */
  readonly input?: unknown;
}

/** How to take a step as completed. */
export interface ResolveOptions extends ActOptions {
  /** What its handler would have returned; of a condition, `true` or `false`. */
  readonly output: unknown;
}

/** How to let a failed instance go forward again. */
export interface ResumeOptions extends ActOptions {
  /**
   * Another value for what comes next: in place of what the savepoint passes on, or of the instance's input when the
   * rollback went back to the beginning.
   */
  readonly input?: unknown;
}

/** How to change a priority. */
export interface ReprioritiseOptions extends ActOptions {
  /** 0 to 100. */
  readonly priority: number;
}

const said = ["requestedBy", "reason"] as const;

/** The options that each verb has. */
const optionsOf = {
  cancel: said,
  abort: said,
  decide: ["kind", "by", "comment", "form"],
  signal: ["payload", "sentBy", "signalId"],
  requeue: ["input", ...said],
  resolve: ["output", ...said],
  discard: said,
  retryCompensation: ["input", ...said],
  skipCompensation: said,
  resume: ["input", ...said],
  reprioritise: ["priority", ...said],
  pauseDefinition: said,
  unpauseDefinition: said,
  deprecate: said,
  undeprecate: said,
  audit: ["instanceId", "limit", "cursor"],
  deadLetters: ["definition", "handler", "kind", "limit", "cursor"],
  bulk: ["dryRun", ...said],
  bulkItems: ["after", "states", "limit"],
  waitForBulk: ["timeoutMs", "signal"],
  definitions: ["name"],
  retention: ["definition", "status", "keepMs"],
  retentionTarget: ["definition", "status"],
  setRetention: said,
  removeRetention: said,
  prune: ["limit", "batchSize", "byRow", "signal"],
  doctor: ["graceMs", "historyMs", "limit", "environment"],
} as const satisfies Record<string, readonly string[]>;

/** A verb with options. */
export type Verb = keyof typeof optionsOf;

/**
 * Throws `OPTION_INVALID` when the options are none, or have one that the verb does not know: what is misspelt would
 * silently not count.
 */
export const assertOptions = (verb: Verb, options: unknown): void => {
  const known: readonly string[] = optionsOf[verb];
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const found = Array.isArray(options) ? "a list" : options === null ? "null" : typeof options;
    throw invalid(`${verb} takes an object with ${known.join(", ")}, not ${found}.`);
  }
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const names = unknown.map((name) => quote(name)).join(", ");
  throw invalid(`${verb} has no option ${names}; it has ${known.join(", ")}.`);
};

/** Checks the length of a page. Throws `OPTION_INVALID`. */
export const assertLimit = (limit: number, most: number): void => {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return;
  throw invalid(`limit must be an integer from 1 to ${most}, not ${String(limit)}.`);
};

/** An option that cannot be. */
export const invalid = (message: string): FloxyError => new FloxyError("OPTION_INVALID", message);
