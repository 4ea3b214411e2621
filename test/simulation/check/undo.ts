/** Whether a compensation may begin now: everything that ran after its step is undone, or was never there. */
import type { Facts } from "../stage/stage.ts";
import type { Account } from "./account.ts";
import { isToUndo, nodeOf } from "./account.ts";
import type { Around } from "./order.ts";

/** What is wrong with the beginning of a compensation. */
export const checkUndo = (account: Account, step: { readonly after: Facts }, name: string): string[] => {
  const { order, status, nodes } = account;
  const { after } = step;
  const node = nodeOf(account, name);
  const task = order.tasks.get(name);
  const wrong: string[] = [];
  const isGoingBack = status === "rolling_back" || status === "cancelling";
  if (node.undone) wrong.push(`${name} is undone twice`);
  if (!node.hasEffects) wrong.push(`${name} is undone, and it has had no effects`);
  if (task?.compensateOn === "completed" && !node.completed) wrong.push(`${name} is undone, and it did not complete`);
  const lost = branchLost(account, after, name);
  if (!isGoingBack && lost === undefined) wrong.push(`${name} is undone while the instance is ${status}`);
  if (isGoingBack && isBeforeBoundary(account, after, name) && lost === undefined) {
    wrong.push(`${name} is undone, and it comes before the savepoint ${after.boundary}`);
  }
  for (const [other, later] of nodes) {
    if (other === name || !order.isAfter(other, name)) continue;
    // Nothing that comes after a join has come from a branch that has lost it.
    if (lost !== undefined && !isWithin(account, other, lost)) continue;
    if (later.lease?.lane === "forward") wrong.push(`${name} is undone while ${other}, which comes after it, runs`);
    if (isToUndo(account, other)) wrong.push(`${name} is undone before ${other}, which comes after it`);
  }
  if (order.definition.compensate === "sequential") {
    wrong.push(...checkSequence(account, after, name, lost !== undefined));
  }
  return wrong;
};

// One at a time, and the one that was settled last first; but one that has lost may have been queued before the rollback.
const checkSequence = (account: Account, after: Facts, name: string, hasLost: boolean): string[] => {
  const wrong: string[] = [];
  const own = nodeOf(account, name).settledIn;
  for (const [other, { settledIn, lease }] of account.nodes) {
    if (other === name) continue;
    if (lease?.lane === "compensation") wrong.push(`${name} is undone while ${other} is`);
    // The causal order goes before: a loser may have ended after what came after its join.
    const isFree = !hasLost && !account.order.isAfter(name, other);
    const isConcerned = account.status !== "running" && isFree && !isBeforeBoundary(account, after, other);
    if (isConcerned && settledIn > own && isToUndo(account, other) && !isSameMoment(account, name, other)) {
      wrong.push(`${name} is undone before ${other}, which ended later`);
    }
  }
  return wrong;
};

// What was settled in one statement has no order.
const isSameMoment = (account: Account, one: string, other: string): boolean =>
  account.moments.get(one) === account.moments.get(other);

/** Whether a node stands before the savepoint at which a rollback stops. */
export const isBeforeBoundary = ({ order, status }: Account, { boundary }: Facts, name: string): boolean =>
  status !== "cancelling" && status !== "cancelled" && boundary !== null && !order.isAfter(name, boundary);

// The outermost branch around a node that has lost a join whose losers are undone at once.
const branchLost = ({ order }: Account, facts: Facts, name: string): Around | undefined =>
  order.around(name).find(({ fork, branch }) => {
    const row = facts.steps.get(fork.name);
    return fork.losers === "compensate" && row?.status === "completed" && row.winners?.includes(branch) === false;
  });

const isWithin = ({ order }: Account, name: string, { fork, branch }: Around): boolean =>
  order.around(name).some((around) => around.fork === fork && around.branch === branch);
