/**
 * The closed table of error codes. `kind`: `terminal` is wrong input or a wrong moment and stays wrong, `retryable` may
 * pass by itself, `defect` is a bug in Floxy or in the data. `http` is the status the orchestrator's API answers with.
 */
export const errorCodes = {
  DEFINITION_INVALID: { kind: "terminal", http: 422 },
  DEFINITION_CONFLICT: { kind: "terminal", http: 409 },
  DEFINITION_NOT_FOUND: { kind: "terminal", http: 404 },
  INSTANCE_NOT_FOUND: { kind: "terminal", http: 404 },
  INSTANCE_TERMINAL: { kind: "terminal", http: 409 },
  INSTANCE_FAILED: { kind: "terminal", http: 409 },
  INSTANCE_CANCELLED: { kind: "terminal", http: 409 },
  INSTANCE_ABORTED: { kind: "terminal", http: 409 },
  INSTANCE_NOT_FAILED: { kind: "terminal", http: 409 },
  STEP_NOT_FOUND: { kind: "terminal", http: 404 },
  STEP_NOT_IDEMPOTENT: { kind: "terminal", http: 409 },
  DEAD_LETTER_NOT_FOUND: { kind: "terminal", http: 404 },
  BULK_NOT_FOUND: { kind: "terminal", http: 404 },
  DECISION_NOT_OPEN: { kind: "terminal", http: 409 },
  DECISION_FORBIDDEN: { kind: "terminal", http: 403 },
  DECISION_CONFLICT: { kind: "terminal", http: 409 },
  DECISION_REJECTED: { kind: "terminal", http: 409 },
  DEADLINE_EXCEEDED: { kind: "terminal", http: 504 },
  SIGNAL_TIMEOUT: { kind: "terminal", http: 504 },
  FAILED_BY_DEFINITION: { kind: "terminal", http: 409 },
  ROLLED_BACK_BY_DEFINITION: { kind: "terminal", http: 409 },
  DEAD_LETTER_DISCARDED: { kind: "terminal", http: 409 },
  IDEMPOTENCY_CONFLICT: { kind: "terminal", http: 409 },
  INPUT_INVALID: { kind: "terminal", http: 422 },
  OUTPUT_INVALID: { kind: "terminal", http: 422 },
  JSON_UNSTORABLE: { kind: "terminal", http: 422 },
  PAYLOAD_TOO_LARGE: { kind: "terminal", http: 413 },
  NAME_INVALID: { kind: "terminal", http: 422 },
  OPTION_INVALID: { kind: "terminal", http: 422 },
  EXPRESSION_INVALID: { kind: "terminal", http: 422 },
  EXPRESSION_FAILED: { kind: "terminal", http: 422 },
  HANDLER_FAILED: { kind: "retryable", http: 500 },
  HANDLER_NOT_RETRYABLE: { kind: "terminal", http: 500 },
  STEP_TIMEOUT: { kind: "retryable", http: 504 },
  INSTANCE_STOPPED: { kind: "terminal", http: 409 },
  LEASE_LOST: { kind: "retryable", http: 409 },
  WAIT_TIMEOUT: { kind: "retryable", http: 504 },
  SHUTDOWN: { kind: "retryable", http: 503 },
  DATABASE_UNAVAILABLE: { kind: "retryable", http: 503 },
  SCHEMA_OUTDATED: { kind: "terminal", http: 503 },
  MIGRATION_FAILED: { kind: "terminal", http: 500 },
  CONFIGURATION_INVALID: { kind: "terminal", http: 500 },
  INTERNAL: { kind: "defect", http: 500 },
} as const satisfies Record<string, { kind: ErrorKind; http: number }>;

/** What an error means for the one who made the call; see {@link errorCodes}. */
export type ErrorKind = "terminal" | "retryable" | "defect";

/** A code of the closed table; the only thing of an error that a program should look at. */
export type ErrorCode = keyof typeof errorCodes;

/** One of several problems that an error reports together. */
export interface Problem {
  /** Where: a path such as `nodes[2].branches.left[0].input.amount`. */
  readonly path: string;
  /** What kind, in lower case with underscores, such as `duplicate_name`. */
  readonly code: string;
  /** What is wrong, with which value, and what to do. */
  readonly message: string;
}

/** What else an error can carry. */
export interface ErrorDetails {
  readonly cause?: unknown;
  /** All problems found, when there can be more than one. */
  readonly problems?: readonly Problem[];
  /** Values a program may want, such as the id of the instance. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The one error class of Floxy. Tell errors apart by {@link FloxyError.code}, never by message. */
export class FloxyError extends Error {
  override readonly name = "FloxyError";
  readonly problems: readonly Problem[];
  readonly data: Readonly<Record<string, unknown>>;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.problems = details.problems ?? [];
    this.data = details.data ?? {};
  }

  /** Whether the same call may succeed later. */
  get kind(): ErrorKind {
    return errorCodes[this.code].kind;
  }

  /** The HTTP status that fits. */
  get httpStatus(): number {
    return errorCodes[this.code].http;
  }

  /** The anchor of this code in `docs/errors.md`. */
  get docs(): string {
    return `docs/errors.md#${this.code.toLowerCase()}`;
  }
}

/** Whether `error` is a {@link FloxyError}, with this code if one is given. */
export const isFloxyError = (error: unknown, code?: ErrorCode): error is FloxyError =>
  error instanceof FloxyError && (code === undefined || error.code === code);

/** How a failure is kept with its step: plain data, safe to store and to show. */
export interface StepError {
  readonly code: ErrorCode;
  readonly message: string;
  /** The name of the class that was thrown, when it was not Floxy's own. */
  readonly name?: string;
  /** The stack, cut to a bounded length. */
  readonly stack?: string;
}
