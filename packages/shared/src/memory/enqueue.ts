/** How a row enters the queue in memory. */
import type { Enqueue } from "../core/model.ts";
import type { StoredInstance } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { jsonText, priorityKey } from "./tables.ts";

/** Puts a step of an instance into the queue, in the instance's epoch and run; `input` is JSON text of a person. */
export const putQueued = (
  tables: Tables,
  { instanceId, epoch, run, priority: ownPriority }: StoredInstance,
  step: Enqueue & { readonly input?: string | null },
): void => {
  const { node, lane, handler, delayMs, timeoutMs, inputFrom } = step;
  const priority = step.priority ?? ownPriority;
  const readyAt = tables.clock.now + delayMs;
  const key = priorityKey(readyAt, priority, lane);
  const state = delayMs > 0 ? "delayed" : "ready";
  const input = jsonText(step.input ?? null);
  const row = {
    instanceId,
    node,
    lane,
    handler,
    state,
    priority,
    key,
    readyAt,
    epoch,
    run,
    timeoutMs,
    inputFrom,
    input,
    uncertain: step.uncertain ?? false,
    fork: step.fork,
    chain: step.chain === undefined ? null : JSON.stringify(step.chain),
  } as const;
  tables.queue.insert({ ...row, ...neverLeased });
};

const neverLeased = {
  attempt: 0,
  transactional: false,
  token: null,
  lastToken: null,
  leasedAt: null,
  leaseUntil: null,
  workerId: null,
} as const;
