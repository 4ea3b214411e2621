/** The invariants that show in the history: how often handlers were called, by whom, and in which order. */
import type { EventFact, InstanceFacts } from "./snapshot.ts";

/** The events that end a lease. */
const leaseEnds: ReadonlySet<string> = new Set([
  "step.completed",
  "step.adopted",
  "step.retried",
  "step.released",
  "step.failed",
  "step.dead_lettered",
  "lease.expired",
  "step.rolled_back",
  "compensation.retried",
  "compensation.failed",
]);

const ends: ReadonlySet<string> = new Set([
  "instance.completed",
  "instance.failed",
  "instance.cancelled",
  "instance.aborted",
]);

/** What happened to one step, told from its events. */
interface StepHistory {
  /** How often a handler was called, by lane. */
  readonly calls: Map<string, number>;
  /** The event that ended the forward step for good, if it was ever leased. */
  forwardEnd: number | undefined;
  firstForwardLease: number | undefined;
  firstCompensationLease: number | undefined;
  /** The events by which a compensation succeeded. */
  readonly undone: number[];
}

/** What is broken in the history of an instance. Each time that the flow was led back begins a history of its own. */
export function* checkEvents(
  facts: InstanceFacts,
  handlersOf: ReadonlyMap<string, ReadonlySet<string>>,
): Generator<string> {
  const runs = runsOf(facts.events);
  for (const [index, events] of runs.entries()) {
    const isLast = index === runs.length - 1;
    yield* checkRun({ ...facts, events, status: isLast ? facts.status : "failed" }, handlersOf);
  }
}

const runsOf = (events: readonly EventFact[]): readonly (readonly EventFact[])[] => {
  const runs: EventFact[][] = [[]];
  for (const event of events) {
    if (event.type === "instance.resumed") runs.push([]);
    runs.at(-1)?.push(event);
  }
  return runs;
};

function* checkRun(facts: InstanceFacts, handlersOf: ReadonlyMap<string, ReadonlySet<string>>): Generator<string> {
  const histories = new Map<string, StepHistory>();
  for (const name of facts.order.tasks.keys()) {
    const history = emptyHistory();
    histories.set(name, history);
    yield* follow(
      facts.events.filter(({ node }) => node === name),
      name,
      history,
    );
  }
  yield* checkWorkers(facts, handlersOf);
  yield* checkCounts(facts, histories);
  yield* checkOrder(facts, histories);
  yield* checkFreeze(facts);
  yield* checkForks(facts);
}

const emptyHistory = (): StepHistory => ({
  calls: new Map(),
  forwardEnd: undefined,
  firstForwardLease: undefined,
  firstCompensationLease: undefined,
  undone: [],
});

function* follow(events: readonly EventFact[], name: string, history: StepHistory): Generator<string> {
  let lane: string | null = null;
  for (const { type, eventId, ...event } of events) {
    if (type === "step.leased") {
      if (lane !== null) yield `4: step ${name} was leased twice at a time (event ${eventId})`;
      lane = event.lane ?? "forward";
      history.calls.set(lane, (history.calls.get(lane) ?? 0) + 1);
      if (lane === "forward") history.firstForwardLease ??= eventId;
      else history.firstCompensationLease ??= eventId;
    } else if (leaseEnds.has(type) && lane !== null) {
      if (type === "step.released") history.calls.set(lane, (history.calls.get(lane) ?? 0) - 1);
      if (lane === "forward") history.forwardEnd = eventId;
      else if (type === "step.rolled_back") history.undone.push(eventId);
      lane = null;
    } else if (type === "step.requeued") {
      // A person gives it all its attempts again.
      history.calls.clear();
    }
  }
}

function* checkWorkers(
  { events }: InstanceFacts,
  handlersOf: ReadonlyMap<string, ReadonlySet<string>>,
): Generator<string> {
  for (const { type, node, workerId, handler } of events) {
    if (type !== "step.leased") continue;
    if (workerId === null || handler === null || handlersOf.get(workerId)?.has(handler) !== true) {
      yield `step ${node} was leased by ${workerId}, which lacks handler ${handler}`;
    }
  }
}

function* checkCounts(
  { order, status }: InstanceFacts,
  histories: ReadonlyMap<string, StepHistory>,
): Generator<string> {
  for (const [name, { calls, undone, forwardEnd }] of histories) {
    const task = order.tasks.get(name);
    const forward = calls.get("forward") ?? 0;
    const compensation = calls.get("compensation") ?? 0;
    const most = task?.idempotent === false ? 1 : (task?.retry?.maxAttempts ?? 3);
    const mostUndo = task?.compensation === undefined ? 0 : (task.compensation.retry?.maxAttempts ?? 10);
    if (forward > most) yield `4: step ${name} was called ${forward} times, and ${most} is the most`;
    if (compensation > mostUndo) yield `4: ${name} was undone by ${compensation} calls, and ${mostUndo} is the most`;
    if (undone.length > 1) yield `5: step ${name} was undone ${undone.length} times`;
    if (undone.length > 0 && forwardEnd === undefined) yield `5: step ${name} was undone and never ended`;
    const mayBeUndone = order.dispensable.has(name);
    if (status === "completed" && compensation > 0 && !mayBeUndone)
      yield `2: step ${name} was undone in an instance that completed`;
  }
}

function* checkOrder({ order }: InstanceFacts, histories: ReadonlyMap<string, StepHistory>): Generator<string> {
  for (const [name, history] of histories) {
    for (const later of order.after.get(name) ?? []) {
      const next = histories.get(later);
      if (next?.firstForwardLease === undefined) continue;
      // A branch that lost may go on beside what comes after its join, and is undone for itself.
      if (order.dispensable.has(name)) continue;
      if (history.forwardEnd !== undefined && history.forwardEnd > next.firstForwardLease) {
        yield `5: step ${later} began before step ${name} was over`;
      }
      const { firstCompensationLease } = history;
      if (firstCompensationLease === undefined || order.tasks.get(later)?.compensation === undefined) continue;
      const [undone] = next.undone;
      if ((next.forwardEnd ?? Number.POSITIVE_INFINITY) > firstCompensationLease) {
        yield `5: step ${name} was undone while ${later}, which comes after it, still ran`;
      } else if (undone !== undefined && undone > firstCompensationLease) {
        yield `5: step ${name} was undone before ${later}, which comes after it`;
      }
    }
  }
}

function* checkFreeze({ events }: InstanceFacts): Generator<string> {
  const frozen = events.find(({ type }) => type === "instance.rolling_back" || type === "instance.cancelling");
  const end = events.find(({ type }) => ends.has(type));
  for (const { type, node, lane, eventId } of events) {
    if (frozen !== undefined && type === "step.leased" && lane === "forward" && eventId > frozen.eventId) {
      yield `step ${node} was leased forward after the instance was frozen`;
    }
    if (end !== undefined && eventId > end.eventId && type !== "step.refused") {
      yield `${type} of ${node} came after ${end.type}`;
    }
  }
}

function* checkForks({ order, status, events }: InstanceFacts): Generator<string> {
  const passed = new Set(events.map(({ node }) => node));
  for (const name of order.forks) {
    const fired = events.filter(({ node, type }) => node === name && type === "step.completed").length;
    if (fired > 1) yield `6: the join of ${name} fired ${fired} times`;
    if (status === "completed" && passed.has(name) && fired !== 1 && !order.dispensable.has(name))
      yield `6: the join of ${name} fired ${fired} times`;
  }
}
