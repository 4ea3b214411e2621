/**
 * The world of a test: a database in memory, a clock that stands still unless it is moved, and one who does what workers
 * and orchestrators do. What can be done at a moment is done before the clock moves on to the next.
 */
import type { AttemptResult, Database, Graph, Hints, Json, LeasedStep } from "@floxy/shared";
import {
  claim,
  createGraphCache,
  extend,
  FloxyError,
  nextDue,
  noHints,
  resolveInputs,
  reviewInbox,
  ringTimers,
  settleAttempts,
  takeOverExpired,
  wakeDue,
} from "@floxy/shared";
import { createMemoryDatabase, createTables } from "@floxy/shared/memory";
import { frozen, lost } from "../worker/lease-keeper.ts";
import type { Call, FlightEnvironment } from "./flight.ts";
import { Flight } from "./flight.ts";
import { shuffled } from "./random.ts";

/** What a world is made of. */
export interface WorldOptions extends Pick<FlightEnvironment, "cast" | "logger" | "leaseMs" | "transaction"> {
  readonly graph: Graph;
  readonly startAt: number;
  /** Chance, for a test that explores orders; without it all goes by the order of the definition. */
  readonly random: (() => number) | undefined;
}

/** Until when a world is driven. */
export interface Drive {
  /** Asked when nothing more can be done at the moment, or with `eager` after everything that was done. */
  readonly until: (moment: { readonly isBusy: boolean }) => Promise<boolean> | boolean;
  readonly eager?: boolean;
  /** The clock does not go beyond this. */
  readonly latest?: number;
}

const batch = 1_000;
const workerId = "test-worker";

/** How often a moment is looked at in vain although something is due. */
const patience = 100;

const nobodyDoes = (): FloxyError =>
  new FloxyError("INTERNAL", "something is due at this moment, and nobody does it; this is a defect of Floxy");

/** Taken when this is loaded: a test may replace the timers. */
const { setImmediate: soon } = globalThis;

/** Lets everything happen that needs no time. */
const turn = (): Promise<void> => new Promise((resolve) => void soon(resolve));

/** A database, a clock, and whoever works. */
export class World {
  readonly graphs = createGraphCache();
  readonly db: Database;
  /** All calls, the first to begin first. */
  readonly calls: Call[] = [];
  readonly #tables = createTables();
  #now: number;
  readonly #options: WorldOptions;
  readonly #environment: FlightEnvironment;
  readonly #places: ReadonlyMap<string, number>;
  #flights: readonly Flight[] = [];
  #driven: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  /** Whether handlers may have to be told to stop. */
  #mayStop = false;
  #wake: () => void = () => {};

