/**
 * A simulation: the real engine on a stage, moved one step at a time. After every step all instances are looked at and
 * held against the accounts that the checkers keep. Tests can move it by hand; `moves.ts` does so by chance.
 */
import type { GraphCache, Hints, Json } from "@floxy/shared";
import {
  createGraphCache,
  insertStarts,
  isFloxyError,
  noHints,
  prepareStart,
  registerDefinition,
  reviewInbox,
  ringTimers,
  takeOverExpired,
  wakeDue,
} from "@floxy/shared";
import type { Account } from "../check/account.ts";
import { nodeOf, openAccount } from "../check/account.ts";
import { checkFrontier } from "../check/frontier.ts";
import type { LeaseEnd } from "../check/history.ts";
import { followHistory } from "../check/history.ts";
import { orderOf } from "../check/order.ts";
import { checkMoment, hasEnded } from "../check/rest.ts";
import type { Sample } from "../definition/growth.ts";
import type { Facts, Stage } from "../stage/stage.ts";
import { World } from "../world/world.ts";
import { Coverage } from "./coverage.ts";
import type { CrashPlan, Line } from "./crash.ts";
import { layLine } from "./crash.ts";
import { countRareThings } from "./rare-things.ts";

/** A promise that was not kept. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What else a step says of itself. */
export interface StepOptions {
  /** Where the process that makes it dies. */
  readonly crash?: CrashPlan | undefined;
  /** The leases that it ends, if it gets that far, by instance. */
  readonly ends?: ReadonlyMap<string, readonly LeaseEnd[]>;
  /** An instance that it may change although that has ended. */
  readonly touches?: string;
  /** Changes the accounts by what the step has told the database, when it has come through. */
  readonly told?: () => void;
}

/** What came of a step: its answer, or nothing when the process died. */
export type Outcome<T> = { readonly answer: T } | { readonly answer?: undefined };

/** See the top of the file. */
export class Simulation {
  readonly stage: Stage;
  readonly world = new World();
  readonly coverage = new Coverage();
  readonly accounts = new Map<string, Account>();
  /** What happened, for people. */
  readonly story: string[] = [];
  readonly graphs: GraphCache = createGraphCache();
  readonly line: Line;
  /** Which of its handlers a worker calls in a transaction, by the worker's id. */
  readonly transactional = new Map<string, ReadonlySet<string>>();
  /** Definitions that are paused. */
  readonly paused = new Set<string>();
  /** How many calls to the database the last step has made. */
  lastCalls = 0;
  readonly #orders = new Map<string, ReturnType<typeof orderOf>>();
  /** The last part of ids, so that several simulations can share a stage. */
  readonly #prefix: string;

  constructor(stage: Stage, prefix = "1") {
    this.stage = stage;
    this.line = layLine(stage.db);
    this.#prefix = prefix;
  }

  get hints(): Hints {
    return noHints();
  }

  /** The instances that have not ended. */
  get live(): readonly Account[] {
    return [...this.accounts.values()].filter(({ facts }) => facts !== undefined && !hasEnded(facts));
  }

  /** Registers a definition. */
  async define(sample: Sample): Promise<void> {
    await registerDefinition(this.stage.db, sample.definition);
    this.#orders.set(sample.definition.name, orderOf(sample.definition));
  }

  /** Starts an instance; answers its id. With a crash the client starts it again, as it should. */
  async start(
    sample: Sample,
    input: Json,
    options: { priority?: number; crash?: CrashPlan | undefined } = {},
  ): Promise<string> {
    const { name } = sample.definition;
    const number = String(this.accounts.size + 1);
    const instanceId = `${this.#prefix}${"0".repeat(26 - this.#prefix.length - number.length)}${number}`;
    const { priority } = options;
    const request = { definitionName: name, input, ...(priority !== undefined && { priority }) };
    const { row } = await prepareStart(this.stage.db, this.graphs, request);
    const order = this.#orders.get(name) ?? orderOf(sample.definition);
    this.accounts.set(instanceId, openAccount(instanceId, order, sample, input));
    const insert = () => insertStarts(this.line.db, [{ row: { ...row, instanceId } }], this.hints);
    const started = await this.step(`start ${label(instanceId)} of ${name}`, insert, options);
    if (started.answer === undefined) await this.step(`start ${label(instanceId)} again`, insert);
    return instanceId;
  }

