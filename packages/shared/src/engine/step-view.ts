/** A step as a person sees it: what became of it, what it waits for, and what a person can do about it. */
import { decidersOf, isEscalated } from "../core/human.ts";
import { retryPolicyOf } from "../core/retry.ts";
import { signalNameOf } from "../core/waits.ts";
import type { GraphNode, HumanNode, Side } from "../definition/graph.ts";
import type { QueueRow, SnapshotDeadLetter, SnapshotVote, StepRow } from "../store/step.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import type { InstanceStatus, Lane, Outcome, QueueState, StepStatus } from "../vocabulary/status.ts";

/** One step of an instance. */
export interface StepView {
  /** The name of its node. */
  readonly step: string;
  readonly kind: GraphNode["kind"];
  readonly handler: string | null;
  readonly status: StepStatus;
  readonly outcome: Outcome | null;
  /** The side that a condition took. */
  readonly side: Side | null;
  /** Of a join that fired: the branches that had arrived. */
  readonly winners: readonly string[] | null;
  /** The run in which it was reached last; 0 is the first. */
  readonly run: number;
  /** How many handler calls have begun; of a savepoint, how often the flow was led back to it. */
  readonly attempt: number;
  readonly maxAttempts: number | null;
  readonly compensationAttempt: number;
  /** Of a step that waits for a person: what is to be decided on, or what the handler was called with. */
  readonly input: Json | undefined;
  readonly output: Json | undefined;
  readonly error: StepError | null;
  readonly compensationError: StepError | null;
  /** The worker that runs it or ran it last. */
  readonly workerId: string | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** When it can run, if it waits in the queue. */
  readonly readyAt: Date | null;
  /** What it waits for in the queue; `held` while its definition is paused. */
  readonly queueState: QueueState | null;
  /** Until when it waits, if it waits for a time, or for a decision or a signal with a deadline. */
  readonly dueAt: Date | null;
  /** The name of the signal that a signal node waits for. */
  readonly signal: string | null;
  /** Of a human node that was reached: how the decision stands. */
  readonly decision: DecisionView | null;
  /** Why it waits for a person. */
  readonly deadLetter: DeadLetterView | null;
}

/** How a decision stands. */
export interface DecisionView {
  /** Whether somebody can still vote. */
  readonly isOpen: boolean;
  /** Who may decide now; `null` when anyone may. */
  readonly deciders: readonly string[] | null;
  /** Whether its deadline has passed once, and others may decide since then. */
  readonly isEscalated: boolean;
  /** How many must confirm. */
  readonly approvals: number;
  /** The first to vote first. */
  readonly votes: readonly VoteView[];
}

/** A vote on a human node. */
export interface VoteView {
  readonly by: string;
  readonly kind: "confirm" | "reject";
  readonly comment: string | null;
  readonly form: Json | undefined;
  readonly at: Date;
}

/** The dead letter of a step. */
export interface DeadLetterView {
  /** What failed for good: the step itself, or its compensation. */
  readonly kind: Lane;
  readonly error: StepError;
  readonly attempt: number;
  readonly createdAt: Date;
}

/** What is stored of a step and around it. */
export interface StepRecords {
  readonly instance: InstanceStatus;
  readonly step: StepRow | undefined;
  readonly queued: QueueRow | undefined;
  readonly deadLetter: SnapshotDeadLetter | undefined;
  readonly votes: readonly SnapshotVote[];
  readonly input: Json | undefined;
}

/** Puts together what is known of a step. */
export const viewStep = (node: GraphNode, status: StepStatus, records: StepRecords): StepView => {
  const { step, queued, deadLetter } = records;
  const forward = queued?.lane === "forward" ? queued : undefined;
  const compensation = queued?.lane === "compensation" ? queued : undefined;
  const waits = forward === undefined && (status === "waiting" || status === "waiting_decision");
  return {
    step: node.name,
    kind: node.kind,
    handler: node.kind === "task" ? node.json.handler : null,
    status,
    outcome: step?.outcome ?? null,
    side: step?.side ?? null,
    winners: step?.winners ?? null,
    run: queued?.run ?? step?.run ?? 0,
    attempt: forward?.attempt ?? step?.attempt ?? 0,
    maxAttempts: node.kind === "task" ? retryPolicyOf(node.json, "forward").maxAttempts : null,
    compensationAttempt: compensation?.attempt ?? step?.compensationAttempt ?? 0,
    input: records.input,
    output: parseOptional(step?.output ?? null),
    error: step?.error ?? null,
    compensationError: step?.compensationError ?? null,
    workerId: queued?.workerId ?? step?.workerId ?? null,
    startedAt: forward?.leasedAt ?? step?.startedAt ?? null,
    // What waits has a row but has not finished.
    finishedAt: forward === undefined && !waits ? (step?.finishedAt ?? null) : null,
    readyAt: queued?.readyAt ?? null,
    queueState: queued?.state ?? null,
    dueAt: waits ? (step?.dueAt ?? null) : null,
    signal: node.kind === "signal" ? signalNameOf(node) : null,
    decision: node.kind === "human" && step !== undefined ? viewDecision(node, step, records) : null,
    deadLetter: deadLetter === undefined ? null : viewDeadLetter(deadLetter),
  };
};

const viewDecision = (node: HumanNode, step: StepRow, { instance, votes }: StepRecords): DecisionView => ({
  isOpen: instance === "running" && step.status === "waiting_decision",
  deciders: decidersOf(node, step) ?? null,
  isEscalated: isEscalated(step),
  approvals: node.json.approvals ?? 1,
  votes: votes.map(({ by, kind, comment, form, at }) => ({ by, kind, comment, form: parseOptional(form), at })),
});

const viewDeadLetter = ({ lane, error, attempt, createdAt }: SnapshotDeadLetter): DeadLetterView => ({
  kind: lane,
  error,
  attempt,
  createdAt,
});

const parseOptional = (text: string | null): Json | undefined =>
  text === null ? undefined : (JSON.parse(text) as Json);
