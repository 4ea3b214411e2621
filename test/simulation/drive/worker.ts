/** Simulated workers: they lease steps, call handlers of the simulated world, settle, die, and come back too late. */
import type { AttemptResult, Json, Lane, ResolvedStep, SettleResult, StepError } from "@floxy/shared";
import { claim, extend, resolveInputs, settleAttempts } from "@floxy/shared";
import { checkGiven } from "../check/frontier.ts";
import type { LeaseEnd } from "../check/history.ts";
import type { CrashPlan } from "./crash.ts";
import type { Simulation } from "./simulation.ts";
import { label, Violation } from "./simulation.ts";

/** How long a lease lasts, in simulated milliseconds. */
export const leaseMs = 30_000;

/** A handler that is being called. */
export interface Call extends ResolvedStep {
  readonly isTransactional: boolean;
}

/** A call that has come to an end, or was given up, and is to be settled. */
export interface Finished extends Call {
  readonly result: AttemptResult;
  /** Whether the attempt cannot have had effects. */
  readonly harmless: boolean;
}

/** What becomes of a handler call. */
export type Fate =
  | { readonly kind: "completes"; readonly output: Json }
  /** It fails; its effect may be there all the same. */
  | { readonly kind: "fails"; readonly retryable: boolean; readonly hasEffect: boolean; readonly retryAfterMs?: number }
  /** It is given back, or refused, before the handler's own code begins. */
  | { readonly kind: "released" | "refused" };

/** A worker; see the top of the file. */
export class SimulatedWorker {
  readonly #simulation: Simulation;
  readonly #name: string;
  #lives = 0;
  /** The handlers that are being called. */
  readonly calls: Call[] = [];
  /** All that it has leased and was told of, in order. */
  readonly log: { readonly node: string; readonly lane: Lane }[] = [];
  /** What is to be settled. */
  readonly finished: Finished[] = [];
  /** What was sent, and its answer was lost: sent again until there is an answer. */
  readonly unanswered: (readonly Finished[])[] = [];

  constructor(
    simulation: Simulation,
    name: string,
    readonly handlers: readonly string[],
    readonly transactional: ReadonlySet<string>,
  ) {
    this.#simulation = simulation;
    this.#name = name;
    simulation.transactional.set(this.id, transactional);
  }

  get id(): string {
    return `${this.#name}.${this.#lives}`;
  }

  get isIdle(): boolean {
    return this.calls.length + this.finished.length + this.unanswered.length === 0;
  }

  /** Leases steps; answers how many. With a crash nobody knows of them. */
  async claim(limit: number, crash?: CrashPlan): Promise<number> {
    const { line, graphs, accounts } = this.#simulation;
    const handlers = this.handlers.map((handler) => ({
      handler,
      slots: limit,
      transactional: this.transactional.has(handler),
    }));
    const before = new Map([...accounts.values()].map(({ instanceId, facts }) => [instanceId, facts]));
    const work = () => claim(line.db, { workerId: this.id, handlers, limit, leaseMs });
    const { answer } = await this.#simulation.step(`${this.id} claims ${limit}`, work, { crash });
    if (answer === undefined) {
      this.#rise();
      return 0;
    }
    for (const resolved of await resolveInputs(line.db, graphs, answer)) {
      const { leased, input } = resolved;
      const account = accounts.get(leased.instanceId);
      const facts = before.get(leased.instanceId);
      if (account === undefined || facts === undefined) continue;
      this.#simulation.complainIf(checkGiven(account, facts, { ...leased, input }), leased.instanceId);
      if (leased.lane === "forward" && this.#simulation.paused.has(leased.definitionName)) {
        throw new Violation(`${label(leased.instanceId)}: ${leased.node} was leased, and its definition is paused`);
      }
      this.log.push({ node: leased.node, lane: leased.lane });
      this.calls.push({ ...resolved, isTransactional: this.transactional.has(leased.handler) });
    }
    return answer.length;
  }

  /** A handler call comes to its end. */
  finish(call: Call, fate: Fate): void {
    const { world, story } = this.#simulation;
    const { instanceId, node, lane, run, attempt } = call.leased;
    this.calls.splice(this.calls.indexOf(call), 1);
    const result = resultOf(call, fate);
    story.push(
      `${this.id}: ${lane === "forward" ? "" : "the compensation of "}${node} of ${label(instanceId)} ${fate.kind}`,
    );
    const mayAct = "value" in call.input && fate.kind === "fails" && fate.hasEffect;
    const hasEffect = result.kind === "completed" || mayAct;
    // In a transaction it happens when the result is written, or not at all.
    if (hasEffect && !call.isTransactional) world[lane === "forward" ? "act" : "undo"](instanceId, node, run);
    // The engine takes an attempt that is not the first for one that may have had effects.
    const harmless =
      attempt === 1 &&
      (result.kind === "released" || (result.kind === "failed" && !result.called && !result.retryable));
    this.finished.push({ ...call, result, harmless: harmless || call.isTransactional });
  }

  /** Settles what is finished, or what is given. When the answer is lost, it is kept to be sent again. */
  async settle(batch: readonly Finished[] = this.finished.splice(0), crash?: CrashPlan): Promise<void> {
    if (batch.length === 0) return;
    const { answer } = await this.#send("settles", batch, crash);
    if (answer === undefined) this.unanswered.push(batch);
    else this.#check(batch, answer, false);
  }