  /** An orchestrator looks at notes. */
  async review(limit = 100, crash?: CrashPlan): Promise<number> {
    const onPostponed = (instanceId: string, error: unknown): never => {
      throw new Violation(`the review of ${label(instanceId)} failed: ${String(error)}`);
    };
    const params = { limit, hints: this.hints, onPostponed };
    const work = () => reviewInbox(this.line.db, this.graphs, params);
    return (await this.#duty(`review ${limit}`, work, crash)) ?? 0;
  }

  /** An orchestrator makes ready what is due. */
  async wake(limit = 100, crash?: CrashPlan): Promise<number> {
    return (await this.#duty(`wake ${limit}`, () => wakeDue(this.line.db, limit), crash))?.woken ?? 0;
  }

  /** An orchestrator rings timers. */
  async ring(limit = 100, crash?: CrashPlan): Promise<number> {
    return (await this.#duty(`ring ${limit}`, () => ringTimers(this.line.db, limit), crash)) ?? 0;
  }

  /** An orchestrator takes over leases that have expired. */
  async takeOver(limit = 100, crash?: CrashPlan): Promise<number> {
    const onNotTakenOver = (instanceId: string, error: unknown): never => {
      throw new Violation(`a lease of ${label(instanceId)} was not taken over: ${String(error)}`);
    };
    const params = { limit, workerId: "orchestrator", hints: this.hints, onNotTakenOver };
    const work = () => takeOverExpired(this.line.db, this.graphs, params);
    const count = (await this.#duty(`take over ${limit}`, work, crash)) ?? 0;
    if (count > 0) this.coverage.count("lease take-over", count);
    return count;
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    this.story.push(`${ms} ms pass`);
    await this.stage.pass(ms);
  }

  /** Makes one step, in which the process may die, and holds what came of it against the promises. */
  async step<T>(what: string, work: () => Promise<T>, options: StepOptions = {}): Promise<Outcome<T>> {
    const { crash } = options;
    const where = crash === undefined ? "" : `, dying ${crash.when} call ${crash.at}`;
    this.story.push(`${what}${where}`);
    this.line.arm(crash);
    const outcome = await this.#attempt(what, work);
    this.lastCalls = this.line.calls;
    this.line.arm(undefined);
    if (outcome.answer !== undefined) options.told?.();
    await this.observe(options.ends, options.touches);
    return outcome;
  }

  /** Looks at all instances that have not ended, and throws when a promise is broken. */
  async observe(ends: ReadonlyMap<string, readonly LeaseEnd[]> = new Map(), touches?: string): Promise<void> {
    const wanted = [...this.accounts.values()]
      .filter(({ facts, instanceId }) => facts === undefined || !hasEnded(facts) || instanceId === touches)
      .map(({ instanceId, cursor }) => ({ instanceId, after: cursor }));
    for (const after of await this.stage.look(wanted)) this.#hold(after, ends.get(after.instanceId) ?? []);
  }

  async #duty<T>(what: string, work: () => Promise<T>, crash: CrashPlan | undefined): Promise<T | undefined> {
    const { answer } = await this.step(what, work, { crash });
    if (crash !== undefined && answer === undefined) this.coverage.count("orchestrator crash");
    return answer;
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<Outcome<T>> {
    try {
      return { answer: await work() };
    } catch (error) {
      if (this.line.isDead) return {};
      if (error instanceof Violation || isFloxyError(error)) throw error;
      throw new Violation(`${what} threw ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  #hold(after: Facts, ends: readonly LeaseEnd[]): void {
    const account = this.accounts.get(after.instanceId);
    if (account === undefined) return;
    const before = account.facts;
    const step = {
      before,
      after,
      ends,
      now: this.stage.now(),
      isTransactional: (workerId: string | null, handler: unknown) =>
        this.transactional.get(workerId ?? "")?.has(String(handler)) ?? false,
    };
    for (const { type, node, attempt } of after.events) {
      this.story.push(
        `    ${label(after.instanceId)} ${[type, node, attempt].filter((part) => part !== null).join(" ")}`,
      );
    }
    const wrong = [
      ...followHistory(account, step),
      ...checkFrontier(account, before, after),
      ...checkMoment(account, after),
    ];
    countRareThings(this.coverage, account, before, after);
    account.facts = after;
    this.complainIf(wrong, after.instanceId);
  }

  /** Throws when something is wrong with an instance. */
  complainIf(wrong: readonly string[], instanceId: string): void {
    if (wrong.length > 0) throw new Violation(wrong.map((what) => `${label(instanceId)}: ${what}`).join("\n"));
  }

  /** The account of a node, for those who tell it what people gave. */
  nodeOf(instanceId: string, node: string) {
    const account = this.accounts.get(instanceId);
    if (account === undefined) throw new Error(`there is no instance ${instanceId}`);
    return { account, node: nodeOf(account, node) };
  }
}

/** The short name of an instance. */
export const label = (instanceId: string): string => `#${Number(instanceId.slice(-4))}`;
