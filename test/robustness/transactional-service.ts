/** A service with transactional handlers that is broken in every way at random, and replaced when it dies. */
import { createHash } from "node:crypto";
import type { InTransaction, StepContext, StepHandle, Worker } from "@floxy/worker-sdk";
import { defineCompensation, defineHandler, defineStep, NonRetryableError } from "@floxy/worker-sdk";
import type { Cut } from "../barrier/commit-cutter.ts";
import { layCommitCutter } from "../barrier/commit-cutter.ts";
import { layCable } from "../support/cable.ts";
import type { Cluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

/** What can happen to a call after it has written; `none` is that it returns. */
export type Fault = "none" | "throws" | "swallows" | "hangs" | "expires" | "dies" | "disconnected";

/** The input of an instance: whether its last step declines. */
export interface Order {
  readonly declined: boolean;
}

type Context = StepContext & InTransaction;

/** How often each fault is drawn, of 100 calls; the rest is `none`. */
const shares: readonly (readonly [Fault, number])[] = [
  ["throws", 6],
  ["swallows", 4],
  ["hangs", 2],
  ["expires", 4],
  ["dies", 1],
  ["disconnected", 3],
];
const places: readonly Cut[] = ["before", "after", "meanwhile"];
const counters = 200;
const timeoutMs = 1_000;

/** The most workers that may die, and how many live at a time. */
const [mostDeaths, liveCount] = [12, 3];

/** Starts the service on a cluster's database. `draw` gives a number from 0 to below 1 for a name, always the same. */
export const createService = (draw: (name: string) => number) => {
  const faults: Record<Fault, number> = {
    none: 0,
    throws: 0,
    swallows: 0,
    hangs: 0,
    expires: 0,
    dies: 0,
    disconnected: 0,
  };
  const cuts: Record<Cut, number> = { before: 0, after: 0, meanwhile: 0 };
  let cluster: Cluster | undefined;
  let born = 0;
  let deaths = 0;
  let commits = 0;
  const changes: Promise<unknown>[] = [];

  const of = (): Cluster => {
    if (cluster === undefined) throw new Error("the service has not been started");
    return cluster;
  };

  const faultOf = (name: string): Fault => {
    let point = draw(name) * 100;
    for (const [fault, share] of shares) {
      if (point < share) return fault === "dies" && deaths >= mostDeaths ? "none" : fault;
      point -= share;
    }
    return "none";
  };

  /** What a call does: it books, and then something happens to it. */
  const call = async (context: Context, amount: number, die: () => void): Promise<void> => {
    const { transaction, effectKey, idempotencyKey, instanceId, step, attempt } = context;
    const name = `${idempotencyKey}/${attempt}`;
    await transaction.query("INSERT INTO public.effect VALUES ($1, $2)", [effectKey, amount]);
    // In another order for each call, so that calls also wait for each other in circles.
    const ids = ["a", "b"].map((place) => Math.floor(draw(`${name}/${place}`) * counters));
    for (const id of ids) {
      await transaction.query("UPDATE public.counter SET value = value + $2 WHERE id = $1", [id, amount]);
    }
    const fault = faultOf(name);
    faults[fault]++;
    switch (fault) {
      case "none":
        return;
      case "throws":
        throw new Error("not this time");
      case "swallows":
        return void (await transaction.query("SELECT 1 / 0").catch(() => {}));
      case "hangs":
        // And goes on as if nothing had been, when its time is up.
        return void (await transaction.query("SELECT pg_sleep(60)").catch(() => {}));
      case "expires":
        return void (await takenOver(instanceId, step, attempt));
      case "dies":
        return die();
      case "disconnected": {
        const { rows } = await transaction.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        await of().sql("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
      }
    }
  };

  /** Lets the lease of an attempt run out, until somebody has taken the step over while its transaction is open. */
  const takenOver = (instanceId: string, step: string, attempt: number): Promise<unknown> =>
    eventually(
      async () => {
        const held = await of().sql(
          `UPDATE queue SET lease_until = now() - interval '1 s'
         WHERE instance_id = $1 AND node = $2 AND attempt = $3 AND state = 'leased' RETURNING 1`,
          [instanceId, step, attempt],
        );
        return held.length === 0;
      },
      { intervalMs: 50 },
    );

  const handlersOf = (die: () => void) =>
    names.flatMap((name) => {
      const { handler, compensation } = contractsOf(name);
      return [
        handler.implement(
          async ({ declined }, context) => {
            await call(context, 1, die);
            if (declined && name === "ship") throw new NonRetryableError("declined");
            return { declined };
          },
          { transactional: true },
        ),
        compensation.implement((_, context) => call(context, -1, die), { transactional: true }),
      ];
    });

  /** Starts a worker with a way to the database of its own. When it dies all its connections end, and another is started. */
  const addWorker = async (): Promise<void> => {
    let isDead = false;
    let worker: Worker | undefined;
    const decide = (): Cut | undefined => {
      const point = draw(`commit/${commits++}`);
      if (point > 0.16 || isDead) return undefined;
      const place = places[Math.floor(point * 1_000) % places.length] ?? "before";
      cuts[place]++;
      if (point < 0.01 && deaths < mostDeaths) setImmediate(die);
      return place;
    };
    const cutter = await layCommitCutter(of().url, decide);
    const cable = await layCable(cutter.url);
    const die = (): void => {
      if (isDead) return;
      isDead = true;
      deaths++;
      cable.cut();
      // From now on nothing of it gets through: it only need not go on trying in this process.
      changes.push(addWorker(), Promise.resolve(worker?.stop()));
    };
    const options = { connectionString: cable.url, listenConnectionString: of().url };
    worker = await of().addWorker(`service-${born++}`, handlersOf(die), { ...options, ...patience });
    ways.push(cable, cutter);
  };
  const ways: { close(): Promise<void> }[] = [];

  return {
    faults,
    cuts,
    get deaths() {
      return deaths;
    },
    async start(on: Cluster): Promise<void> {
      cluster = on;
      // Calls that wait for each other in a circle are to be found soon.
      await on.sql(`DO $$ BEGIN
          EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''50ms''', current_database());
        END $$`);
      await on.sql(`CREATE TABLE public.effect (key text NOT NULL, amount int NOT NULL);
        CREATE TABLE public.counter AS SELECT id, 0 AS value FROM generate_series(0, ${counters - 1}) AS id`);
      for (let count = 0; count < liveCount; count++) await addWorker();
    },
    /** Resolves when nobody is being replaced any more. */
    async settled(): Promise<void> {
      for (let count = -1; count !== changes.length; ) {
        count = changes.length;
        await Promise.all(changes);
      }
    },
    async close(): Promise<void> {
      for (const way of ways) await way.close();
    },
    /** What was booked, by effect. */
    async effects(): Promise<Record<string, number[]>> {
      const rows = await of().sql<{ key: string; amounts: number[] }>(
        "SELECT key, array_agg(amount ORDER BY amount DESC) AS amounts FROM public.effect GROUP BY key",
      );
      return Object.fromEntries(rows.map(({ key, amounts }) => [key, amounts]));
    },
    /** The sum of all counters. */
    async total(): Promise<number> {
      const [row] = await of().sql<{ total: number }>("SELECT sum(value)::int AS total FROM public.counter");
      return row?.total ?? 0;
    },
  };
};

const patience = { concurrency: 20, transactionalConcurrency: 10, leaseMs: 2_000, drainMs: 0, graceMs: 100 } as const;

/** The steps, all of them transactional. */
const names = ["charge", "reserve", "pack", "ship"] as const;
export type Name = (typeof names)[number];

const contractsOf = (name: string) => {
  const handler = defineHandler<Order, Order>({ name });
  return { handler, compensation: defineCompensation({ name: `${name}.undo`, of: handler }) };
};

/** A step of the service. A call may be lost again and again. */
export const stepOf = <const N extends Name>(name: N): StepHandle<N, Order, Order, Order> => {
  const retry = { maxAttempts: 60, delayMs: 5, jitter: 0 } as const;
  const { handler, compensation } = contractsOf(name);
  const onFailure = { handler: compensation, retry, timeoutMs };
  const step: StepHandle<string, Order, Order, Order> = defineStep<string, typeof handler, typeof compensation>(
    name,
    handler,
    { retry, timeoutMs, onFailure },
  );
  return step as StepHandle<N, Order, Order, Order>;
};

/** Draws numbers by name from a seed: whatever order calls come in, each has its own fate. */
export const drawFrom = (seed: number) => (name: string) =>
  createHash("sha256").update(`${seed}/${name}`).digest().readUInt32BE() / 2 ** 32;
