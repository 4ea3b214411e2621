/** What clients, workers and orchestrators do, on both stores. */
import type { AttemptResult, DefinitionJson, Json, LeasedStep } from "@floxy/shared";
import {
  claim,
  extend,
  insertStarts,
  resolveInputs,
  reviewInbox,
  ringTimers,
  settleAttempts,
  takeOverExpired,
  wakeDue,
} from "@floxy/shared";
import type { Settlement } from "@floxy/shared/store";
import { settle } from "@floxy/shared/store";
import { handlers, undoHandlers } from "../simulation/definition/sample.ts";
import type { Tape } from "../simulation/tape.ts";
import type { Side } from "./pair.ts";
import type { Run } from "./run.ts";
import { nodesOf } from "./run.ts";

/** Who leases and settles; the event of a lease is made of both. */
const workerId = "w";

/** More than a run ever has of anything, so that no store chooses among equals. */
const all = 1_000;

/** Starts one or two instances; some under a key that was used, some that were started before. */
export const start = async ({ tape, pair, definition, starts }: Run): Promise<void> => {
  const prepared = tape.chance(15) ? tape.pickAny(starts) : undefined;
  const batch = [prepared ?? (await pair.prepare(requestOf(tape, definition, pair.now)))];
  if (tape.chance(20)) batch.push(await pair.prepare(requestOf(tape, definition, pair.now)));
  starts.push(...batch);
  await pair.call("start", ({ db, hints }) => insertStarts(db, batch, hints));
};

const requestOf = (tape: Tape, definition: DefinitionJson, now: number) => {
  const conditions = nodesOf(definition).filter(({ kind }) => kind === "condition");
  const sides = Object.fromEntries(conditions.map(({ name }) => [name, tape.chance(50)]));
  return {
    definitionName: "d",
    definitionVersion: 1,
    input: { ok: tape.chance(50), sides, start: 1, until: now + 10_000 * tape.below(6) },
    metadata: { n: tape.below(3) },
    ...(tape.chance(20) && { idempotencyKey: `key ${tape.below(2)}` }),
    ...(tape.chance(20) && { priority: tape.below(101) }),
    ...(tape.chance(10) && { deadlineMs: 1 + tape.below(60_000) }),
  };
};

/** Leases what is ready, of some handlers or all, as few or as many as can be. */
export const claimSome = async ({ tape, pair }: Run): Promise<void> => {
  const names = [...handlers, ...undoHandlers].filter(() => tape.chance(85));
  const slots = names.map((handler) => ({ handler, slots: all, transactional: tape.chance(30) }));
  const limit = limitOf(
    pair.tables.queue.all().filter((row) => names.includes(row.handler as never)),
    1 + tape.below(4),
  );
  const leaseMs = tape.pick([30_000, 1_000, 5_000]);
  const params = { workerId, handlers: slots, limit: tape.chance(30) ? limit : all, leaseMs };
  await pair.call("claim", async ({ db, graphs }) => {
    const leased = await claim(db, params);
    await resolveInputs(db, graphs, leased);
    // Which comes first of those with the same key is anyone's guess.
    return leased.sort((a, b) => (`${a.instanceId} ${a.node}` < `${b.instanceId} ${b.node}` ? -1 : 1));
  });
};

// Where the last that would be leased and the first that would not have the same key, both are.
const limitOf = (queue: readonly { readonly state: string; readonly key: number }[], wanted: number): number => {
  const keys = queue.flatMap(({ state, key }) => (state === "ready" ? [key] : [])).sort((a, b) => a - b);
  let limit = wanted;
  while (limit < keys.length && keys[limit] === keys[limit - 1]) limit++;
  return limit;
};

/** Settles one to three leases, also some that were lost or settled before, and may lease what follows at once. */
export const settleSome = async ({ tape, pair }: Run): Promise<void> => {
  const chosen = chooseLeases(tape, pair.leases);
  const results = chosen.map(() => resultOf(tape));
  const onlyExpired = tape.chance(5);
  const isRepeat = tape.chance(15);
  const names: readonly string[] = tape.chance(50) ? handlers.filter(() => tape.chance(70)) : [];
  const wishes = {
    handlers: [...handlers, ...undoHandlers].map((handler) => ({ handler })),
    wants: (name: string) => names.includes(name),
  };
  await pair.call("settle", async ({ db, graphs, leases, hints }) => {
    const attempts = await Promise.all(
      leasesBy(leases, chosen).map(async (leased, index) => {
        const graph = await graphs.get(db, leased.definitionName, leased.definitionVersion);
        return { ...leased, graph, result: results[index] as AttemptResult, leased };
      }),
    );
    const take = { ...wishes, leaseMs: 30_000, taken: [] as LeasedStep[] };
    const params = { attempts, workerId, random: () => 0.5, hints, onlyExpired, isRepeat, take };
    return [...(await settleAttempts(db, params)), ...take.taken];
  });
};

// Mostly the latest, because the others are settled by then. One row of the queue stands in a batch once.
const chooseLeases = (tape: Tape, names: readonly string[]): string[] => {
  const recent = tape.chance(85) ? names.slice(-6) : names;
  const chosen = Array.from({ length: 1 + tape.below(3) }, () => tape.pickAny(recent)).filter(
    (one) => one !== undefined,
  );
  const byNode = new Map(chosen.map((name) => [name.slice(name.indexOf(" ")), name]));
  return [...byNode.values()];
};

