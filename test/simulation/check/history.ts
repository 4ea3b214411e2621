/**
 * Follows the history of an instance, event by event: every status must follow from the one before by the tables of the
 * vocabulary, leases must begin and end one at a time, calls must be counted, and what must be undone is kept account of.
 */
import type { Json } from "@floxy/shared";
import { instanceTransitions, stepTransitions } from "@floxy/shared";
import type { EventFact, Facts } from "../stage/stage.ts";
import type { Account, NodeAccount } from "./account.ts";
import { isToUndo, mostCalls, nodeOf } from "./account.ts";
import { checkUndo } from "./undo.ts";

/** What somebody did to a lease just now, as they were told. */
export interface LeaseEnd {
  readonly node: string;
  readonly token: number;
  readonly what: "completed" | "failed" | "released";
  /** Whether the attempt cannot have had effects. */
  readonly harmless: boolean;
  /** What the handler answered. */
  readonly output: Json | undefined;
}

/** What is known of the step that was just made, beside the database. */
export interface Step {
  readonly before: Facts | undefined;
  readonly after: Facts;
  /** The leases that were ended. */
  readonly ends: readonly LeaseEnd[];
  /** Whether a worker calls a handler in a transaction of Floxy's database. */
  isTransactional(workerId: string | null, handler: unknown): boolean;
  readonly now: number;
}

/** Reads the new events into the account; answers what is wrong with them. */
export const followHistory = (account: Account, step: Step): string[] => {
  const wrong: string[] = [];
  account.moment++;
  for (const event of step.after.events) {
    wrong.push(...enterInstance(account, step, event));
    if (event.node !== null) wrong.push(...enterNode(account, step, event, event.node));
    account.cursor = event.eventId;
  }
  if (account.status !== step.after.status) {
    wrong.push(`its history says ${account.status}, and its row ${step.after.status}`);
    account.status = step.after.status;
  }
  return [...wrong, ...compareRows(account, step.after)];
};

const instanceStatusOf: Readonly<Record<string, string>> = {
  "instance.completed": "completed",
  "instance.rolling_back": "rolling_back",
  "instance.failed": "failed",
  "instance.cancelling": "cancelling",
  "instance.cancelled": "cancelled",
  "instance.aborted": "aborted",
  "instance.dead_lettered": "dlq",
  "instance.resumed": "running",
};

const leavesDlq: ReadonlySet<string> = new Set(["step.requeued", "step.resolved", "compensation.skipped"]);

const enterInstance = (account: Account, { before }: Step, { type, data }: EventFact): string[] => {
  const from = account.status;
  const isLeaving = from === "dlq" && leavesDlq.has(type);
  const to = isLeaving ? (before?.pausedFrom ?? "running") : instanceStatusOf[type];
  if (to === undefined) return [];
  account.status = to;
  const wrong = type === "instance.resumed" ? restart(account, data?.savepoint) : [];
  if (from === to) return wrong;
  const allowed: readonly string[] = instanceTransitions[from as keyof typeof instanceTransitions];
  return allowed.includes(to) ? wrong : [...wrong, `it went from ${from} to ${to}`];
};

// What comes after the savepoint has never been, and must not be any more.
const restart = (account: Account, savepoint: unknown): string[] => {
  const wrong: string[] = [];
  account.restarts++;
  for (const [name, node] of account.nodes) {
    if (typeof savepoint === "string" && !account.order.isAfter(name, savepoint)) continue;
    if (isToUndo(account, name)) wrong.push(`it starts again, and ${name} is not undone`);
    if (node.lease !== undefined) wrong.push(`it starts again, and ${name} is leased`);
    account.nodes.delete(name);
    account.told.outputs.delete(name);
    account.told.sides.delete(name);
  }
  return wrong;
};

const statusOf: Readonly<Record<string, string>> = {
  "step.completed": "completed",
  "step.adopted": "completed",
  "step.failed": "failed",
  "step.skipped": "skipped",
  "step.confirmed": "confirmed",
  "step.rejected": "rejected",
  "step.rolled_back": "rolled_back",
  "step.dead_lettered": "paused",
  "compensation.queued": "compensating",
  "compensation.failed": "paused",
  "compensation.skipped": "skipped",
};

