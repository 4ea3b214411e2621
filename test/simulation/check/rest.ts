/** Whether an instance may rest as it does: it has ended and left nothing behind, or it waits for something that exists. */
import type { Facts } from "../stage/stage.ts";
import type { Account } from "./account.ts";
import { isToUndo } from "./account.ts";
import { isBeforeBoundary } from "./undo.ts";

const terminal: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "aborted"]);

/** Whether nothing of an instance is to come. */
export const hasEnded = ({ status }: Facts): boolean => terminal.has(status);

/** What must hold of an instance at every moment. */
export const checkMoment = (account: Account, facts: Facts): string[] => {
  const { status, queue, deadLetters, timers, notes } = facts;
  const wrong: string[] = [];
  if (hasEnded(facts)) {
    if (queue.size > 0) wrong.push(`it is ${status}, and ${[...queue.keys()].join(", ")} is queued`);
    if (deadLetters.size > 0) wrong.push(`it is ${status}, and has dead letters`);
    if (timers.size > 0) wrong.push(`it is ${status}, and has timers`);
    return [...wrong, ...checkUndone(account, facts)];
  }
  if (status === "dlq") {
    if (deadLetters.size === 0) wrong.push("it is dlq without a dead letter");
    if (queue.size > 0) wrong.push(`it is dlq, and ${[...queue.keys()].join(", ")} is queued`);
  }
  for (const [name, { lane }] of queue) {
    const isLeased = queue.get(name)?.state === "leased";
    if (lane === "forward" && status !== "running" && !isLeased) wrong.push(`${name} is queued, and it is ${status}`);
  }
  for (const { node, dueAt } of facts.steps.values()) {
    if (dueAt !== null && isWaiting(facts, node) && !timers.has(node) && notes.length === 0 && status === "running") {
      wrong.push(`${node} waits for a time, and nobody will look then`);
    }
  }
  return wrong;
};

const isWaiting = ({ steps }: Facts, node: string): boolean => {
  const status = steps.get(node)?.status;
  return status === "waiting" || status === "waiting_decision";
};

// All that was started after the boundary is undone, or was never there, or somebody has said that it need not be.
const checkUndone = (account: Account, facts: Facts): string[] => {
  const { status } = facts;
  if (status !== "failed" && status !== "cancelled") return [];
  const wrong: string[] = [];
  for (const [name, node] of account.nodes) {
    if (isBeforeBoundary(account, facts, name)) continue;
    if (isToUndo(account, name)) wrong.push(`it is ${status}, and ${name} is not undone`);
    const row = facts.steps.get(name);
    if (row === undefined) continue;
    if (row.status !== "rolled_back" && row.status !== "failed" && row.status !== "skipped") {
      wrong.push(`it is ${status}, and ${name} is ${row.status}`);
    }
    const isKnown = row.outcome === "absent" || account.order.tasks.get(name)?.compensateOn === "completed";
    if (row.status === "failed" && !isKnown)
      wrong.push(`it is ${status}, and ${name} is failed with outcome ${row.outcome}`);
    if (row.outcome === "absent" && node.hasEffects) wrong.push(`${name} is absent, and may have had effects`);
  }
  return wrong;
};

/** What is wrong with an instance that nothing moves any more: it must have ended, or wait for people or for signals. */
export const checkRest = ({ order }: Account, facts: Facts): string[] => {
  const { status, queue, notes, timers, steps, deadLetters } = facts;
  const wrong: string[] = [];
  if (notes.length > 0) wrong.push("there are notes of it");
  if (hasEnded(facts) || (status === "dlq" && deadLetters.size > 0)) return wrong;
  if (queue.size > 0) wrong.push(`${[...queue.keys()].join(", ")} is queued, and nobody takes it`);
  if (timers.size > 0) wrong.push("it has timers that are long over");
  const waits = [...steps.values()].flatMap((step) => {
    const node = order.nodes.get(step.node);
    if (step.status === "waiting_decision") return [`decision ${step.node}`];
    if (step.status !== "waiting" || node?.kind !== "signal") return [];
    const name = node.signal ?? node.name;
    const kept = facts.signals.some((signal) => signal.name === name && signal.node === null);
    if (kept) wrong.push(`${step.node} waits for a signal that is there`);
    return [`signal ${step.node}`];
  });
  if (status !== "running" || waits.length === 0) wrong.push(`it is ${status}, and waits for nothing that exists`);
  return wrong;
};
