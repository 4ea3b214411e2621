/** Who plays which step: the implementations that a test gave, and the scripts that stand in for them. */
import type { Graph, Json, Lane, LeasedStep } from "@floxy/shared";
import { FloxyError, quote } from "@floxy/shared";
import type { CompensationContract } from "../handler/compensation.ts";
import type { HandlerContract } from "../handler/contract.ts";
import type { AnyHandlerImplementation, HandlerSchemas } from "../handler/implementation.ts";
import { implementCompensation, implementHandler } from "../handler/implementation.ts";
import { checkHandlers } from "../worker/option-check.ts";
import type { StepHandle } from "../workflow/step.ts";
import { compensationOf } from "../workflow/step.ts";
import type { Behaviour, Rules, Script, ScriptFunction } from "./script.ts";
import { createScript } from "./script.ts";

/** What something can be said of: a step or a handler by name, a step, a contract, or an implementation. */
export type AnyTarget = string | StepHandle | HandlerContract | CompensationContract | AnyHandlerImplementation;

/** Calls of one step in one lane, or of one handler. */
export type Selection =
  | { readonly kind: "step"; readonly step: string; readonly lane: Lane }
  | { readonly kind: "handler"; readonly handler: string };

interface Task {
  readonly step: string;
  readonly handler: string;
  readonly compensation: string | undefined;
}

/** The implementations and scripts of a test. */
export class Cast {
  readonly #graph: Graph;
  readonly #tasks: readonly Task[];
  readonly #implementations: ReadonlyMap<string, AnyHandlerImplementation>;
  readonly #schemas = new Map<string, HandlerSchemas>();
  readonly #rules = new Map<string, Rules>();

