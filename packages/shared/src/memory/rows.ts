/** The rows of the tables, column by column as in `store/migrations`. Times are milliseconds, JSON is its text. */
import type { Side } from "../definition/graph.ts";
import type { Act } from "../vocabulary/act.ts";
import type { EventType } from "../vocabulary/event.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import type { InstanceStatus, Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";

/** A row of `definition`. */
export interface StoredDefinition {
  readonly name: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly body: string;
  readonly createdAt: number;
  readonly deprecatedAt: number | null;
}

/** A row of `instance`. */
export interface StoredInstance {
  readonly instanceId: string;
  readonly definitionName: string;
  readonly definitionVersion: number;
  readonly status: InstanceStatus;
  readonly epoch: number;
  readonly run: number;
  readonly priority: number;
  readonly input: string;
  readonly outputFrom: string | null;
  readonly metadata: string;
  readonly idempotencyKey: string | null;
  readonly cause: string | null;
  readonly boundary: string | null;
  readonly pausedFrom: InstanceStatus | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
  readonly deadlineAt: number | null;
}

/** A row of `step`. */
export interface StoredStep {
  readonly instanceId: string;
  readonly node: string;
  readonly status: StepStatus;
  readonly outcome: Outcome | null;
  readonly side: Side | null;
  readonly attempt: number;
  readonly compensationAttempt: number;
  readonly inputFrom: string | null;
  readonly output: string | null;
  readonly error: string | null;
  readonly compensationError: string | null;
  readonly token: number | null;
  readonly workerId: string | null;
  readonly startedAt: number | null;
  readonly finishedAt: number;
  /** Which verb finished it: tells apart what has happened in one millisecond. */
  readonly finishedIn: number;
  readonly run: number;
  readonly dueAt: number | null;
  readonly winners: string | null;
  readonly input: string | null;
}

/** A row of `queue`. */
export interface StoredQueued {
  readonly instanceId: string;
  readonly node: string;
  readonly lane: Lane;
  readonly handler: string;
  readonly state: QueueState;
  readonly priority: number;
  readonly key: number;
  readonly readyAt: number;
  readonly epoch: number;
  readonly run: number;
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly inputFrom: string | null;
  readonly input: string | null;
  readonly transactional: boolean;
  readonly uncertain: boolean;
  readonly fork: string | null;
  readonly chain: string | null;
  readonly token: number | null;
  readonly lastToken: number | null;
  readonly leasedAt: number | null;
  readonly leaseUntil: number | null;
  readonly workerId: string | null;
}

/** A row of `inbox`. */
export interface StoredNote {
  readonly inboxId: number;
  readonly instanceId: string;
  readonly visibleAt: number;
  readonly attempt: number;
  readonly error: string | null;
}

/** A row of `timer`. */
export interface StoredTimer {
  readonly instanceId: string;
  /** Empty for the deadline of the instance. */
  readonly node: string;
  readonly dueAt: number;
}

/** A row of `dead_letter`. */
export interface StoredDeadLetter {
  readonly instanceId: string;
  readonly node: string;
  readonly kind: Lane;
  readonly error: string;
  readonly attempt: number;
  readonly handler: string | null;
  readonly createdAt: number;
}

/** A row of `event`. */
export interface StoredEvent {
  readonly eventId: number;
  readonly instanceId: string;
  readonly type: EventType;
  readonly node: string | null;
  readonly attempt: number | null;
  readonly workerId: string | null;
  readonly data: JsonObject | null;
  readonly createdAt: number;
}

/** A row of `vote`. */
export interface StoredVote {
  readonly instanceId: string;
  readonly node: string;
  readonly voter: string;
  readonly kind: "confirm" | "reject";
  readonly comment: string | null;
  readonly form: string | null;
  readonly createdAt: number;
  /** Counts the votes, for those of one millisecond. */
  readonly position: number;
}

/** A row of `signal`. */
export interface StoredSignal {
  readonly signalId: string;
  readonly instanceId: string;
  readonly name: string;
  readonly payload: string;
  readonly sentBy: string | null;
  /** The node that has taken it. */
  readonly node: string | null;
  readonly position: number;
  readonly createdAt: number;
}

/** A row of `audit`. */
export interface StoredAudit {
  readonly auditId: number;
  readonly actId: string | null;
  readonly act: Act;
  readonly instanceId: string | null;
  readonly node: string | null;
  readonly definitionName: string | null;
  readonly definitionVersion: number | null;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly data: string | null;
  readonly createdAt: number;
}

/** A row of `pause`. */
export interface StoredPause {
  readonly definitionName: string;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly createdAt: number;
}
