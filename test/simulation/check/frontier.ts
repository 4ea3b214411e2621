/** Whether an instance stands where its definition says: what was reached is there, nothing else is, and values are right. */
import type { Json } from "@floxy/shared";
import type { Facts } from "../stage/stage.ts";
import type { Account } from "./account.ts";
import { isStopped, nodeOf } from "./account.ts";
import type { Flow } from "./flow.ts";
import { followFlow, mapped, needOf, same, text } from "./flow.ts";

/** What is wrong with where an instance stands. `before` is how it was looked at last. */
export const checkFrontier = (account: Account, before: Facts | undefined, after: Facts): string[] => {
  const { status } = after;
  if (status !== "running" && status !== "completed") return [];
  const flow = followFlow(account.told, after);
  return [
    ...flow.wrong,
    ...checkReached(account, flow, after),
    ...checkJoins(account, flow, { before, after }),
    ...(status === "completed" ? checkEnd(account, flow, after) : checkGoesOn(flow, after)),
  ];
};

const checkReached = (account: Account, flow: Flow, after: Facts): string[] => {
  const wrong: string[] = [];
  for (const [name] of flow.nodes) {
    if (after.steps.has(name) || after.queue.has(name) || isStopped(account, after, name)) continue;
    wrong.push(`the flow has come to ${name}, and nothing of it is there`);
  }
  for (const name of [...after.steps.keys(), ...after.queue.keys()]) {
    if (!flow.nodes.has(name) && !isStopped(account, after, name))
      wrong.push(`${name} is there, and the flow has not come to it`);
  }
  return wrong;
};

const checkJoins = (
  account: Account,
  flow: Flow,
  { before, after }: { readonly before: Facts | undefined; readonly after: Facts },
): string[] => {
  const wrong: string[] = [];
  for (const [name, ways] of flow.branches) {
    const fork = account.order.nodes.get(name);
    if (isStopped(account, after, name)) continue;
    const row = after.steps.get(name);
    if (fork?.kind !== "fork" || row?.status !== "completed" || before?.steps.get(name)?.status === "completed")
      continue;
    const winners = row.winners ?? [];
    if (winners.length < needOf(fork)) wrong.push(`the join of ${name} fired with ${text(winners)}`);
    const value = Object.fromEntries(
      winners.map((winner): [string, Json] => {
        const way = ways.get(winner);
        if (way?.at !== "ended" && way?.at !== "early")
          wrong.push(`the join of ${name} counts ${winner}, which is ${way?.at}`);
        return [winner, way !== undefined && "value" in way ? way.value : null];
      }),
    );
    if (!same(value, row.output))
      wrong.push(`the join of ${name} gives ${text(row.output)}, and ${text(value)} is right`);
    if (fork.losers !== "wait") continue;
    for (const [branch, way] of ways) {
      if (!winners.includes(branch) && way.at !== "failed")
        wrong.push(`the join of ${name} did not wait for ${branch}`);
    }
  }
  return wrong;
};

const checkGoesOn = ({ whole }: Flow, after: Facts): string[] => {
  if (whole.at === "open" || after.notes.length > 0) return [];
  const isWaiting = after.queue.size > 0 || after.timers.size > 0;
  if (whole.at === "failed") return ["it has failed, and nobody will look"];
  // What is left of branches that have lost must come to its end first.
  return isWaiting ? [] : ["it has come to its end, and nobody will look"];
};

const checkEnd = (account: Account, { whole, nodes }: Flow, after: Facts): string[] => {
  if (whole.at !== "ended" && whole.at !== "early") return [`it is completed, and the flow is ${whole.at}`];
  const wrong: string[] = [];
  const output = after.outputFrom === null ? account.told.input : after.steps.get(after.outputFrom)?.output;
  if (!same(output, whole.value)) wrong.push(`its output is ${text(output)}, and ${text(whole.value)} is right`);
  for (const name of nodes.keys()) {
    const status = after.steps.get(name)?.status;
    if (status === "completed" || status === "confirmed" || status === "rejected") continue;
    if (!isStopped(account, after, name)) wrong.push(`it is completed, and ${name} is ${status}`);
  }
  return wrong;
};

/** What was leased, as the worker was told. */
export interface Given {
  readonly node: string;
  readonly lane: "forward" | "compensation";
  readonly input: { readonly value: Json } | { readonly error: unknown };
  /** JSON text. */
  readonly output: string | null;
  readonly outcome: string | null;
  readonly cause: unknown;
  readonly run: number;
}

/** What is wrong with what a handler gets. `before` is how the instance was before the step was leased. */
export const checkGiven = (account: Account, before: Facts, given: Given): string[] => {
  const { node: name, lane, input } = given;
  const node = nodeOf(account, name);
  const actual = "value" in input ? input.value : undefined;
  if (lane === "compensation") return checkUndoGiven(account, before, given, actual);
  const reached = followFlow(account.told, before);
  const passed = reached.nodes.get(name)?.passed;
  if (passed === undefined) return [`${name} is called, and the flow has not come to it`];
  const right = node.given === undefined ? mapped(account.told, reached.nodes, name, passed) : node.given.value;
  node.input = right === undefined ? undefined : { value: right };
  const hasOwn = account.sample.mappings.has(`~${name}`);
  node.undoInput = { value: hasOwn ? mapped(account.told, reached.nodes, `~${name}`, passed) : right };
  return same(actual, right) ? [] : [`${name} gets ${text(actual)}, and ${text(right)} is right`];
};

const checkUndoGiven = (account: Account, before: Facts, given: Given, actual: Json | undefined): string[] => {
  const { node: name, output, outcome, cause } = given;
  const node = nodeOf(account, name);
  const wrong: string[] = [];
  const right = node.undoGiven ?? node.undoInput;
  if (right !== undefined && !same(actual, right.value)) {
    wrong.push(`the compensation of ${name} gets ${text(actual)}, and ${text(right.value)} is right`);
  }
  const told = account.told.outputs.get(name);
  const made = output === null ? undefined : (JSON.parse(output) as Json);
  if (!same(made, told))
    wrong.push(`the compensation of ${name} gets output ${text(made)}, and ${text(told)} is right`);
  const known = node.completed ? "happened" : "unknown";
  if (outcome !== known) wrong.push(`the compensation of ${name} gets outcome ${outcome}, and ${known} is right`);
  if (!same(cause, before.cause)) wrong.push(`the compensation of ${name} gets cause ${text(cause)}`);
  return wrong;
};
