/** An instance in a test. */
import type { EventRow, InstanceView, Operated, StepView, TerminalStatus } from "@floxy/shared";
import { getEvents, isTerminal, viewInstance } from "@floxy/shared";
import type {
  ActOptions,
  DecideOptions,
  ReasonedOptions,
  ReprioritiseOptions,
  RequeueOptions,
  ResolveOptions,
  ResumeOptions,
  SignalOptions,
} from "../client/act-options.ts";
import type { Operator } from "../client/operator.ts";
import type { CompensationContract } from "../handler/compensation.ts";
import type { HandlerContract } from "../handler/contract.ts";
import type { StepHandle } from "../workflow/step.ts";
import type { AnyTarget, Cast } from "./cast.ts";
import { isSelected } from "./cast.ts";
import type { Duration } from "./duration.ts";
import { msOf } from "./duration.ts";
import type { Call } from "./flight.ts";
import { timelineOf } from "./timeline.ts";
import { endedBefore, stuck, waitsOf } from "./waits.ts";
import type { World } from "./world.ts";

/** The options of an act, with `requestedBy` (by default `test`) left out where nobody cares. */
export type Act<Options extends ActOptions> = Omit<Options, "requestedBy"> & Partial<Pick<Options, "requestedBy">>;

/** An instance with its steps by name. */
export interface RunView extends Omit<InstanceView, "steps"> {
  readonly steps: Readonly<Record<string, StepView>>;
}

/** An instance that has ended. */
export type RunEnd<Output> = Omit<RunView, "status" | "output"> &
  (
    | { readonly status: "completed"; readonly output: Output }
    | { readonly status: Exclude<TerminalStatus, "completed">; readonly output: undefined }
  );

/** What a run needs of its kit. */
export interface RunParams {
  readonly instanceId: string;
  readonly created: boolean;
  readonly world: World;
  readonly cast: Cast;
  readonly operator: Operator;
}

const eventsPage = 1_000;

/**
 * An instance in a test. Nothing happens by itself: it goes on while a test awaits {@link end}, {@link untilWaiting},
 * {@link untilCalled} or {@link advance}. Its verbs are those of `FloxyClient`, without the id; `requestedBy` and `sentBy`
 * are `test` unless they are given.
 */
export class TestRun<Output = unknown> {
  readonly instanceId: string;
  /** `false` if it existed already under the same idempotency key. */
  readonly created: boolean;
  readonly #params: RunParams;
  readonly #startedAt: number;

  constructor(params: RunParams) {
    this.instanceId = params.instanceId;
    this.created = params.created;
    this.#params = params;
    this.#startedAt = params.world.now;
  }

  /** The virtual time. */
  get now(): Date {
    return new Date(this.#params.world.now);
  }

  /** How much virtual time has passed since it was started, in milliseconds. */
  get elapsedMs(): number {
    return this.#params.world.now - this.#startedAt;
  }

  /** The steps whose compensation was called and has completed, in that order. */
  get compensations(): readonly string[] {
    return this.#calls().flatMap(({ lane, result, step }) =>
      lane === "compensation" && result === "completed" ? [step] : [],
    );
  }

