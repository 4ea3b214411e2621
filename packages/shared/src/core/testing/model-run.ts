/**
 * One instance in memory, moved by the core alone: steps, queue and the note to the orchestrator, changed as the store's
 * statements change them. The tests choose what happens when.
 */
import type { Graph } from "../../definition/graph.ts";
import { buildGraph, taskOf } from "../../definition/graph.ts";
import type { DefinitionJson } from "../../definition/model.ts";
import type { StepError } from "../../vocabulary/error.ts";
import type { Json } from "../../vocabulary/json.ts";
import type { InstanceStatus, StepStatus } from "../../vocabulary/status.ts";
import { isTerminal } from "../../vocabulary/status.ts";
import { advance, advanceStart, enqueueCompensation } from "../advance.ts";
import type { Advance, Decision, Enqueue, NodeRecord, Payloads, QueuedState, Source, StepState } from "../model.ts";
import type { Needs } from "../needs.ts";
import { needsAfter, needsOfMapping } from "../needs.ts";
import { decideRetry, retryPolicyOf } from "../retry.ts";
import { needsOfReview, review } from "../review.ts";
import { payloadAt, valueOfNode } from "../value.ts";
import type { LogEntry } from "./log.ts";

/** What becomes of an attempt. `lost`: its worker died. `released`: given back before the handler was called. */
export type Result =
  | { readonly kind: "completed"; readonly output: Json }
  | { readonly kind: "failed"; readonly retryable: boolean; readonly called: boolean }
  | { readonly kind: "lost" | "released" };

/** A row of the queue. */
export interface Queued extends QueuedState {
  readonly epoch: number;
}

/** A row of a step. */
export interface Row extends StepState {
  readonly output?: Json | undefined;
}

// A class, as the engine's payloads are: the input is not a property of its own.
class LoadedPayloads implements Payloads {
  readonly rows: Payloads["rows"];
  readonly #input: Json;

  constructor(input: Json, rows: Payloads["rows"]) {
    this.#input = input;
    this.rows = rows;
  }

  get input(): Json {
    return this.#input;
  }
}

/** An instance; see the top of the file. */
export class ModelRun {
  readonly graph: Graph;
  readonly log: LogEntry[] = [];
  readonly steps = new Map<string, Row>();
  readonly queue = new Map<string, Queued>();
  status: InstanceStatus = "running";
  cause: StepError | null = null;
  boundary: string | null = null;
  outputFrom: Source = null;
  /** Whether an orchestrator has been told to look. */
  noted = false;
  #epoch = 0;
  /** What the instance is again when the last dead letter has been dealt with. */
  #beforeDlq: InstanceStatus = "rolling_back";

  constructor(
    readonly definition: DefinitionJson,
    readonly input: Json = null,
  ) {
    this.graph = buildGraph(definition);
    this.#apply(advanceStart(this.graph, new LoadedPayloads(input, new Map())));
  }

  /** Whether nothing more will happen by itself. */
  get ended(): boolean {
    return isTerminal(this.status);
  }

  /** The output of a completed instance. */
  get output(): Json | undefined {
    return this.outputFrom === null ? this.input : this.steps.get(this.outputFrom)?.output;
  }

