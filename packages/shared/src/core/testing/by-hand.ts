/** An instance that a test moves by hand. */
import type { Graph } from "../../definition/graph.ts";
import { nodeOf, taskOf } from "../../definition/graph.ts";
import type { StepError } from "../../vocabulary/error.ts";
import type { Json } from "../../vocabulary/json.ts";
import type { InstanceStatus, StepStatus } from "../../vocabulary/status.ts";
import { instanceTransitions, isTerminal, stepTransitions } from "../../vocabulary/status.ts";
import { advance, advanceStart, isDlqMode } from "../advance.ts";
import { isContained } from "../flow.ts";
import { leaveQueue } from "../losers.ts";
import { isNothing } from "../merge.ts";
import type {
  Advance,
  ChainLink,
  Decision,
  InstanceState,
  NodeRecord,
  PayloadRow,
  Payloads,
  QueuedState,
  StepChange,
  StepState,
} from "../model.ts";
import type { Needs } from "../needs.ts";
import { needsAfter, needsAround, needsOfRestart, needsOfReview } from "../needs.ts";
import { review } from "../review.ts";
import { errorOf, forksIn, queued, stateOf, step } from "./states.ts";

/** Starts an instance that a test moves by hand. */
export const play = (graph: Graph, input: Json = null): Play => new Play(graph, input);

/**
 * An instance without a database: what workers, people and time do is called by name, and what the core decides is written
 * as the engine writes it. It throws where a decision breaks the table of transitions, looks at payloads that it has not
 * asked for, does not come to rest, or leaves the instance waiting for nothing.
 */
export class Play {
  /** Each change of a status, as `node status`. */
  readonly told: string[] = [];
  state: InstanceState;
  outputFrom: string | null = null;
  readonly graph: Graph;
  readonly outputs = new Map<string, Json>();
  readonly taken = new Map<string, InstanceState["signals"][number]>();
  /** What was foreseen, by compensation. */
  readonly chains = new Map<string, readonly ChainLink[]>();
  input: Json;

  constructor(graph: Graph, input: Json) {
    this.graph = graph;
    this.input = input;
    this.state = stateOf([]);
    this.#flow(advanceStart(graph, this.payloads({ input: true, nodes: new Set() })));
    this.look();
  }

  get status(): InstanceStatus {
    return this.state.status;
  }

  statusOf(node: string): StepStatus | undefined {
    return this.state.steps.get(node)?.status ?? (this.state.queue.has(node) ? "pending" : undefined);
  }

  /** What is in the queue: `node`, or `undo node`. */
  get queue(): string[] {
    return [...this.state.queue.values()].map(({ lane, node }) => (lane === "forward" ? node : `undo ${node}`));
  }

  /** What was loaded, and nothing else. */
  payloads({ input, nodes }: Needs): Payloads {
    const rows = [...nodes].flatMap((node): [string, PayloadRow][] => {
      const row = this.state.steps.get(node);
      const output = this.outputs.get(node);
      return row === undefined ? [] : [[node, { side: row.side, ...(output !== undefined && { output }) }]];
    });
    return { input: input ? this.input : "the input was not asked for", rows: new Map(rows) };
  }

  payloadsAround(node: string): Payloads {
    const source = this.state.steps.get(node)?.inputFrom ?? null;
    return this.payloads(needsAround(this.graph, nodeOf(this.graph, node), source));
  }

  payloadsOfRestart(): Payloads {
    return this.payloads(needsOfRestart(this.graph, this.state));
  }

  lease(node: string, { transactional = false } = {}): this {
    const row = this.#queued(node);
    const uncertain = row.uncertain || !transactional;
    this.#enqueue({ ...row, state: "leased", attempt: row.attempt + 1, uncertain });
    return this;
  }