  /**
   * Goes on to the end, through all sleeps, delays and deadlines, and says how it ended. Throws `WAIT_TIMEOUT` when it will
   * not end without a person or a signal, and says which; and `OPTION_INVALID` for a step of which nobody said what it does.
   */
  async end(): Promise<RunEnd<Output>> {
    const { world } = this.#params;
    const hasEnded = await world.drive({ until: async () => isTerminal((await this.#view()).status) });
    const view = await this.#view();
    if (!hasEnded) throw stuck(view, "its end", world.now);
    return byName(view) as unknown as RunEnd<Output>;
  }

  /**
   * Goes on until it waits for a person or a signal: an open decision, a signal, a dead letter; or until this step waits,
   * whatever for, such as a sleep. Throws `INSTANCE_TERMINAL` when it has ended before, and `WAIT_TIMEOUT` when it never will.
   */
  async untilWaiting(step?: string): Promise<RunView> {
    const { world, cast } = this.#params;
    if (step !== undefined) cast.assertNode(step);
    const wanted = step === undefined ? "waiting for a person or a signal" : `waiting in step '${step}'`;
    const isThere = (view: InstanceView): boolean =>
      step === undefined
        ? waitsOf(view).some(({ kind }) => kind !== "pause")
        : view.steps.some((one) => one.step === step && isWaiting(one));
    const until = async ({ isBusy }: { readonly isBusy: boolean }): Promise<boolean> => {
      const view = await this.#view();
      return isTerminal(view.status) || (!isBusy && isThere(view));
    };
    const isOver = await world.drive({ until });
    const view = await this.#view();
    if (!isOver) throw stuck(view, wanted, world.now);
    if (isTerminal(view.status)) throw endedBefore(view, wanted);
    return byName(view);
  }

  /**
   * Goes on until this step or handler has been called, for the nth time if `attempt` says so, and stops before the result
   * counts: the moment for a test to interfere. Throws as {@link untilWaiting}.
   */
  async untilCalled(target: AnyTarget, { attempt = 1 }: { readonly attempt?: number } = {}): Promise<RunView> {
    const { world } = this.#params;
    const wanted = `attempt ${attempt} of ${nameOf(target)}`;
    const isCalled = (): boolean => this.calls(target).some((call) => call.attempt >= attempt);
    const until = async (): Promise<boolean> => isCalled() || isTerminal((await this.#view()).status);
    const isOver = await world.drive({ until, eager: true });
    const view = await this.#view();
    if (!isOver) throw stuck(view, wanted, world.now);
    if (!isCalled()) throw endedBefore(view, wanted);
    return byName(view);
  }

  /** Lets virtual time pass, and does all that is due on the way. Without a span, what can be done at this moment. */
  async advance(duration: Duration = {}): Promise<RunView> {
    const { world } = this.#params;
    await world.drive({ until: () => false, latest: world.now + msOf(duration) });
    return this.view();
  }

  /** How it stands, without anything being done. */
  async view(): Promise<RunView> {
    return byName(await this.#view());
  }

  /** The calls of a step or handler so far, or all of the instance, the first to begin first. */
  calls<Input, Returned>(target: StepHandle<string, Input, Returned>): readonly Call<Input, Returned>[];
  calls<Input, Returned>(target: HandlerContract<Input, Returned>): readonly Call<Input, Returned>[];
  calls<Of extends HandlerContract, Input>(target: CompensationContract<Of, Input>): readonly Call<Input, null>[];
  calls(target?: AnyTarget): readonly Call[];
  calls(target?: AnyTarget): readonly Call[] {
    if (target === undefined) return this.#calls();
    const selection = this.#params.cast.select(target);
    return this.#calls().filter((call) => isSelected(selection, call));
  }

  /** The calls of the compensation of a step so far. */
  compensationCalls(step: string | StepHandle): readonly Call[] {
    const selection = this.#params.cast.select(step, "compensation");
    return this.#calls().filter((call) => isSelected(selection, call));
  }

  /** All events so far. */
  async history(): Promise<readonly EventRow[]> {
    const { instanceId } = this;
    const events: EventRow[] = [];
    for (let page: EventRow[] | undefined; page === undefined || page.length === eventsPage; ) {
      page = await getEvents(this.#params.world.db, { instanceId, after: events.at(-1)?.eventId, limit: eventsPage });
      events.push(...page);
    }
    return events;
  }

  /** The history as text, a line for each event with the time since the start: `+2h  step.retried charge #1: declined`. */
  async timeline(): Promise<string> {
    return timelineOf(await this.history());
  }

  /** See `FloxyClient.cancel`. */
  cancel(options: Act<ActOptions> = {}): Promise<Operated> {
    return this.#params.operator.cancel(this.instanceId, { ...byTest, ...options });
  }

  /** See `FloxyClient.abort`. */
  abort(options: Act<ActOptions> = {}): Promise<Operated> {
    return this.#params.operator.abort(this.instanceId, { ...byTest, ...options });
  }

  /** See `FloxyClient.decide`. */
  decide(step: string, options: DecideOptions): Promise<Operated> {
    return this.#params.operator.decide(this.instanceId, step, options);
  }

  /** See `FloxyClient.signal`. */
  signal(name: string, options: Partial<SignalOptions> = {}): Promise<Operated> {
    return this.#params.operator.signal(this.instanceId, name, { sentBy: "test", ...options });
  }

  /** See `FloxyClient.requeue`. */
  requeue(step: string, options: Act<RequeueOptions> = {}): Promise<Operated> {
    return this.#params.operator.requeue(this.instanceId, step, { ...byTest, ...options });
  }

  /** See `FloxyClient.resolve`. */
  resolve(step: string, options: Act<ResolveOptions>): Promise<Operated> {
    return this.#params.operator.resolve(this.instanceId, step, { ...byTest, ...options });
  }

  /** See `FloxyClient.discard`. */
  discard(step: string, options: Act<ReasonedOptions>): Promise<Operated> {
    return this.#params.operator.discard(this.instanceId, step, { ...byTest, ...options });
  }

  /** See `FloxyClient.retryCompensation`. */
  retryCompensation(step: string, options: Act<RequeueOptions> = {}): Promise<Operated> {
    return this.#params.operator.retryCompensation(this.instanceId, step, { ...byTest, ...options });
  }

  /** See `FloxyClient.skipCompensation`. */
  skipCompensation(step: string, options: Act<ReasonedOptions>): Promise<Operated> {
    return this.#params.operator.skipCompensation(this.instanceId, step, { ...byTest, ...options });
  }

  /** See `FloxyClient.resume`. */
  resume(options: Act<ResumeOptions> = {}): Promise<Operated> {
    return this.#params.operator.resume(this.instanceId, { ...byTest, ...options });
  }

  /** See `FloxyClient.reprioritise`. */
  reprioritise(options: Act<ReprioritiseOptions>): Promise<Operated> {
    return this.#params.operator.reprioritise(this.instanceId, { ...byTest, ...options });
  }

  #calls(): readonly Call[] {
    return this.#params.world.calls.filter(({ instanceId }) => instanceId === this.instanceId);
  }

  #view(): Promise<InstanceView> {
    const { db, graphs } = this.#params.world;
    return viewInstance(db, graphs, this.instanceId);
  }
}

const byTest = { requestedBy: "test" } as const;

const byName = ({ steps, ...view }: InstanceView): RunView => ({
  ...view,
  steps: Object.fromEntries(steps.map((step) => [step.step, step])),
});

const isWaiting = ({ status, deadLetter }: StepView): boolean =>
  status === "waiting" || status === "waiting_decision" || deadLetter !== null;

const nameOf = (target: AnyTarget): string => `'${typeof target === "string" ? target : target.name}'`;