  /** Sends again what had no answer. */
  async repeat(crash?: CrashPlan): Promise<void> {
    const batch = this.unanswered.shift();
    if (batch === undefined) return;
    const { answer } = await this.#send("settles again", batch, crash);
    if (answer === undefined) this.unanswered.push(batch);
    else this.#check(batch, answer, true);
  }

  /** Extends the leases of what it calls. What it learns of its leases must be so. */
  async extend(): Promise<void> {
    if (this.calls.length === 0) return;
    const { line, accounts } = this.#simulation;
    const leases = this.calls.map(({ leased }) => leased);
    const work = () => extend(line.db, { leases, leaseMs });
    const { answer = [] } = await this.#simulation.step(`${this.id} extends ${leases.length}`, work);
    for (const [index, state] of answer.entries()) {
      const lease = leases[index];
      if (lease === undefined) continue;
      const account = accounts.get(lease.instanceId);
      const isHeld = account?.nodes.get(lease.node)?.lease?.token === lease.token;
      const what = `${lease.node} is told to be ${state.held ? "held" : "lost"}, and it is not`;
      this.#simulation.complainIf(state.held === isHeld ? [] : [what], lease.instanceId);
    }
  }

  /** Dies with all that it had in hand. What its handlers had done so far stays done. */
  die(hadEffect: (call: Call) => boolean): void {
    const { world, story } = this.#simulation;
    story.push(`${this.id} dies`);
    for (const call of this.calls) {
      const { instanceId, node, lane, run } = call.leased;
      if (!call.isTransactional && "value" in call.input && hadEffect(call)) {
        world[lane === "forward" ? "act" : "undo"](instanceId, node, run);
      }
    }
    this.#rise();
  }

  #rise(): void {
    this.calls.length = 0;
    this.finished.length = 0;
    this.unanswered.length = 0;
    this.#lives++;
    this.#simulation.transactional.set(this.id, this.transactional);
  }

  async #send(what: "settles" | "settles again", batch: readonly Finished[], crash: CrashPlan | undefined) {
    const { line } = this.#simulation;
    const attempts = batch.map(({ leased, graph, result }) => ({ ...leased, graph, result }));
    const names = batch.map(({ leased, result }) => `${label(leased.instanceId)} ${leased.node} ${result.kind}`);
    const params = { attempts, workerId: this.id, random: () => 0, hints: this.#simulation.hints };
    const isRepeat = what === "settles again";
    const work = () => settleAttempts(line.db, { ...params, isRepeat });
    const outcome = await this.#simulation.step(`${this.id} ${what} ${names.join(", ")}`, work, {
      crash,
      ends: endsOf(batch),
    });
    this.#commit(batch);
    return outcome;
  }

  // What was written in one transaction with its result is there exactly if that is, whether there was an answer or not.
  #commit(batch: readonly Finished[]): void {
    const { accounts, world } = this.#simulation;
    for (const { leased, result, isTransactional } of batch) {
      const { instanceId, node, token, lane, run } = leased;
      const isWritten = accounts.get(instanceId)?.settled.has(token) === true;
      if (!isTransactional || !isWritten || result.kind !== "completed") continue;
      world[lane === "forward" ? "act" : "undo"](instanceId, node, run);
    }
  }

  #check(batch: readonly Finished[], answer: readonly SettleResult[], isRepeat: boolean): void {
    const { accounts, coverage } = this.#simulation;
    for (const [index, { leased, result }] of batch.entries()) {
      const { instanceId, node, token } = leased;
      const said = answer[index];
      const account = accounts.get(instanceId);
      const isLive = account?.nodes.get(node)?.lease?.token === token;
      const wrong: string[] = [];
      if (isLive) wrong.push(`${node} was answered ${said}, and its lease is still there`);
      if (said === "lost") {
        coverage.count(result.kind === "completed" ? "zombie completion" : "zombie failure");
        if (account?.settled.has(token) && !isRepeat)
          wrong.push(`${node} was written, and the worker is told that it was lost`);
      } else if (account !== undefined && !account.settled.has(token)) {
        wrong.push(`${node} was answered ${said}, and it was not written`);
      } else if (isRepeat) coverage.count("repeated settle");
      this.#simulation.complainIf(wrong, instanceId);
    }
  }
}

const endsOf = (batch: readonly Finished[]): Map<string, LeaseEnd[]> => {
  const ends = new Map<string, LeaseEnd[]>();
  for (const { leased, result, harmless } of batch) {
    const { instanceId, node, token } = leased;
    const output = result.kind === "completed" ? (JSON.parse(result.output) as Json) : undefined;
    const list = ends.get(instanceId) ?? [];
    ends.set(instanceId, list);
    list.push({ node, token, what: result.kind, harmless, output });
  }
  return ends;
};

const resultOf = ({ leased, input }: Call, fate: Fate): AttemptResult => {
  if ("error" in input) return { kind: "failed", error: input.error, retryable: false, called: false };
  const error: StepError = { code: "HANDLER_FAILED", message: `${leased.node} attempt ${leased.attempt} ${fate.kind}` };
  switch (fate.kind) {
    case "completes":
      return { kind: "completed", output: JSON.stringify(fate.output) };
    case "released":
      return { kind: "released" };
    case "refused":
      return { kind: "failed", error: { ...error, code: "INPUT_INVALID" }, retryable: false, called: false };
    case "fails":
      return { kind: "failed", error, retryable: fate.retryable, retryAfterMs: fate.retryAfterMs, called: true };
  }
};
