/**
 * What the checkers know of one instance: its definition, what the outside has told it, and an account of each node kept
 * from the history. The engine's rows are held against it.
 */
import type { Json, TaskJson } from "@floxy/shared";
import type { Sample } from "../definition/growth.ts";
import type { Facts } from "../stage/stage.ts";
import type { Told } from "./flow.ts";
import type { Order } from "./order.ts";

/** A lease that is live. */
export interface Lease {
  readonly token: number;
  readonly lane: "forward" | "compensation";
  /** Whether the handler is called in a transaction, so that an attempt that fails has no effects. */
  readonly transactional: boolean;
}

/** What is known of a node in its current way through the graph. */
export interface NodeAccount {
  /** Its status, as the history tells it; `undefined` while it has none. */
  status: string | undefined;
  /** Handler calls since the step was queued, or requeued by a person. */
  readonly calls: { forward: number; compensation: number };
  /** The lease that is live. */
  lease: Lease | undefined;
  /** Whether a call of it may have had effects that are not undone. */
  hasEffects: boolean;
  completed: boolean;
  /** When it was settled for good, as a count that grows. */
  settledIn: number;
  undone: boolean;
  /** Whether a person has said that it need not be undone. */
  excused: boolean;
  /** What its handler got, and what its compensation must get; `undefined` when that is not known. */
  input: { readonly value: Json } | undefined;
  undoInput: { readonly value: Json | undefined } | undefined;
  /** What a person gave it in place of its input, and its compensation. */
  given: { readonly value: Json } | undefined;
  undoGiven: { readonly value: Json } | undefined;
  /** How often the join has fired. */
  fired: number;
}

/** See the top of the file. */
export interface Account {
  readonly instanceId: string;
  readonly order: Order;
  readonly sample: Sample;
  readonly told: {
    input: Json;
    readonly sample: Sample;
    readonly outputs: Map<string, Json>;
    readonly replaced: Map<string, Json>;
    readonly sides: Map<string, "then" | "else">;
  } & Told;
  readonly nodes: Map<string, NodeAccount>;
  /** The last token of a lease of each node. */
  readonly tokens: Map<string, number>;
  /** The tokens under which something was written. */
  readonly settled: Set<number>;
  /** The nodes that have completed, each with its run. */
  readonly completed: Set<string>;
  /** When each node was settled, in steps of the simulation: what has one number was settled at one moment. */
  readonly moments: Map<string, number>;
  /** Counts the steps of the simulation. */
  moment: number;
  /** Its status, as the history tells it. */
  status: string;
  /** How often it was restarted. */
  restarts: number;
  /** Counts what was settled. */
  clock: number;
  /** The last event that was read. */
  cursor: number;
  /** As it was looked at last. */
  facts: Facts | undefined;
}

/** Opens an account. */
export const openAccount = (instanceId: string, order: Order, sample: Sample, input: Json): Account => ({
  instanceId,
  order,
  sample,
  told: { sample, input, outputs: new Map(), replaced: new Map(), sides: new Map() },
  nodes: new Map(),
  tokens: new Map(),
  settled: new Set(),
  completed: new Set(),
  moments: new Map(),
  moment: 0,
  status: "running",
  restarts: 0,
  clock: 0,
  cursor: 0,
  facts: undefined,
});

/** The account of a node. */
export const nodeOf = (account: Account, name: string): NodeAccount => {
  const node = account.nodes.get(name) ?? emptyNode();
  account.nodes.set(name, node);
  return node;
};

const emptyNode = (): NodeAccount => ({
  status: undefined,
  calls: { forward: 0, compensation: 0 },
  lease: undefined,
  hasEffects: false,
  completed: false,
  settledIn: 0,
  undone: false,
  excused: false,
  input: undefined,
  undoInput: undefined,
  given: undefined,
  undoGiven: undefined,
  fired: 0,
});

/** The most handler calls between one requeue and the next. */
export const mostCalls = (task: TaskJson, lane: "forward" | "compensation"): number => {
  if (lane === "compensation") return task.compensation?.retry?.maxAttempts ?? 10;
  return task.idempotent === false ? 1 : (task.retry?.maxAttempts ?? 3);
};

/** Whether a step is still to be undone in a rollback that reaches it. */
export const isToUndo = (account: Account, name: string): boolean => {
  const node = account.nodes.get(name);
  const task = account.order.tasks.get(name);
  if (node === undefined || task?.compensation === undefined) return false;
  if (!node.hasEffects || node.undone || node.excused) return false;
  return node.completed || task.compensateOn !== "completed";
};

/** Whether a branch that a node stands in was stopped: its join went on without it, or it has failed. */
export const isStopped = (account: Account, facts: Facts, name: string): boolean =>
  account.order.around(name).some(({ fork, branch }) => {
    const row = facts.steps.get(fork.name);
    if (row === undefined) return false;
    if (row.status === "completed") return row.winners?.includes(branch) === false;
    return row.status === "skipped" || hasFailure(fork.branches.find((one) => one.name === branch)?.nodes ?? [], facts);
  });

const hasFailure = (nodes: Sample["definition"]["nodes"], facts: Facts): boolean =>
  nodes.some((node) => {
    const status = facts.steps.get(node.name)?.status;
    if (status === "failed" || (status === "rejected" && node.kind === "human" && node.onReject !== "continue"))
      return true;
    if (node.kind === "fork") return node.branches.some((branch) => hasFailure(branch.nodes, facts));
    return node.kind === "condition" && (hasFailure(node.then, facts) || hasFailure(node.else, facts));
  });