const leasesBy = (leases: ReadonlyMap<string, LeasedStep>, names: readonly string[]): LeasedStep[] =>
  names.map((name) => leases.get(name) as LeasedStep);

const resultOf = (tape: Tape): AttemptResult => {
  const kind = tape.weigh([
    [60, "completed"],
    [30, "failed"],
    [10, "released"],
  ] as const);
  if (kind === "released") return { kind };
  if (kind !== "failed") return { kind: "completed", output: JSON.stringify(outputOf(tape)) };
  const error = {
    code: "HANDLER_FAILED",
    message: `broken ${tape.below(9)}`,
    ...(tape.chance(50) && { name: "Oops" }),
  } as const;
  const retryAfterMs = tape.chance(20) ? tape.below(3_000) : undefined;
  return { kind: "failed", error, retryable: tape.chance(70), retryAfterMs, called: tape.chance(90) };
};

const outputOf = (tape: Tape): Json =>
  tape.pick<Json>([{ ok: true, n: 1 }, { ok: false }, null, "text", [1, { a: null }]]);

/** Settles by the verb itself, with what the engine would never say. */
export const settleOddly = async ({ tape, pair }: Run): Promise<void> => {
  const chosen = chooseLeases(tape, pair.leases);
  const odd = chosen.map((): Omit<Settlement, "instanceId" | "node" | "token"> => {
    const verdict = tape.pick(["retry", "failed", "released", "completed"] as const);
    return {
      verdict,
      output: verdict === "completed" ? JSON.stringify(outputOf(tape)) : null,
      error: verdict === "completed" ? null : JSON.stringify({ code: "INTERNAL", message: "odd" }),
      outcome: tape.pick([null, "absent", "unknown"] as const),
      onFail: tape.pick(["freeze", "contain", "pause"] as const),
      delayMs: tape.pick([0, 1, 10_000]),
      advance: null,
    };
  });
  const onlyExpired = tape.chance(15);
  await pair.call("settle oddly", ({ db, leases }) => {
    const settlements = leasesBy(leases, chosen).map(({ instanceId, node, token }, index) => ({
      ...(odd[index] as (typeof odd)[number]),
      instanceId,
      node,
      token,
    }));
    return db.transaction((tx) => settle(tx, { settlements, workerId: "odd", onlyExpired }));
  });
};

/** Extends leases, also those that were lost. */
export const extendSome = async ({ tape, pair }: Run): Promise<void> => {
  const chosen = chooseLeases(tape, pair.leases);
  const leaseMs = tape.pick([30_000, 1_000, 1_000_000]);
  await pair.call("extend", ({ db, leases }) => extend(db, { leases: leasesBy(leases, chosen), leaseMs }));
};

/** Looks at all instances that somebody should look at. */
export const review = async ({ pair }: Run): Promise<void> => {
  await pair.call("review", async ({ db, graphs, hints }) => {
    const postponed: unknown[] = [];
    const onPostponed = (instanceId: string, error: unknown): void => {
      postponed.push([instanceId, String(error)]);
    };
    const count = await reviewInbox(db, graphs, { limit: all, hints, onPostponed });
    return { count, postponed };
  });
};

/** Lets time pass, and does what is due then. */
export const letTimePass = async ({ tape, pair }: Run): Promise<void> => {
  const dues = [
    ...pair.tables.queue.all().map(({ readyAt, leaseUntil }) => leaseUntil ?? readyAt),
    ...pair.tables.timer.all().map(({ dueAt }) => dueAt),
  ];
  const next = Math.min(...dues.filter((due) => due > pair.now));
  // To the very millisecond in which something is due, or just before, or just after.
  if (Number.isFinite(next) && tape.chance(70)) pair.pass(Math.max(0, next - pair.now + tape.pick([0, 1, -1])));
  else pair.pass(tape.below(60_000));
  const duty = tape.pick<(side: Side) => Promise<unknown>>([wakeAndRing, takeOver]);
  await pair.call("time", duty);
};

const wakeAndRing = async ({ db }: Side) => {
  const { woken, handlers: names } = await wakeDue(db, all);
  return { woken, names: names.sort(), rung: await ringTimers(db, all) };
};

const takeOver = async ({ db, graphs, hints }: Side) => {
  const lost: unknown[] = [];
  const onNotTakenOver = (instanceId: string): void => {
    lost.push(instanceId);
  };
  const count = await takeOverExpired(db, graphs, { limit: all, workerId: "orchestrator", hints, onNotTakenOver });
  return { count, lost };
};

/** Does something in a transaction that is rolled back. */
export const rollBack = async ({ tape, pair, definition }: Run): Promise<void> => {
  const prepared = await pair.prepare(requestOf(tape, definition, pair.now));
  await pair.call("roll back", ({ db, hints }) =>
    db.transaction(async (tx) => {
      await insertStarts(tx, [prepared], hints);
      await wakeDue(tx, all);
      await ringTimers(tx, all);
      await claim(tx, { workerId: "gone", handlers: [{ handler: "charge", slots: all }], limit: all, leaseMs: 1 });
      throw Object.assign(new Error("rolled back"), { code: "MINE" });
    }),
  );
};