  /** The time of a delayed step has come. */
  wake(node: string): void {
    this.queue.set(node, { ...this.#queued(node), state: "ready" });
  }

  /** A worker takes a step that is ready. */
  lease(node: string): void {
    const queued = this.#queued(node);
    this.queue.set(node, { ...queued, state: "leased", attempt: queued.attempt + 1 });
    this.log.push({ type: "leased", node, lane: queued.lane, input: this.#inputOf(node, queued) });
  }

  /** An attempt has ended, also one of before a freeze. */
  settle(node: string, result: Result): void {
    const queued = this.#queued(node);
    const { lane, attempt } = queued;
    const live = lane === "compensation" || (this.status === "running" && queued.epoch === this.#epoch);
    const { delayMs, called, message } = this.#judge(queued, result);
    const again = live && delayMs !== null;
    const completed = result.kind === "completed";
    this.log.push({ type: "settled", node, lane, completed, again, called, message });
    if (again) {
      const counted = result.kind === "released" ? attempt - 1 : attempt;
      this.queue.set(node, { ...queued, state: delayMs > 0 ? "delayed" : "ready", attempt: counted });
      return;
    }
    const following = completed && lane === "forward" ? this.#follow(node, result.output) : null;
    this.queue.delete(node);
    if (lane === "compensation") this.#changeStep(node, completed ? "rolled_back" : "paused", {});
    else this.#record(node, result, { called: called || attempt > 1, message, inputFrom: queued.inputFrom });
    if (following !== null && live) this.#apply(following);
    if (lane === "compensation" || !live || !completed) this.noted = true;
  }

  /** An orchestrator looks, whether it was told to or not. */
  review(): Decision {
    this.noted = false;
    const decision = this.#decide();
    this.#applyDecision(decision);
    if (decision.review) this.noted = true;
    else {
      const more = JSON.stringify(this.#decide());
      if (more !== JSON.stringify(nothing)) this.log.push({ type: "restless", decision: more });
    }
    return decision;
  }

  /** A person has the compensation of a dead letter tried again, or skips it. */
  handle(node: string, act: "retry" | "skip"): void {
    this.log.push({ type: "person", node, act });
    if (act === "skip") this.#changeStep(node, "skipped", {});
    else {
      this.#changeStep(node, "compensating", {});
      const source = this.steps.get(node)?.inputFrom ?? null;
      this.#enqueue([enqueueCompensation(taskOf(this.graph, node), source)].flatMap((row) => row ?? []));
    }
    if (this.status === "dlq") this.#changeInstance(this.#beforeDlq);
    this.noted = true;
  }

  /** A person cancels a rollback: it goes on to the root. */
  cancelRollback(): void {
    this.#changeInstance("cancelling");
    this.boundary = null;
    this.noted = true;
  }

  /** The value that a handler gets, from no more than what is loaded for it. */
  #inputOf(node: string, { inputFrom, lane }: Queued): Json | undefined {
    const mapping = lane === "forward" ? taskOf(this.graph, node).json.input : undefined;
    const passed = this.#load({ input: true, nodes: new Set(inputFrom === null ? [] : [inputFrom]) });
    if (mapping === undefined) return payloadAt(passed, inputFrom);
    const needs = needsOfMapping(this.graph, mapping);
    // The only mappings of the tests are whole values of steps.
    const [, step] = /^\{"\$":"steps\.(\w+)"\}$/.exec(JSON.stringify(mapping)) ?? [];
    return valueOfNode(this.graph, this.#load(needs), String(step));
  }

  #judge({ node, lane, attempt }: Queued, result: Result) {
    const message = result.kind === "completed" ? "" : `${node} ${lane} attempt ${attempt} ${result.kind}`;
    if (result.kind === "completed") return { delayMs: null, called: true, message };
    if (result.kind === "released") return { delayMs: 0, called: false, message };
    const { retryable, called } = result.kind === "failed" ? result : { retryable: true, called: true };
    const policy = retryPolicyOf(taskOf(this.graph, node).json, lane);
    const retryAfterMs = result.kind === "lost" ? 0 : undefined;
    return { delayMs: decideRetry({ policy, attempt, retryable, retryAfterMs, random: 0 }), called, message };
  }

  #follow(node: string, output: Json): Advance {
    const task = taskOf(this.graph, node);
    const { input, rows } = this.#load(needsAfter(this.graph, task));
    return advance(
      this.graph,
      task,
      node,
      new LoadedPayloads(input, new Map([...rows, [node, { output, side: null }]])),
    );
  }

  #record(
    node: string,
    result: Result,
    { called, message, inputFrom }: { called: boolean; message: string; inputFrom: Source },
  ): void {
    const base = { side: null, inputFrom };
    if (result.kind === "completed") {
      this.#changeStep(node, "completed", { ...base, outcome: "happened", output: result.output });
      return;
    }
    const outcome = called ? "unknown" : "absent";
    const status = result.kind === "released" && !called ? "skipped" : "failed";
    this.#changeStep(node, status, { ...base, outcome, error: { code: "HANDLER_FAILED", message } });
  }

  #decide(): Decision {
    const state = {
      status: this.status,
      cause: this.cause,
      boundary: this.boundary,
      steps: this.steps,
      queue: this.queue,
    };
    return review(this.graph, state, this.#load(needsOfReview(this.graph, state)));
  }

  #applyDecision({ instance, steps, records, unqueue, enqueue }: Decision): void {
    if (instance?.freeze === true) {
      this.cause = instance.cause ?? null;
      this.boundary = instance.boundary ?? null;
      this.#epoch++;
      this.log.push({ type: "frozen", boundary: this.boundary, cause: String(this.cause?.message) });
      this.#changeInstance("rolling_back");
    }
    if (instance?.outputFrom !== undefined) this.outputFrom = instance.outputFrom;
    for (const { node, status, ...change } of steps) this.#changeStep(node, status, change);
    this.#insert(records);
    for (const node of unqueue) this.queue.delete(node);
    this.#enqueue(enqueue);
    if (instance !== null) this.#changeInstance(instance.status);
  }

  #apply({ records, enqueue, review, finished }: Advance): void {
    this.#insert(records);
    this.#enqueue(enqueue);
    if (review) this.noted = true;
    if (finished === null) return;
    this.outputFrom = finished.outputFrom;
    this.#changeInstance("completed");
  }

  #insert(records: readonly NodeRecord[]): void {
    for (const { node, status, ...record } of records) {
      this.#changeStep(node, status, { ...record, outcome: status === "failed" ? "absent" : "happened" });
    }
  }

