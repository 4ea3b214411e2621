/**
 * The checkers of a run: each reads the definition, the log and where the run has ended, and answers what is wrong, one
 * sentence each. They share no code with the core.
 */
import type { Json } from "../../vocabulary/json.ts";
import type { InstanceStatus, StepStatus } from "../../vocabulary/status.ts";
import { instanceTransitions, stepTransitions, terminalStatuses } from "../../vocabulary/status.ts";
import type { LogEntry } from "./log.ts";
import type { Foretold, Order } from "./oracle.ts";
import { foretell, orderOf } from "./oracle.ts";
import type { Sample } from "./random-definition.ts";
import { wrongWithRollback } from "./rollback-checks.ts";

/** What is looked at when a run is over. */
export interface Told {
  readonly log: readonly LogEntry[];
  readonly status: InstanceStatus;
  readonly output: Json | undefined;
  readonly steps: ReadonlyMap<
    string,
    { readonly status: StepStatus; readonly side: string | null; readonly output?: Json | undefined }
  >;
  readonly queue: ReadonlyMap<string, unknown>;
}

/** A run with what is known of it beforehand. */
interface Case {
  readonly told: Told;
  readonly order: Order;
  readonly foretold: { readonly nodes: ReadonlyMap<string, Foretold>; readonly output: Json | undefined };
}

/** Everything that is wrong with a run that has come to its end. */
export const wrongWith = (sample: Sample, told: Told): string[] => {
  const outputs = new Map<string, Json>();
  const order = orderOf(sample.definition);
  for (const [name, { output }] of told.steps) {
    if (output !== undefined && order.nodes.get(name)?.kind === "task") outputs.set(name, output);
  }
  const known: Case = { told, order, foretold: foretell(sample, outputs) };
  return checks.flatMap((check) => check(known));
};

const hasEnded = ({ told: { status, queue } }: Case): string[] => [
  ...complainIf(!terminalStatuses.some((terminal) => terminal === status), `it stands still as ${status}`),
  ...complainIf(queue.size > 0, "it has ended and something is still queued"),
];

const goesOnlyAllowedWays = ({ told: { log } }: Case): string[] =>
  log.flatMap((entry) => {
    if (entry.type === "instance") {
      const allowed: readonly string[] = instanceTransitions[entry.from];
      return complainIf(!allowed.includes(entry.to), `the instance went from ${entry.from} to ${entry.to}`);
    }
    if (entry.type !== "step" || entry.from === null) return [];
    const allowed: readonly string[] = stepTransitions[entry.from];
    return complainIf(!allowed.includes(entry.to), `${entry.node} went from ${entry.from} to ${entry.to}`);
  });

const restsAfterReview = ({ told: { log } }: Case): string[] =>
  log.flatMap((entry) => (entry.type === "restless" ? [`a second review said more: ${entry.decision}`] : []));

const firesEachJoinOnce = ({ told: { log }, order }: Case): string[] =>
  [...order.nodes.values()].flatMap(({ name, kind }) => {
    const fired = log.filter(
      (entry) => entry.type === "step" && entry.node === name && entry.to === "completed",
    ).length;
    return complainIf(kind === "fork" && fired > 1, `the join of ${name} fired ${fired} times`);
  });

const givesTheRightValues = ({ told: { log, steps }, order, foretold: { nodes } }: Case): string[] => [
  ...log.flatMap((entry) => {
    if (entry.type !== "leased" || entry.lane !== "forward") return [];
    const node = order.nodes.get(entry.node);
    const mapped = node?.kind === "task" ? /steps\.(\w+)/.exec(JSON.stringify(node.input ?? null))?.[1] : undefined;
    const right = mapped === undefined ? nodes.get(entry.node)?.passed : nodes.get(mapped)?.value;
    return complainIf(!same(entry.input, right), `${entry.node} got ${text(entry.input)} and not ${text(right)}`);
  }),
  ...[...steps].flatMap(([name, { side }]) => {
    const right = nodes.get(name)?.side ?? null;
    return complainIf(side !== right, `${name} took the side ${side} and not ${right}`);
  }),
];

const completesAll = ({ told: { status, steps, output }, order, foretold }: Case): string[] => {
  if (status !== "completed") return [];
  return [
    ...complainIf(!same(output, foretold.output), `its output is ${text(output)} and not ${text(foretold.output)}`),
    ...[...order.nodes.keys()].flatMap((name) => {
      const right = foretold.nodes.has(name) ? "completed" : undefined;
      const actual = steps.get(name)?.status;
      return complainIf(actual !== right, `it has completed, and ${name} is ${actual} and not ${right}`);
    }),
  ];
};

const keepsToItsAttempts = ({ told: { log }, order }: Case): string[] =>
  [...order.nodes.values()].flatMap((node) => {
    if (node.kind !== "task") return [];
    const calls = { forward: 0, compensation: 0 };
    let asked = 1;
    for (const entry of log) {
      if (!("node" in entry) || entry.node !== node.name) continue;
      if (entry.type === "settled" && (entry.completed || entry.called)) calls[entry.lane]++;
      if (entry.type === "person" && entry.act === "retry") asked++;
    }
    const forward = node.idempotent === false ? 1 : (node.retry?.maxAttempts ?? 3);
    const compensation = (node.compensation?.retry?.maxAttempts ?? 10) * asked;
    return [
      ...complainIf(calls.forward > forward, `${node.name} was called ${calls.forward} times`),
      ...complainIf(calls.compensation > compensation, `${node.name} was undone in ${calls.compensation} calls`),
    ];
  });

const complainIf = (wrong: boolean, complaint: string): string[] => (wrong ? [complaint] : []);
const text = (value: unknown): string => JSON.stringify(value) ?? "nothing";
const same = (one: unknown, other: unknown): boolean => text(sorted(one)) === text(sorted(other));
const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null
    ? Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, member]) => [key, sorted(member)])
    : value;

const checks = [
  hasEnded,
  goesOnlyAllowedWays,
  restsAfterReview,
  firesEachJoinOnce,
  givesTheRightValues,
  completesAll,
  keepsToItsAttempts,
  ({ told: { log, status }, order }: Case) => wrongWithRollback(log, order, status),
];
