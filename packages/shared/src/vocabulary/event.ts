/**
 * The names of the events that history is made of. An event is written in the transaction of the change that it tells.
 * Named `scope.verb` in the past tense.
 */
export const eventTypes = [
  "instance.started",
  "instance.completed",
  "instance.rolling_back",
  "instance.failed",
  "instance.cancelling",
  "instance.cancelled",
  "instance.aborted",
  "instance.dead_lettered",
  "instance.resumed",
  "instance.reprioritised",
  "step.leased",
  "step.completed",
  "step.adopted",
  "step.retried",
  "step.released",
  "step.failed",
  "step.skipped",
  "step.waiting",
  "step.rolled_back",
  "step.dead_lettered",
  "step.requeued",
  "step.resolved",
  "step.confirmed",
  "step.rejected",
  "decision.made",
  "decision.escalated",
  "signal.received",
  "step.refused",
  "lease.expired",
  "compensation.queued",
  "compensation.retried",
  "compensation.failed",
  "compensation.skipped",
] as const;

/** The name of an event. */
export type EventType = (typeof eventTypes)[number];