  complete(node: string, output: Json = `of ${node}`): this {
    const row = this.#settle(node);
    if (row.lane === "compensation") {
      this.#change({ node, status: "rolled_back" });
      return this.look();
    }
    const { inputFrom, attempt } = row;
    this.outputs.set(node, output);
    const isLive = row.current && this.status === "running";
    this.#change({ node, status: "completed", outcome: "happened", inputFrom, attempt }, row);
    if (!isLive) return this.look();
    const task = taskOf(this.graph, node);
    const { input, nodes } = needsAfter(this.graph, task);
    const payloads = this.payloads({ input, nodes: new Set([...nodes, node]) });
    const following = advance(this.graph, task, node, payloads);
    const failed = following.records.find(({ status, contained }) => status === "failed" && !contained);
    this.#flow(failed === undefined ? following : { ...following, enqueue: [] });
    if (failed !== undefined) this.#freeze(failed.error);
    const { review: isDue, joins } = following;
    return isDue || (joins !== null && !forksIn(this.graph, this.state).has(joins)) ? this.look() : this.#check();
  }

  /** Fails a step for good. */
  fail(node: string): this {
    const row = this.#settle(node);
    const error = errorOf(`${node} failed`);
    if (row.lane === "compensation") {
      this.#change({ node, status: "paused" });
      this.#bury(node, row.lane);
      return this.look();
    }
    const { inputFrom, attempt, uncertain } = row;
    const isLive = row.current && this.status === "running";
    const status = isLive && isDlqMode(this.graph) ? "paused" : "failed";
    this.#change({ node, status, outcome: uncertain ? "unknown" : "absent", inputFrom, attempt, error }, row);
    if (status === "paused") this.#bury(node, row.lane);
    else if (isLive && !isContained(nodeOf(this.graph, node))) this.#freeze(error);
    return this.look();
  }

  /** Fails an attempt that is followed by another. */
  retry(node: string): this {
    this.#enqueue({ ...this.#leased(node), state: "delayed" });
    return this;
  }

  due(node: string): this {
    const row = this.state.steps.get(node);
    if (row === undefined) throw new Error(`${node} does not wait`);
    this.#put({ ...row, due: true });
    return this.look();
  }

  vote(node: string, by: string, kind: "confirm" | "reject" = "confirm", comment: string | null = null): this {
    const votes = [
      ...(this.state.votes.get(node) ?? []),
      { by, kind, comment, form: null, at: "2030-01-01T00:00:00.000Z" },
    ];
    this.state = { ...this.state, votes: new Map([...this.state.votes, [node, votes]]) };
    return this.look();
  }

  signal(name: string, payload: Json = null): this {
    const signalId = `${name}-${this.state.signals.length}-${this.taken.size}`;
    this.state = { ...this.state, signals: [...this.state.signals, { signalId, name, payload }] };
    return this.look();
  }

  passDeadline(): this {
    this.state = { ...this.state, overdue: true };
    return this.look();
  }

  /** An operator's act. */
  act(decide: (state: InstanceState) => Decision): this {
    const decision = decide(this.state);
    this.apply(decision);
    return decision.review ? this.look() : this.#check();
  }

  /** Looks at the instance until nothing is left to decide. */
  look(): this {
    for (let looks = 0; looks < 20; looks++) {
      if (isTerminal(this.status)) return this.#check();
      const decision = this.reviewed();
      this.apply(decision);
      if (decision.review === true) continue;
      const again = isTerminal(this.status) ? {} : this.reviewed();
      if (!isNothing(again)) throw new Error(`a further look would decide: ${JSON.stringify(again)}`);
      return this.#check();
    }
    throw new Error("the reviews come to no end");
  }

  reviewed(): Decision {
    return review(this.graph, this.state, this.payloads(needsOfReview(this.graph, this.state)));
  }