  /** Throws `OPTION_INVALID` or `NAME_INVALID` for handlers that a worker would not take either. */
  constructor(graph: Graph, handlers: readonly AnyHandlerImplementation[]) {
    const problems = Array.isArray(handlers) && handlers.length === 0 ? [] : checkHandlers(handlers);
    if (problems.length > 0) {
      const list = problems.map(({ message }) => message).join("; ");
      throw new FloxyError("OPTION_INVALID", `The handlers of testWorkflow: ${list}.`, { problems });
    }
    this.#graph = graph;
    this.#tasks = [...graph.nodes.values()].flatMap((node) => {
      if (node.kind !== "task") return [];
      const { handler, compensation } = node.json;
      return [{ step: node.name, handler, compensation: compensation?.handler }];
    });
    this.#implementations = new Map(handlers.map((handler) => [handler.name, handler]));
    for (const { name, schemas } of handlers) if (schemas !== undefined) this.#schemas.set(name, schemas);
  }

  /** All handlers that the definition calls, and whether they want a transaction. */
  get handlers(): readonly { readonly handler: string; readonly transactional: boolean }[] {
    const names = new Set(
      this.#tasks.flatMap(({ handler, compensation }) => [
        handler,
        ...(compensation === undefined ? [] : [compensation]),
      ]),
    );
    return [...names].map((handler) => ({
      handler,
      transactional: this.#implementations.get(handler)?.options.transactional ?? false,
    }));
  }

  /** Begins a script; what was said of the same before is forgotten. Throws as {@link select}. */
  script(target: AnyTarget, lane: Lane = "forward"): Script {
    const selection = this.select(target, lane);
    const { script, rules } = createScript(`'${selection.kind === "step" ? selection.step : selection.handler}'`);
    this.#rules.set(keyOf(selection), rules);
    this.#learn(target);
    return script;
  }

  /** What a test means. Throws `STEP_NOT_FOUND` with the names that there are. */
  select(target: AnyTarget, lane: Lane = "forward"): Selection {
    if (typeof target === "string") {
      if (this.#taskOf(target, lane) !== undefined) return { kind: "step", step: target, lane };
      if (lane === "forward" && this.#isCalled(target)) return { kind: "handler", handler: target };
      throw this.#unknown(quote(target), lane);
    }
    if (target.kind === "step") {
      if (this.#taskOf(target.name, lane) !== undefined) return { kind: "step", step: target.name, lane };
      throw this.#unknown(`step ${quote(target.name)}`, lane);
    }
    if (this.#isCalled(target.name)) return { kind: "handler", handler: target.name };
    throw this.#unknown(`handler ${quote(target.name)}`, lane);
  }

  /** Throws `STEP_NOT_FOUND` for a name that no node has. */
  assertNode(name: string): void {
    if (this.#graph.nodes.has(name)) return;
    const known = [...this.#graph.nodes.keys()].map((one) => `'${one}'`).join(", ");
    const message = `workflow '${this.#graph.definition.name}' has no step ${quote(name)}; it has ${known}`;
    throw new FloxyError("STEP_NOT_FOUND", message);
  }

  /** What the next call of a leased step comes to. */
  behaviourOf({ node, lane, handler }: LeasedStep): Behaviour {
    const ofStep = this.#rules.get(keyOf({ kind: "step", step: node, lane }))?.next();
    return ofStep ?? this.#rules.get(keyOf({ kind: "handler", handler }))?.next() ?? { kind: "runs", takesMs: 0 };
  }

  /**
   * What is called for a leased step: a function of a script, between the schemas of the handler as far as they are known,
   * or else its implementation. Throws `OPTION_INVALID` when there is neither.
   */
  implementationOf(leased: LeasedStep, run?: ScriptFunction<unknown, unknown>): AnyHandlerImplementation {
    const { handler, lane } = leased;
    if (run === undefined) {
      const implementation = this.#implementations.get(handler);
      if (implementation === undefined) throw missing(leased);
      return implementation;
    }
    const { input, output } = this.#schemas.get(handler) ?? {};
    const parts = { name: handler, input, output, options: undefined };
    // A script of a forward step may look for what only compensations get, and then finds nothing.
    if (lane === "forward") return implementHandler({ ...parts, run: run as ScriptFunction<unknown, Json> as never });
    return implementCompensation({
      ...parts,
      run: async (value, context) => {
        await run(value, context);
      },
    });
  }

  #taskOf(name: string, lane: Lane): Task | undefined {
    return this.#tasks.find(
      ({ step, compensation }) => step === name && (lane === "forward" || compensation !== undefined),
    );
  }

  #isCalled(name: string): boolean {
    return this.#tasks.some(({ handler, compensation }) => handler === name || compensation === name);
  }

  /** Contracts bring schemas that scripts are held to when there is no implementation. */
  #learn(target: AnyTarget): void {
    if (typeof target === "string" || "invoke" in target) return;
    if (target.kind !== "step") {
      this.#learnContract(target);
      return;
    }
    this.#learnContract(target.handler);
    const compensation = compensationOf(target.options)?.handler;
    if (compensation !== undefined) this.#learnContract(compensation);
  }

  #learnContract(contract: HandlerContract | CompensationContract): void {
    if (this.#schemas.has(contract.name)) return;
    const output = contract.kind === "handler" ? contract.output : undefined;
    this.#schemas.set(contract.name, { input: contract.input, output });
  }

  #unknown(what: string, lane: Lane): FloxyError {
    const { name } = this.#graph.definition;
    const known = this.#tasks
      .filter(({ step }) => this.#taskOf(step, lane) !== undefined)
      .map(({ step }) => `'${step}'`);
    const steps = lane === "forward" ? "steps" : "steps with a compensation";
    const list = known.length === 0 ? `it has no ${steps}` : `its ${steps} are ${known.join(", ")}`;
    return new FloxyError("STEP_NOT_FOUND", `${what} is nothing that workflow '${name}' calls; ${list}`);
  }
}

/** Whether a call is one of these. */
export const isSelected = (
  selection: Selection,
  call: { readonly step: string; readonly lane: Lane; readonly handler: string },
): boolean =>
  selection.kind === "step"
    ? selection.step === call.step && selection.lane === call.lane
    : selection.handler === call.handler;

const keyOf = (selection: Selection): string =>
  selection.kind === "step" ? `step ${selection.lane} ${selection.step}` : `handler ${selection.handler}`;

const missing = ({ node, lane, handler }: LeasedStep): FloxyError => {
  const [what, on] =
    lane === "forward" ? [`step '${node}'`, "on"] : [`the compensation of step '${node}'`, "onCompensation"];
  const message =
    `${what} is to be called, and the test does not say what its handler '${handler}' does: ` +
    `give its implementation, testWorkflow(workflow, { handlers: [contract.implement(…)] }), or write a script, kit.${on}("${node}").returns(…)`;
  return new FloxyError("OPTION_INVALID", message, { data: { step: node, handler } });
};
