/** The queue in memory. */
import type {
  ClaimParams,
  ExpiredLease,
  LeasedStep,
  LeaseRef,
  LeaseState,
  loadPayloads as loadFromStore,
  NextDue,
} from "../store/queue.ts";
import type { StepError } from "../vocabulary/error.ts";
import type { JsonObject } from "../vocabulary/json.ts";
import { tell } from "./event.ts";
import type { StoredInstance, StoredQueued } from "./rows.ts";
import { compare } from "./table.ts";
import type { Tables } from "./tables.ts";
import { instanceOf, instancesOf, only, parse, waitsFor } from "./tables.ts";

/** See {@link import("../store/queue.ts").claim}. */
export const claim = (
  tables: Tables,
  { workerId, handlers, limit, transactionalLimit, leaseMs }: ClaimParams,
): LeasedStep[] =>
  handlers
    .flatMap(({ handler, slots, transactional = false }) =>
      firstReady(tables, handler, Math.min(slots, limit)).map((queued) => ({ queued, transactional })),
    )
    .sort((a, b) => compare(a.queued.key, b.queued.key))
    .filter(withinLimit(transactionalLimit))
    .slice(0, limit)
    .map(({ queued, transactional }) => {
      const leased: StoredQueued = {
        ...queued,
        state: "leased",
        attempt: queued.attempt + 1,
        transactional: (queued.attempt === 0 || queued.transactional) && transactional,
        token: tables.next("token"),
        workerId,
        leasedAt: tables.clock.now,
        leaseUntil: tables.clock.now + leaseMs,
      };
      tables.queue.put(leased);
      const { instanceId, node, lane, handler, attempt } = leased;
      tell(tables, { instanceId, type: "step.leased", node, attempt, workerId, data: { handler, lane } });
      return leasedStep(tables, leased);
    });

// The first so many transactional ones, and all others.
const withinLimit = (limit = Number.POSITIVE_INFINITY) => {
  let taken = 0;
  return ({ transactional }: { readonly transactional: boolean }): boolean => !transactional || ++taken <= limit;
};

// Of paused definitions most steps are held already; the few that were queued meanwhile are passed over.
const firstReady = (tables: Tables, handler: string, limit: number): StoredQueued[] => {
  const ready = tables.queue.bucket(waitsFor("ready", handler));
  if (tables.pause.isEmpty) return ready.slice(0, limit);
  return ready.filter((queued) => queued.lane === "compensation" || !isPaused(tables, queued)).slice(0, limit);
};

/** Whether the definition of a queued step is paused. */
export const isPaused = (tables: Tables, { instanceId }: StoredQueued): boolean => {
  const name = instanceOf(tables, instanceId)?.definitionName;
  return name !== undefined && tables.pause.get(name, only) !== undefined;
};

const leasedStep = (tables: Tables, queued: StoredQueued): LeasedStep => {
  const { instanceId, node, lane, handler, attempt, priority, inputFrom, input, run } = queued;
  const instance = instanceOf(tables, instanceId) as StoredInstance;
  const source = inputFrom === null ? undefined : tables.step.get(instanceId, inputFrom);
  const own = lane === "compensation" ? tables.step.get(instanceId, node) : undefined;
  return {
    instanceId,
    node,
    lane,
    handler,
    token: queued.token as number,
    attempt,
    priority,
    definitionName: instance.definitionName,
    definitionVersion: instance.definitionVersion,
    metadata: JSON.parse(instance.metadata) as JsonObject,
    inputFrom,
    // A null of the database is the driver's null, as it is there.
    value: (inputFrom === null ? instance.input : (source?.output ?? null)) as string,
    input,
    stepInput: own?.input ?? null,
    run: own?.run ?? run,
    output: own?.output ?? null,
    outcome: own?.outcome ?? null,
    cause: lane === "compensation" ? parse<StepError>(instance.cause) : null,
    key: queued.key,
  };
};

