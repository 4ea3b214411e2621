/** Counts rare things by what the events of an instance say. */
import type { Account } from "../check/account.ts";
import type { EventFact, Facts } from "../stage/stage.ts";
import type { Coverage } from "./coverage.ts";

/** Counts what has newly happened to an instance. */
export const countRareThings = (
  coverage: Coverage,
  { order }: Account,
  before: Facts | undefined,
  { events, steps, queue, signals, status }: Facts,
): void => {
  if (events.length === 0) return;
  const types = new Set(events.map(({ type }) => type));
  for (const { type, node, data } of events) {
    switch (type) {
      case "step.adopted":
        coverage.count("adoption");
        break;
      case "compensation.failed":
        coverage.count("compensation failure");
        break;
      case "decision.escalated":
        coverage.count("escalation");
        break;
      case "instance.cancelling":
        if (before?.status === "rolling_back") coverage.count("cancel during rollback");
        break;
      case "instance.resumed":
        coverage.count(before?.status === "failed" ? "resume" : "savepoint retry");
        break;
      case "step.requeued":
        if (before?.deadLetters.get(node ?? "") === "forward") coverage.count("dlq requeue");
        break;
      case "instance.aborted":
        if (isRunning(before)) coverage.count("abort with running steps");
        break;
      case "signal.received":
        if (isKept(signals, data)) coverage.count("early signal");
        break;
      default:
    }
    countJoin(coverage, order.nodes.get(node ?? ""), type, steps.get(node ?? "")?.winners);
    if (isAbsent({ type, data }, queue.has(node ?? ""), steps.get(node ?? "")))
      coverage.count("transactional absent outcome");
  }
  if (types.has("instance.started")) coverage.count("instances");
  if (before?.status !== status) coverage.count(`became ${status}`);
};

const isRunning = (before: Facts | undefined): boolean =>
  [...(before?.queue.values() ?? [])].some(({ state }) => state === "leased");

const isKept = (signals: Facts["signals"], data: EventFact["data"]): boolean =>
  signals.some(({ signalId, node }) => signalId === data?.signalId && node === null);

const countJoin = (
  coverage: Coverage,
  node: ReturnType<Account["order"]["nodes"]["get"]>,
  type: string,
  winners: readonly string[] | null | undefined,
): void => {
  if (node?.kind !== "fork" || type !== "step.completed" || winners == null) return;
  if (winners.length === node.branches.length) return;
  const how = { cancel: "cancelled", compensate: "compensated", wait: "waited for" }[node.losers ?? "cancel"];
  coverage.count(`any-join with losers ${how}`);
};

// An attempt that was called, and has left nothing: only a transaction can do that.
const isAbsent = (
  { type, data }: Pick<EventFact, "type" | "data">,
  isQueued: boolean,
  step: Facts["steps"] extends ReadonlyMap<string, infer S> ? S | undefined : never,
): boolean =>
  (type === "step.failed" || type === "lease.expired") &&
  !isQueued &&
  data?.outcome === "absent" &&
  step?.error?.code === "HANDLER_FAILED";