  constructor(options: WorldOptions) {
    this.#now = options.startAt;
    this.db = createMemoryDatabase({ now: () => this.#now, tables: this.#tables });
    this.#options = options;
    this.#places = new Map([...options.graph.nodes.keys()].map((name, index) => [name, index]));
    const onHints = (hints: Hints): void => this.#onHints(hints);
    this.#environment = { ...options, db: this.db, workerId, now: () => this.#now, onHints };
  }

  /** The virtual time, in milliseconds since 1970. */
  get now(): number {
    return this.#now;
  }

  /** Something was done from outside. */
  async onActed(hints: Hints): Promise<void> {
    this.#onHints(hints);
    await this.#stopHandlers();
    this.#wake();
  }

  /** Works until something holds, and answers `true`, or until nothing is left to be done or the time is up. */
  drive(drive: Drive): Promise<boolean> {
    const driven = this.#driven.then(() => this.#drive(drive));
    this.#driven = driven.catch(() => {});
    return driven;
  }

  async #drive({ until, eager = false, latest = Number.POSITIVE_INFINITY }: Drive): Promise<boolean> {
    // What a test does not say, or a defect: nothing of this world can be trusted any more.
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      for (let idle = 0; ; ) {
        const hasWorked = await this.#round();
        idle = hasWorked ? 0 : idle + 1;
        if (hasWorked && !eager) continue;
        if (await until({ isBusy: this.#awaited().length > 0 })) return true;
        if (hasWorked) continue;
        if (this.#awaited().length > 0) {
          await this.#change();
          continue;
        }
        const next = await this.#nextTime();
        if (next > latest || next === Number.POSITIVE_INFINITY) break;
        // A handler may have ended, or a person acted, since this moment was looked at.
        if (next <= this.#now && idle < patience) continue;
        if (next <= this.#now) throw nobodyDoes();
        this.#now = next;
        idle = 0;
      }
      if (latest !== Number.POSITIVE_INFINITY) this.#now = latest;
      return false;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  /** Does something that can be done at this moment; answers whether there was anything. */
  async #round(): Promise<boolean> {
    const { random } = this.#options;
    await this.#stopHandlers();
    for (const flight of this.#flights) flight.goOn();
    if (this.#awaited().length > 0) await turn();
    const works = [() => this.#orchestrate(), () => this.#settle(), () => this.#lease()];
    for (const work of random === undefined ? works : shuffled(works, random)) if (await work()) return true;
    return false;
  }

  async #orchestrate(): Promise<boolean> {
    const { db, graphs } = this;
    const hints = noHints();
    const onFailed = (_: string, error: unknown): never => {
      throw error;
    };
    const extended = await this.#extend();
    const reviewed = await reviewInbox(db, graphs, { limit: batch, hints, onPostponed: onFailed });
    const { woken } = await wakeDue(db, batch);
    const rung = await ringTimers(db, batch);
    const taken = await takeOverExpired(db, graphs, {
      limit: batch,
      workerId: "test-orchestrator",
      hints,
      onNotTakenOver: onFailed,
    });
    this.#onHints(hints);
    return extended || reviewed + woken + rung + taken > 0;
  }

  async #lease(): Promise<boolean> {
    const { db } = this;
    const { cast, leaseMs, random } = this.#options;
    const limit = random === undefined ? batch : 1;
    if (random !== undefined) this.#shuffleReady(random);
    const handlers = cast.handlers.map((handler) => ({ ...handler, slots: limit }));
    const leased = await claim(db, { workerId, leaseMs, handlers, limit });
    for (const step of await resolveInputs(
      db,
      this.graphs,
      leased.sort((a, b) => this.#compare(a, b)),
    )) {
      const flight = new Flight(step, this.#environment);
      this.#flights = [...this.#flights, flight];
      this.calls.push(flight.call);
    }
    return leased.length > 0;
  }

  /** Of the steps that are ready any may come first: which worker is free, and how soon it looks, is chance. */
  #shuffleReady(random: () => number): void {
    const { queue } = this.#tables;
    for (const queued of queue.all()) if (queued.state === "ready") queue.put({ ...queued, key: random() });
  }

  async #settle(): Promise<boolean> {
    const { random } = this.#options;
    const over = [...this.#flights]
      .sort((a, b) => a.dueAt - b.dueAt || this.#compare(a.step.leased, b.step.leased))
      .flatMap((flight) => {
        const result = flight.look();
        return result === undefined ? [] : [{ flight, result }];
      });
    const now = random === undefined ? over : shuffled(over, random).slice(0, 1);
    for (const { flight, result } of now) {
      this.#flights = this.#flights.filter((one) => one !== flight);
      if (result === "crashed") await flight.die();
      else await this.#write(flight, result);
      await this.#stopHandlers();
    }
    return now.length > 0;
  }

  async #write(flight: Flight, result: AttemptResult): Promise<void> {
    const left = await flight.end(result);
    const hints = noHints();
    const params = { workerId, random: () => 0, hints };
    const [written] = left === undefined ? [] : await settleAttempts(this.db, { ...params, attempts: [left] });
    this.#onHints(hints);
    flight.note(outcomeOf(left?.result ?? result));
    if (written === "lost") flight.note({ result: "refused" });
  }

  /** Extends the leases of workers that live, well before they run out. */
  async #extend(): Promise<boolean> {
    const due = this.#flights.some((flight) => flight.keepsLease && this.#extensionOf(flight) <= this.#now);
    if (due) await this.#extendNow();
    return due;
  }

  /** Tells handlers to stop whose result will not count, or whose instance goes back. */
  async #stopHandlers(): Promise<void> {
    if (!this.#mayStop) return;
    this.#mayStop = false;
    await this.#extendNow();
  }

  async #extendNow(): Promise<void> {
    const { leaseMs } = this.#options;
    const flights = this.#flights.filter(({ keepsLease }) => keepsLease);
    if (flights.length === 0) return;
    const states = await extend(this.db, { leases: flights.map(({ step }) => step.leased), leaseMs });
    for (const [index, flight] of flights.entries()) {
      const state = states[index];
      flight.leaseUntil = this.#now + leaseMs;
      if (state?.held === false) flight.abort(lost(flight.step));
      if (state?.frozen === true) flight.abort(frozen(flight.step));
    }
  }

  #extensionOf({ leaseUntil }: Flight): number {
    return leaseUntil - Math.floor(this.#options.leaseMs / 3);
  }

  /** When there is something to be done next. */
  async #nextTime(): Promise<number> {
    const { delayedMs, leaseMs } = await nextDue(this.db);
    const times = [
      ...(delayedMs === null ? [] : [this.#now + delayedMs]),
      // A lease that ends just now is not over yet.
      ...(leaseMs === null ? [] : [this.#now + leaseMs + 1]),
      ...this.#flights.flatMap((flight) =>
        flight.keepsLease ? [flight.dueAt, this.#extensionOf(flight)] : [flight.dueAt],
      ),
    ];
    return times.reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
  }

  #awaited(): readonly Promise<void>[] {
    return this.#flights.flatMap(({ awaited }) => awaited ?? []);
  }

  /** Resolves when a handler has ended or something was done from outside. */
  async #change(): Promise<void> {
    const acted = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([...this.#awaited(), acted]);
  }

  #onHints({ abort }: Hints): void {
    if (abort.size > 0) this.#mayStop = true;
  }

  #compare(a: LeasedStep, b: LeasedStep): number {
    if (a.instanceId !== b.instanceId) return a.instanceId < b.instanceId ? -1 : 1;
    return (this.#places.get(a.node) ?? 0) - (this.#places.get(b.node) ?? 0);
  }
}

const outcomeOf = (result: AttemptResult): Partial<Pick<Call, "result" | "output" | "error">> => {
  switch (result.kind) {
    case "completed":
      return { result: "completed", output: JSON.parse(result.output) as Json };
    case "failed":
      return { result: "failed", error: result.error };
    case "released":
      return { result: "released" };
  }
};
