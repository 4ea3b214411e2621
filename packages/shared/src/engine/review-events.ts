/** The events that a decision about a whole instance is told by. */
import type { Decision, InstanceState } from "../core/model.ts";
import type { NewEvent } from "../store/event.ts";
import type { EventType } from "../vocabulary/event.ts";
import type { InstanceStatus, StepStatus } from "../vocabulary/status.ts";

const instanceEvents: Partial<Record<InstanceStatus, EventType>> = {
  completed: "instance.completed",
  failed: "instance.failed",
  cancelled: "instance.cancelled",
  aborted: "instance.aborted",
  dlq: "instance.dead_lettered",
};

const stepEvents: Partial<Record<StepStatus, EventType>> = {
  completed: "step.completed",
  confirmed: "step.confirmed",
  rejected: "step.rejected",
  waiting: "step.waiting",
  waiting_decision: "step.waiting",
  failed: "step.failed",
  skipped: "step.skipped",
  rolled_back: "step.rolled_back",
};

/** The events of a decision, in the order in which a person would tell them. */
export const eventsOf = (instanceId: string, decision: Decision, before: InstanceState): NewEvent[] => {
  const { instance, steps = [], records = [], enqueue = [], bury = [], escalate = [] } = decision;
  const event = (type: EventType | undefined, node: string | null, data: object | null): NewEvent[] =>
    type === undefined ? [] : [{ instanceId, type, node, data: data === null ? null : JSON.stringify(data) }];
  const ending = instance === undefined ? undefined : instanceEvents[instance.status];
  return [
    ...frozen(decision, before).flatMap(([type, data]) => event(type, null, data)),
    ...steps
      .filter(({ node }) => !escalate.includes(node))
      .flatMap(({ node, status, outcome, error }) =>
        event(stepEvents[status], node, outcome || error ? { outcome, error } : null),
      ),
    ...bury.flatMap(({ node, error }) => event("step.dead_lettered", node, { error })),
    ...escalate.flatMap((node) => event("decision.escalated", node, null)),
    ...(instance?.restart === true ? event("instance.resumed", null, { savepoint: before.boundary }) : []),
    ...records.flatMap(({ node, status, side, error, due }) =>
      event(
        status === "paused" ? "step.dead_lettered" : stepEvents[status],
        node,
        side !== null ? { side } : error !== null ? { error } : due,
      ),
    ),
    ...enqueue.flatMap(({ node, lane, handler }) =>
      event(lane === "compensation" ? "compensation.queued" : undefined, node, { handler }),
    ),
    ...event(ending, null, null),
  ];
};

// A freeze is told even when the rollback is over at once because nothing was to be undone.
const frozen = ({ instance }: Decision, { status }: InstanceState): [EventType, object][] => {
  if (instance?.freeze !== true || instance.status === "aborted" || status === "failed") return [];
  const cancelling = instance.status === "cancelling" || instance.status === "cancelled";
  if (!cancelling && status === "rolling_back") return [];
  return [[cancelling ? "instance.cancelling" : "instance.rolling_back", { cause: instance.cause }]];
};