  #enqueue(rows: readonly Enqueue[]): void {
    for (const { node, lane, delayMs, inputFrom } of rows) {
      const state = delayMs > 0 ? "delayed" : "ready";
      this.queue.set(node, { node, lane, state, attempt: 0, inputFrom, epoch: this.#epoch });
      this.log.push({ type: "enqueued", node, lane });
    }
  }

  #changeInstance(to: InstanceStatus): void {
    if (to === this.status) return;
    this.log.push({ type: "instance", from: this.status, to });
    if (to === "dlq") this.#beforeDlq = this.status;
    this.status = to;
  }

  // A step in the forward lane of the queue has a status by its place there, and no row. One that leaves it when the
  // instance freezes may be undone in the same decision; it has then failed in between.
  #changeStep(node: string, to: StepStatus, change: Partial<Row>): void {
    const queued = this.queue.get(node);
    const place = queued?.lane === "forward" ? (queued.state === "leased" ? "running" : "pending") : null;
    const from = place ?? this.steps.get(node)?.status ?? null;
    const between = place === "pending" && (to === "compensating" || to === "rolled_back") ? "failed" : null;
    if (between !== null) this.log.push({ type: "step", node, from, to: between });
    this.log.push({ type: "step", node, from: between ?? from, to });
    const before = this.steps.get(node) ?? { side: null, error: null, outcome: null, inputFrom: null };
    const row = { ...before, ...change, node, status: to };
    // Rows are in the order in which their steps were settled.
    if (from === "waiting") this.steps.delete(node);
    this.steps.set(node, row);
  }

  #queued(node: string): Queued {
    const queued = this.queue.get(node);
    if (queued === undefined) throw new Error(`'${node}' is not in the queue`);
    return queued;
  }

  #load({ input, nodes }: Needs): Payloads {
    const rows = [...nodes].flatMap((node) => {
      const row = this.steps.get(node);
      return row === undefined
        ? []
        : [[node, row.output === undefined ? { side: row.side } : { side: row.side, output: row.output }] as const];
    });
    return new LoadedPayloads(input ? this.input : null, new Map(rows));
  }
}

const nothing: Decision = { instance: null, steps: [], records: [], unqueue: [], enqueue: [], review: false };