  /** Writes a decision, in the order in which the engine does. */
  apply(decision: Decision): void {
    const { instance, steps = [], forget = [], exhume = [], records = [], bury = [] } = decision;
    const { take = [], untake = [], unqueue = [], disown = [], enqueue = [] } = decision;
    if (instance !== undefined) this.#changeInstance(instance);
    for (const change of steps) this.#change(change);
    for (const node of forget) this.#forget(node);
    for (const node of exhume) this.#exhume(node);
    for (const record of records) this.#record(record);
    for (const { node, lane } of bury) this.#bury(node, lane);
    for (const node of untake) this.#untake(node);
    for (const { signalId, node } of take) this.#take(signalId, node);
    for (const node of unqueue) this.#dequeue(node);
    for (const node of disown) this.#enqueue({ ...this.#queued(node), current: false });
    for (const { node, lane, inputFrom, uncertain = false, chain } of enqueue) {
      if (chain !== undefined) this.chains.set(node, chain);
      this.#add(queued(node, { lane, inputFrom, uncertain }));
    }
  }

  #changeInstance({
    status,
    freeze,
    cause,
    boundary,
    outputFrom,
    pausedFrom = null,
  }: NonNullable<Decision["instance"]>) {
    this.#moveInstance(status);
    const queue = [...this.state.queue].map(
      ([node, row]) => [node, freeze ? { ...row, current: false } : row] as const,
    );
    this.state = {
      ...this.state,
      pausedFrom,
      queue: new Map(queue),
      ...(cause !== undefined && { cause }),
      ...(boundary !== undefined && { boundary }),
    };
    if (outputFrom !== undefined) this.outputFrom = outputFrom;
  }

  #moveInstance(status: InstanceStatus): void {
    const before = this.state.status;
    if (before === status) return;
    assertAllowed("instance", instanceTransitions[before], before, status);
    this.told.push(status);
    this.state = { ...this.state, status };
  }

  #freeze(cause: StepError | null): void {
    this.#changeInstance({ status: "rolling_back", freeze: true, cause });
    for (const row of this.state.queue.values()) {
      if (row.lane !== "forward" || row.state === "leased") continue;
      this.#change(leaveQueue(row));
      this.#dequeue(row.node);
    }
  }

  #change({ node, status, due, ...change }: StepChange, left?: QueuedState): void {
    const row = this.state.steps.get(node);
    const inQueue = left ?? this.state.queue.get(node);
    const before = row?.status ?? (inQueue?.state === "leased" ? "running" : "pending");
    if (before !== status) assertAllowed(node, stepTransitions[before], before, status);
    if (row === undefined && inQueue === undefined) throw new Error(`${node} was never reached`);
    if (before !== status) this.told.push(`${node} ${status}`);
    const { output, error, outcome, side, winners, attempt, inputFrom } = change;
    if (output !== undefined) this.outputs.set(node, output);
    const old = row ?? step(node, { outcome: null });
    this.#put(
      {
        ...old,
        status,
        due: false,
        error: error ?? old.error,
        outcome: outcome ?? old.outcome,
        side: side ?? old.side,
        winners: winners ?? old.winners,
        attempt: Math.max(attempt ?? 0, old.attempt),
        inputFrom: row === undefined ? (inputFrom ?? null) : old.inputFrom,
        replaced: old.replaced || output !== undefined,
      },
      before === "waiting" || before === "waiting_decision",
    );
    if (due !== undefined && status !== "waiting" && status !== "waiting_decision") throw new Error(`${node} waits`);
  }

  #flow({ records, enqueue, finished }: Advance): void {
    this.apply({
      records,
      enqueue,
      ...(finished && { instance: { status: "completed", outputFrom: finished.outputFrom } }),
    });
  }

  #record({ node, status, side, error, inputFrom }: NodeRecord): void {
    if (this.state.steps.has(node) || this.state.queue.has(node)) throw new Error(`${node} was reached before`);
    const outcome = status === "failed" || status === "paused" ? "absent" : "happened";
    this.told.push(`${node} ${status}`);
    this.outputs.delete(node);
    this.#put(step(node, { status, outcome, side, error, inputFrom }));
    if (status === "paused") this.#bury(node, "forward");
  }

  #add(row: QueuedState): void {
    const { node, lane } = row;
    if (this.state.queue.has(node)) throw new Error(`${node} is queued already`);
    const status = this.state.steps.get(node)?.status;
    if (status !== (lane === "compensation" ? "compensating" : undefined)) throw new Error(`${node} is ${status}`);
    if (lane === "forward" && this.status !== "running") throw new Error(`${node} starts in ${this.status}`);
    this.#enqueue(row);
  }

  #put(row: StepState, settled = false): void {
    const steps = new Map(this.state.steps);
    if (settled) steps.delete(row.node);
    this.state = { ...this.state, steps: steps.set(row.node, row) };
  }

  #forget(node: string): void {
    this.outputs.delete(node);
    this.state = {
      ...this.state,
      steps: without(this.state.steps, node),
      votes: without(this.state.votes, node),
    };
  }

  #bury(node: string, lane: QueuedState["lane"]): void {
    this.state = { ...this.state, deadLetters: new Map([...this.state.deadLetters, [node, lane]]) };
  }

  #exhume(node: string): void {
    this.state = { ...this.state, deadLetters: without(this.state.deadLetters, node) };
  }

  #take(signalId: string, node: string): void {
    const found = this.state.signals.find((signal) => signal.signalId === signalId);
    if (found === undefined) throw new Error(`${signalId} is not there`);
    this.taken.set(node, found);
    this.state = { ...this.state, signals: this.state.signals.filter((signal) => signal !== found) };
  }

  #untake(node: string): void {
    const found = this.taken.get(node);
    this.taken.delete(node);
    if (found !== undefined) this.state = { ...this.state, signals: [found, ...this.state.signals] };
  }

  #queued(node: string): QueuedState {
    const row = this.state.queue.get(node);
    if (row === undefined) throw new Error(`${node} is not in the queue, but ${this.queue.join(", ")}`);
    return row;
  }

  #leased(node: string): QueuedState {
    if (this.#queued(node).state !== "leased") this.lease(node);
    return this.#queued(node);
  }

  #settle(node: string): QueuedState {
    const row = this.#leased(node);
    this.#dequeue(node);
    return row;
  }

  #enqueue(row: QueuedState): void {
    this.state = { ...this.state, queue: new Map([...this.state.queue, [row.node, row]]) };
  }

  #dequeue(node: string): void {
    this.state = { ...this.state, queue: without(this.state.queue, node) };
  }

  #check(): this {
    const { status, queue, steps, deadLetters, pausedFrom } = this.state;
    const open = [...steps.values()].filter(({ status: s }) => unsettled.includes(s)).map(({ node }) => node);
    const told = `${status}, ${JSON.stringify([...steps.values()].map((row) => `${row.node} ${row.status}`))}`;
    if (isTerminal(status) && queue.size + open.length + deadLetters.size > 0) throw new Error(`over, but ${told}`);
    if ((status === "dlq") !== (pausedFrom !== null)) throw new Error(`paused, or not: ${told}`);
    if (status === "dlq" && deadLetters.size === 0) throw new Error(`paused for nothing: ${told}`);
    const waits = [...steps.values()].some(
      (row) =>
        nodeOf(this.graph, row.node).kind !== "fork" && (row.status === "waiting" || row.status === "waiting_decision"),
    );
    if (!isTerminal(status) && status !== "dlq" && queue.size === 0 && !waits)
      throw new Error(`waits for nothing: ${told}`);
    return this;
  }
}

const unsettled: readonly StepStatus[] = [
  "waiting",
  "waiting_decision",
  "paused",
  "compensating",
  "pending",
  "running",
];

const without = <V>(map: ReadonlyMap<string, V>, key: string): Map<string, V> =>
  new Map([...map].filter(([name]) => name !== key));

const assertAllowed = (what: string, allowed: readonly string[], before: string, after: string): void => {
  if (!allowed.includes(after)) throw new Error(`${what} must not go from ${before} to ${after}`);
};