/** See {@link import("../store/queue.ts").extend}. */
export const extend = (
  tables: Tables,
  { leases, leaseMs }: { readonly leases: readonly LeaseRef[]; readonly leaseMs: number },
): LeaseState[] =>
  leases.map(({ instanceId, node, token }) => {
    const queued = tables.queue.get(instanceId, node);
    if (queued?.token !== token) return { held: false, frozen: false };
    const latest = (queued.leasedAt ?? 0) + queued.timeoutMs + leaseMs;
    tables.queue.put({ ...queued, leaseUntil: Math.min(tables.clock.now + leaseMs, latest) });
    const instance = instanceOf(tables, instanceId);
    const goesOn = instance?.status === "running" && instance.epoch === queued.epoch;
    return { held: true, frozen: queued.lane === "forward" && !goesOn };
  });

/** See {@link import("../store/queue.ts").wakeDue}. */
export const wakeDue = (tables: Tables, limit: number): { woken: number; handlers: string[] } => {
  const due = upTo(tables.queue.bucket("delayed"), limit, ({ readyAt }) => readyAt <= tables.clock.now);
  for (const queued of due) tables.queue.put({ ...queued, state: "ready" });
  return { woken: due.length, handlers: [...new Set(due.map(({ handler }) => handler))] };
};

/** The first rows of a sorted list for which something holds, at most `limit`. */
export const upTo = <Row>(rows: readonly Row[], limit: number, holds: (row: Row) => boolean): Row[] => {
  const first: Row[] = [];
  for (const row of rows) {
    if (first.length >= limit || !holds(row)) break;
    first.push(row);
  }
  return first;
};

/** See {@link import("../store/queue.ts").findExpired}. */
export const findExpired = (tables: Tables, limit: number): ExpiredLease[] =>
  upTo(tables.queue.bucket("leased"), limit, ({ leaseUntil }) => (leaseUntil ?? 0) < tables.clock.now).map(
    ({ instanceId, node, token, lane, handler, attempt, workerId }) => {
      const { definitionName, definitionVersion } = instanceOf(tables, instanceId) as StoredInstance;
      const lease = { instanceId, node, token: token as number, lane, handler, attempt, workerId: workerId as string };
      return { ...lease, definitionName, definitionVersion };
    },
  );

/** See {@link import("../store/queue.ts").nextDue}. */
export const nextDue = (tables: Tables): NextDue => {
  const { now } = tables.clock;
  const [delayed] = tables.queue.bucket("delayed");
  const [timer] = tables.timer.bucket(only);
  const [leased] = tables.queue.bucket("leased");
  const due = [delayed?.readyAt, timer?.dueAt].filter((at) => at !== undefined);
  return {
    delayedMs: due.length === 0 ? null : Math.ceil(Math.min(...due) - now),
    leaseMs: leased === undefined ? null : Math.ceil((leased.leaseUntil ?? 0) - now),
    review: tables.inbox.bucket(only).some(({ visibleAt }) => visibleAt <= now),
  };
};

/** See {@link import("../store/queue.ts").loadPayloads}. */
export const loadPayloads = (
  tables: Tables,
  wanted: readonly { readonly instanceId: string; readonly node: string | null }[],
): Awaited<ReturnType<typeof loadFromStore>> => {
  const distinct = new Map(wanted.map((one) => [`${one.instanceId} ${one.node ?? ""}`, one]));
  const rows = [...distinct.values()].flatMap(({ instanceId, node }) => {
    const step = node === null ? undefined : tables.step.get(instanceId, node);
    return step === undefined ? [] : [{ instanceId, node, output: step.output, side: step.side }];
  });
  const ids = wanted.flatMap(({ instanceId, node }) => (node === null ? [instanceId] : []));
  const inputs = instancesOf(tables, ids).map(({ instanceId, input }) => ({
    instanceId,
    node: null,
    output: input,
    side: null,
  }));
  return [...rows, ...inputs];
};