const enterNode = (account: Account, step: Step, event: EventFact, name: string): string[] => {
  const node = nodeOf(account, name);
  const kind = account.order.nodes.get(name)?.kind;
  const wrong: string[] = [];
  switch (event.type) {
    case "step.leased":
      return begin(account, step, event, name);
    case "step.requeued":
      if (step.before?.deadLetters.get(name) === "compensation") {
        node.calls.compensation = 0;
        return move(node, name, "compensating");
      }
      node.calls.forward = 0;
      if (kind === "task") return move(node, name, "pending");
      node.status = undefined;
      return [];
    case "compensation.skipped":
      node.excused = true;
      break;
    case "step.waiting":
      return move(node, name, kind === "human" ? "waiting_decision" : "waiting");
    default:
  }
  const isEnd = endsLease.has(event.type) || (endsLiveLease.has(event.type) && node.lease !== undefined);
  if (kind === "task" && isEnd) wrong.push(...end(account, step, event, name));
  // One that waited for another attempt has come to its end only now.
  else if (kind === "task" && event.type === "step.failed" && node.status === "pending") settle(account, name);
  if (event.type === "step.completed" && kind === "fork") {
    node.fired++;
    if (node.fired > 1) wrong.push(`the join of ${name} fired ${node.fired} times`);
  }
  const to = isBack(event) ? (lane(event, node) === "forward" ? "pending" : "compensating") : statusOf[event.type];
  if (to !== undefined) wrong.push(...move(node, name, to));
  // How a lease that was lost, or was given back too late, counts is seen from the row.
  else if (event.type === "lease.expired" || event.type === "step.released") {
    wrong.push(...move(node, name, step.after.steps.get(name)?.status ?? "failed"));
  }
  return wrong;
};

/** Events by which a lease ends, if there is one. */
const endsLiveLease: ReadonlySet<string> = new Set([
  "step.completed",
  "step.failed",
  "step.dead_lettered",
  "step.rolled_back",
]);

/** Events by which a lease ends. */
const endsLease: ReadonlySet<string> = new Set([
  "step.adopted",
  "step.retried",
  "step.released",
  "lease.expired",
  "compensation.retried",
  "compensation.failed",
]);

// An attempt that ended and is followed by another.
const isBack = ({ type, data }: EventFact): boolean =>
  type === "step.retried" ||
  type === "compensation.retried" ||
  ((type === "lease.expired" || type === "step.released") && data?.delayMs !== undefined);

const lane = ({ type }: EventFact, { status }: NodeAccount): string =>
  type.startsWith("compensation") || status === "compensating" ? "compensation" : "forward";

const begin = (account: Account, step: Step, event: EventFact, name: string): string[] => {
  const node = nodeOf(account, name);
  const task = account.order.tasks.get(name);
  const queued = step.after.queue.get(name);
  const inLane = event.data?.lane === "compensation" ? "compensation" : "forward";
  const token = queued?.token ?? 0;
  const wrong: string[] = [];
  if (node.lease !== undefined) wrong.push(`${name} is leased twice at a time`);
  if (token <= (account.tokens.get(name) ?? 0)) wrong.push(`the token of ${name} did not grow`);
  if (step.before !== undefined && step.before.queue.get(name)?.state !== "ready") {
    wrong.push(`${name} was leased while it was ${step.before.queue.get(name)?.state}`);
  }
  account.tokens.set(name, token);
  node.lease = { token, lane: inLane, transactional: step.isTransactional(event.workerId, event.data?.handler) };
  node.calls[inLane]++;
  const most = task === undefined ? 0 : mostCalls(task, inLane);
  if (node.calls[inLane] > most)
    wrong.push(`${name} is called ${node.calls[inLane]} times ${inLane}, and ${most} is the most`);
  if (event.attempt !== node.calls[inLane])
    wrong.push(`call ${node.calls[inLane]} of ${name} is attempt ${event.attempt}`);
  if (inLane === "compensation") return [...wrong, ...checkUndo(account, step, name)];
  const { status } = account;
  if (status !== "running") wrong.push(`${name} is called forward, and the instance is ${status}`);
  return [...wrong, ...move(node, name, "running")];
};

