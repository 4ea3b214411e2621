/** The events that a decision about a whole instance is told by. */
import type { Decision } from "../core/model.ts";
import type { NewEvent } from "../store/event.ts";
import type { EventType } from "../vocabulary/event.ts";
import type { InstanceStatus, StepStatus } from "../vocabulary/status.ts";

const instanceEvents: Partial<Record<InstanceStatus, EventType>> = {
  completed: "instance.completed",
  rolling_back: "instance.rolling_back",
  failed: "instance.failed",
  cancelling: "instance.cancelling",
  cancelled: "instance.cancelled",
  aborted: "instance.aborted",
  dlq: "instance.dead_lettered",
};

const stepEvents: Partial<Record<StepStatus, EventType>> = {
  completed: "step.completed",
  waiting: "step.waiting",
  failed: "step.failed",
  skipped: "step.skipped",
  rolled_back: "step.rolled_back",
};

/** The events of a decision, in the order in which a person would tell them. */
export const eventsOf = (instanceId: string, decision: Decision): NewEvent[] => {
  const { instance, steps, records, enqueue } = decision;
  const event = (type: EventType | undefined, node: string | null, data: object | null): NewEvent[] =>
    type === undefined ? [] : [{ instanceId, type, node, data: data === null ? null : JSON.stringify(data) }];
  // A freeze is told even when the rollback is over at once because nothing was to be undone.
  const frozen = instance?.freeze === true ? { cause: instance.cause, boundary: instance.boundary ?? null } : null;
  const started = frozen === null ? [] : event("instance.rolling_back", null, frozen);
  const status = instance?.status === "rolling_back" ? undefined : instance?.status;
  return [
    ...started,
    ...steps.flatMap(({ node, status, outcome }) => event(stepEvents[status], node, outcome ? { outcome } : null)),
    ...records.flatMap(({ node, status, side, error }) =>
      event(stepEvents[status], node, side !== null ? { side } : error !== null ? { error } : null),
    ),
    ...enqueue.flatMap(({ node, lane, handler }) =>
      event(lane === "compensation" ? "compensation.queued" : undefined, node, { handler }),
    ),
    ...(status === undefined ? [] : event(instanceEvents[status], null, null)),
  ];
};
