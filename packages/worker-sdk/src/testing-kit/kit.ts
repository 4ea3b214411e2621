/** The testing kit: a workflow with its handlers, in memory and in virtual time. */
import type { DefinitionJson, Graph, Lane } from "@floxy/shared";
import {
  buildGraph,
  FloxyError,
  insertStarts,
  newId,
  noHints,
  parseDefinition,
  prepareStart,
  registerDefinition,
} from "@floxy/shared";
import type { Acting } from "../client/acting.ts";
import { Operator } from "../client/operator.ts";
import { isWorkflow } from "../client/registrar.ts";
import type { StartOptions } from "../client/start.ts";
import { requestOf } from "../client/start.ts";
import type { CompensationContract } from "../handler/compensation.ts";
import type { Logger } from "../handler/context.ts";
import type { HandlerContract } from "../handler/contract.ts";
import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import { consoleLogger, safely } from "../worker/logger.ts";
import type { Workflow, WorkflowInput, WorkflowOutput } from "../workflow/built.ts";
import type { StepHandle } from "../workflow/step.ts";
import type { AnyTarget } from "./cast.ts";
import { Cast } from "./cast.ts";
import type { Duration } from "./duration.ts";
import { msOf } from "./duration.ts";
import { seededRandom } from "./random.ts";
import { TestRun } from "./run.ts";
import type { Script } from "./script.ts";
import type { FakeTransaction } from "./transaction.ts";
import { World } from "./world.ts";

/** How to test a workflow. */
export interface TestOptions {
  /** The implementations, as a worker is given them. What a test scripts needs none. */
  readonly handlers?: readonly AnyHandlerImplementation[] | undefined;
  /** When virtual time begins. Default 2026-01-01T00:00:00Z, so that a test does the same on every day. */
  readonly startAt?: Date | undefined;
  /**
   * A seed. What may happen in any order then happens in an order that depends on it: independent steps, and the moments at
   * which they start and end. Without it they start together and end in the order of the definition.
   */
  readonly shuffle?: number | undefined;
  /** How long a lease lasts: how long it takes until a crashed worker's step is taken over. Default 30 seconds, as in workers. */
  readonly lease?: Duration | undefined;
  /** What transactional handlers get, made anew for each attempt. */
  readonly transaction?: (() => FakeTransaction) | undefined;
  /** Where handlers log. Default: warnings and errors to the console. */
  readonly logger?: Logger | undefined;
}

/** How to start an instance in a test. */
export type TestStartOptions = Omit<StartOptions, "transaction" | "version">;

/** Acts of people in the memory of a test. */
class TestOperator extends Operator {
  static in(world: World): Operator {
    return new TestOperator(actingIn(world));
  }
}

/** A workflow under test. All its instances share one virtual time. */
export class TestKit<Input = unknown, Output = unknown> {
  /** All verbs of `FloxyClient` for operators, such as `pauseDefinition`, `audit` and `deadLetters`. */
  readonly operator: Operator;
  readonly #what: Workflow | DefinitionJson;
  readonly #graph: Graph;
  readonly #cast: Cast;
  readonly #world: World;
  #instances = 0;