const end = (account: Account, step: Step, event: EventFact, name: string): string[] => {
  const node = nodeOf(account, name);
  const { lease } = node;
  if (lease === undefined) return [`${event.type} of ${name}, which is not leased`];
  const wrong: string[] = [];
  node.lease = undefined;
  const ended = step.ends.find((one) => one.node === name && one.token === lease.token);
  if (event.type === "lease.expired") {
    const until = step.before?.queue.get(name)?.leaseUntil ?? 0;
    if (until > step.now) wrong.push(`${name} was taken over ${until - step.now} ms before its lease expired`);
  } else if (step.after.status !== "aborted" && ended === undefined) {
    wrong.push(`${event.type} of ${name}, and nobody has settled it`);
  }
  if (event.type !== "lease.expired" && ended !== undefined) account.settled.add(lease.token);
  const completed =
    event.type === "step.completed" || event.type === "step.adopted" || event.type === "step.rolled_back";
  if (ended !== undefined && completed !== (ended.what === "completed")) {
    wrong.push(`${name} was settled as ${ended.what} and is told as ${event.type}`);
  }
  if (event.type === "step.released") node.calls[lease.lane]--;
  if (lease.lane === "compensation") {
    if (completed) node.undone = true;
    return wrong;
  }
  settle(account, name);
  if (completed) {
    node.completed = true;
    account.completed.add(`${name} ${step.after.steps.get(name)?.run}`);
    account.told.outputs.set(name, ended?.output ?? null);
  }
  if (!lease.transactional && ended?.harmless !== true) node.hasEffects = true;
  if (completed) node.hasEffects = true;
  return wrong;
};

const settle = (account: Account, name: string): void => {
  nodeOf(account, name).settledIn = ++account.clock;
  account.moments.set(name, account.moment);
};

const move = (node: NodeAccount, name: string, to: string): string[] => {
  const from = node.status ?? "pending";
  const isFirst = node.status === undefined;
  node.status = to;
  if (from === to || isFirst) return [];
  const allowed: readonly string[] = stepTransitions[from as keyof typeof stepTransitions];
  return allowed.includes(to) ? [] : [`${name} went from ${from} to ${to}`];
};

const compareRows = (account: Account, { steps, queue, status }: Facts): string[] => {
  const wrong: string[] = [];
  for (const { node, state } of queue.values()) {
    const isKnown = state !== "leased" || account.nodes.get(node)?.lease !== undefined;
    if (!isKnown) wrong.push(`${node} is leased without a trace`);
  }
  for (const [name, node] of account.nodes) {
    const queued = queue.get(name);
    const row = steps.get(name)?.status;
    const place = queued?.lane === "forward" ? (queued.state === "leased" ? "running" : "pending") : row;
    // That a join waits for a dead letter in one of its branches is not told apart.
    const isJoinPaused = place === "paused" || (node.status === "paused" && place === "waiting");
    if (isJoinPaused && account.order.nodes.get(name)?.kind === "fork") node.status = place;
    if (node.status !== undefined && place !== undefined && place !== node.status) {
      wrong.push(`the history of ${name} says ${node.status}, and its row ${place}`);
      node.status = place;
    }
    const isLeased = queued?.state === "leased";
    if (node.lease !== undefined && (!isLeased || queued.token !== node.lease.token)) {
      if (status !== "aborted") wrong.push(`the lease of ${name} has gone without a trace`);
      node.lease = undefined;
    }
    if (queued !== undefined && row !== undefined && queued.lane === "forward")
      wrong.push(`${name} is queued and settled`);
  }
  return wrong;
};
