/** Short forms for graphs with options, states and payloads in tests. */
import type { Graph } from "../../definition/graph.ts";
import { buildGraph, nodeOf } from "../../definition/graph.ts";
import type { DefinitionJson, NodeJson } from "../../definition/model.ts";
import type { StepError } from "../../vocabulary/error.ts";
import type { Json } from "../../vocabulary/json.ts";
import { forkAround } from "../flow.ts";
import type { InstanceState, Payloads, QueuedState, StepState } from "../model.ts";

/** The graph of a definition of these nodes, with these options. */
export const graphWith = (options: Partial<DefinitionJson>, ...nodes: readonly NodeJson[]): Graph =>
  buildGraph({ format: 1, name: "test", version: 1, nodes, ...options });

/** A step that has completed, or as said. */
export const step = (node: string, more: Partial<StepState> = {}): StepState => ({
  node,
  status: "completed",
  outcome: "happened",
  side: null,
  error: null,
  inputFrom: null,
  attempt: 0,
  due: false,
  winners: null,
  replaced: false,
  ...more,
});

/** A step that is ready in the queue, or as said. */
export const queued = (node: string, more: Partial<QueuedState> = {}): QueuedState => ({
  node,
  lane: "forward",
  state: "ready",
  attempt: 0,
  inputFrom: null,
  current: true,
  uncertain: false,
  ...more,
});

/** A running instance with these steps, or as said. */
export const stateOf = (
  steps: readonly StepState[],
  queue: readonly QueuedState[] = [],
  more: Partial<InstanceState> = {},
): InstanceState => ({
  status: "running",
  cause: null,
  boundary: null,
  pausedFrom: null,
  overdue: false,
  steps: new Map(steps.map((row) => [row.node, row])),
  queue: new Map(queue.map((row) => [row.node, row])),
  deadLetters: new Map(),
  votes: new Map(),
  signals: [],
  ...more,
});

/** Payloads with this input and these outputs. */
export const payloadsOf = (input: Json, outputs: Readonly<Record<string, Json>> = {}): Payloads => ({
  input,
  rows: new Map(Object.entries(outputs).map(([node, output]) => [node, { output, side: null }])),
});

/** An error of a handler. */
export const errorOf = (message: string): StepError => ({ code: "HANDLER_FAILED", message });

/** The innermost forks in whose branches the steps in the queue stand. */
export const forksIn = (graph: Graph, { queue }: InstanceState): ReadonlySet<string | null> =>
  new Set(
    [...queue.values()]
      .filter(({ lane }) => lane === "forward")
      .map(({ node }) => forkAround(nodeOf(graph, node))?.name ?? null),
  );