  constructor(what: Workflow | DefinitionJson, options: TestOptions) {
    const { handlers = [], startAt = defaultStart, shuffle, transaction, logger = consoleLogger } = options;
    const leaseMs = options.lease === undefined ? 30_000 : msOf(options.lease);
    if (leaseMs < 10) throw new FloxyError("OPTION_INVALID", `a lease lasts 10 ms at least, not ${leaseMs} ms`);
    this.#what = what;
    this.#graph = buildGraph(isWorkflow(what) ? what.definition : parseDefinition(what));
    this.#cast = new Cast(this.#graph, handlers);
    this.#world = new World({
      graph: this.#graph,
      cast: this.#cast,
      logger: safely(logger),
      leaseMs,
      transaction,
      startAt: timeOf(startAt),
      random: shuffle === undefined ? undefined : seededRandom(shuffle),
    });
    this.operator = TestOperator.in(this.#world);
  }

  /** The virtual time. Hand it to handlers that ask for the time: `clock: () => kit.now`. */
  get now(): Date {
    return new Date(this.#world.now);
  }

  /**
   * Begins to say what the calls of a step or handler come to; what was said of the same before is forgotten. What is said
   * of a step comes before what is said of its handler. Throws `STEP_NOT_FOUND`.
   */
  on<In, Out>(step: StepHandle<string, In, Out>): Script<In, Out>;
  on<In, Out, Name extends string, Parsed, Returned>(
    handler: HandlerContract<In, Out, Name, Parsed, Returned>,
  ): Script<Parsed, Returned>;
  on<Of extends HandlerContract, In, Name extends string, Parsed>(
    handler: CompensationContract<Of, In, Name, Parsed>,
  ): Script<Parsed, void>;
  on<In = unknown, Out = unknown>(target: string): Script<In, Out>;
  on(target: AnyTarget): Script;
  on(target: AnyTarget): Script {
    return this.#script(target, "forward");
  }

  /** As {@link on}, for the calls of a step's compensation. */
  onCompensation(step: string | StepHandle): Script<unknown, void> {
    return this.#script(step, "compensation");
  }

  /** Starts an instance, as `FloxyClient.start` does. It goes on while its run is awaited. */
  async start(input: Input, options: TestStartOptions = {}): Promise<TestRun<Output>> {
    const { db, graphs } = this.#world;
    const { definition } = this.#graph;
    await registerDefinition(db, definition);
    const given = isWorkflow(this.#what) ? this.#what : definition.name;
    const request = await requestOf(given, input, options);
    const prepared = await prepareStart(db, graphs, request);
    const instanceId = idOf(++this.#instances);
    const [started] = await insertStarts(db, [{ ...prepared, row: { ...prepared.row, instanceId } }], noHints());
    if (started === undefined || started instanceof FloxyError) throw started;
    return new TestRun<Output>({ ...started, world: this.#world, cast: this.#cast, operator: this.operator });
  }

  /** Lets virtual time pass for all instances, and does all that is due on the way. */
  async advance(duration: Duration = {}): Promise<void> {
    await this.#world.drive({ until: () => false, latest: this.#world.now + msOf(duration) });
  }

  #script(target: AnyTarget, lane: Lane): Script {
    return this.#cast.script(target, lane);
  }
}

/**
 * Makes a workflow ready to be tested: with the engine that runs it in production, on a database in memory, in virtual
 * time. Nothing has to be closed.
 *
 * @example
 * const kit = testWorkflow(order, { handlers: [charge.implement(…), refund.implement(…)] });
 * kit.on("ship").fails(new NonRetryableError("no such address"));
 * const run = await kit.start({ orderId: "A-1" });
 * expect((await run.end()).status).toBe("failed");
 * expect(run.compensations).toEqual(["charge"]);
 */
export function testWorkflow<W extends Workflow>(
  workflow: W,
  options?: TestOptions,
): TestKit<WorkflowInput<W>, WorkflowOutput<W>>;
export function testWorkflow(definition: DefinitionJson, options?: TestOptions): TestKit;
export function testWorkflow(what: Workflow | DefinitionJson, options: TestOptions = {}): TestKit {
  return new TestKit(what, options);
}

const defaultStart = new Date("2026-01-01T00:00:00Z");

const timeOf = (startAt: Date): number => {
  const time = startAt.getTime();
  if (Number.isInteger(time)) return time;
  throw new FloxyError("OPTION_INVALID", "startAt is no valid date");
};

/** The id of the nth instance of a kit: the same in every run of a test. */
const idOf = (count: number): string => `01TEST${String(count).padStart(20, "0")}`;

const actingIn = (world: World): Acting => {
  const { db, graphs } = world;
  return {
    async act(perform) {
      const hints = noHints();
      const result = await perform({ db, graphs, payloadLimit: undefined, actId: newId(), hints });
      await world.onActed(hints);
      return result;
    },
    read: (look) => look(db),
    close: async () => {},
  };
};
