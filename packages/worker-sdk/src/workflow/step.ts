/** Steps as values: a handle names a step once, and whatever needs it (the chain, a mapping) takes the handle. */
import type { JsonObject, RetryPolicy } from "@floxy/shared";
import type { CompensationContract } from "../handler/compensation.ts";
import type { HandlerContract, InputOf, OutputOf } from "../handler/contract.ts";
import type { Phantom } from "../handler/phantom.ts";
import { invalid } from "./invalid.ts";
import type { CheckUndoes } from "./undoes.ts";

/** A compensation with options of its own. */
export interface CompensationOptions<C> {
  readonly handler: C;
  /** Default: ten attempts, exponential. */
  readonly retry?: RetryPolicy;
  /** How long one attempt may take, in milliseconds. Default: five minutes. */
  readonly timeoutMs?: number;
}

/** How a step is run. Each field has a default. */
export interface StepOptions<C = CompensationContract> {
  /** What undoes the step when the instance is rolled back. */
  readonly onFailure?: C | CompensationOptions<C>;
  /** When it is undone: whenever it was started (default), or only if it completed. */
  readonly compensateOn?: [C] extends [never]
    ? "a step without a compensation is never undone; name one as onFailure, or leave compensateOn out"
    : "started" | "completed";
  readonly retry?: RetryPolicy;
  /** How long one attempt may take, in milliseconds. Default: five minutes. */
  readonly timeoutMs?: number;
  /** How long to wait before the first attempt, in milliseconds. */
  readonly delayMs?: number;
  /** 0 to 100. Default: the instance's. */
  readonly priority?: number;
  /** `false`: at most one handler call, ever. No retry on error, and none after a lost lease. */
  readonly idempotent?: false;
  /** Shown in the console; not seen by the handler. */
  readonly metadata?: JsonObject;
}

/**
 * A step: a handler's contract under a name, with the options of its calls. `CompensationInput` is what its compensation
 * takes, `never` if it has none.
 */
export interface StepHandle<
  out Name extends string = string,
  out Input = unknown,
  out Output = unknown,
  out CompensationInput = unknown,
> extends Phantom<{
    readonly input: Input;
    readonly output: Output;
    readonly compensationInput: CompensationInput;
  }> {
  readonly kind: "step";
  readonly name: Name;
  readonly handler: HandlerContract;
  readonly options: StepOptions;
}

/** What a compensation takes; `never` where there is none. */
export type CompensationInputOf<C> = C extends CompensationContract<HandlerContract, infer Input> ? Input : never;

/**
 * Makes a step of a handler's contract. Its name is unique in each definition that uses it.
 * @throws FloxyError `DEFINITION_INVALID` when the compensation undoes another handler.
 */
export const defineStep = <
  const Name extends string,
  Handler extends HandlerContract,
  C extends CompensationContract = never,
>(
  name: Name,
  handler: Handler,
  options?: StepOptions<C & CheckUndoes<C, Handler, Name>>,
): StepHandle<Name, InputOf<Handler>, OutputOf<Handler>, CompensationInputOf<C>> => {
  const given: StepOptions = options ?? {};
  const undone = compensationOf(given)?.handler.of.name;
  if (undone !== undefined && undone !== handler.name) {
    invalid(
      `step ${name}`,
      "compensation_of_other_handler",
      `the compensation undoes handler '${undone}', and the step calls '${handler.name}'`,
    );
  }
  const handle: Omit<StepHandle, keyof Phantom<unknown>> = { kind: "step", name, handler, options: given };
  return handle as StepHandle<Name, InputOf<Handler>, OutputOf<Handler>, CompensationInputOf<C>>;
};

/** The compensation of a step, in its long form. */
export const compensationOf = (options: StepOptions): CompensationOptions<CompensationContract> | undefined => {
  const { onFailure } = options;
  if (onFailure === undefined) return undefined;
  return "kind" in onFailure ? { handler: onFailure } : onFailure;
};
