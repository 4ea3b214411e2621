/**
 * Contracts: what a handler is called, takes and returns, without what it does. Services share contracts, so that one
 * service can put another's handler into its workflow and be checked against it.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { StepContext } from "./context.ts";
import type { ContextWith, HandlerImplementation, HandlerOptions } from "./implementation.ts";
import { implementHandler } from "./implementation.ts";
import type { Phantom, TypesOf } from "./phantom.ts";
import type { AnySchema } from "./schema.ts";

/** The function behind a handler. What it throws fails the attempt. */
export type HandlerFunction<Parsed, Returned, Context = StepContext> = (
  input: Parsed,
  context: Context,
) => Returned | Promise<Returned>;

/**
 * The contract of a handler. `Input` is what a workflow must supply and `Output` what it gets back; with a schema that
 * fills in or transforms, the implementation takes `Parsed` and returns `Returned`.
 */
export interface HandlerContract<
  Input = unknown,
  Output = unknown,
  Name extends string = string,
  Parsed = Input,
  Returned = Output,
> extends Phantom<{ readonly input: Input; readonly output: Output; readonly parsed: Parsed }> {
  readonly kind: "handler";
  /** By which definitions call it and workers offer it; unique in a deployment. */
  readonly name: Name;
  readonly input: StandardSchemaV1<Input, Parsed> | undefined;
  readonly output: StandardSchemaV1<Returned, Output> | undefined;
  /** Adds what it does; the result goes into `new Worker({ handlers: [...] })`. */
  implement<const Options extends HandlerOptions = HandlerOptions>(
    run: HandlerFunction<Parsed, Returned, ContextWith<Options, StepContext>>,
    options?: Options,
  ): HandlerImplementation;
}

/** What a workflow must supply to the handler. */
export type InputOf<Contract extends HandlerContract> = TypesOf<Contract>["input"];

/** What a workflow gets back from the handler. */
export type OutputOf<Contract extends HandlerContract> = TypesOf<Contract>["output"];

/** What the implementation of the handler takes. */
export type ParsedOf<Contract extends HandlerContract> = TypesOf<Contract>["parsed"];

/** What {@link defineHandler} takes when schemas check input or output. */
export interface HandlerDefinition<
  Name extends string,
  InputSchema extends AnySchema | undefined,
  OutputSchema extends AnySchema | undefined,
> {
  readonly name: Name;
  readonly input?: InputSchema;
  readonly output?: OutputSchema;
}

/** What a schema takes; a missing one takes anything. */
export type SchemaInput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : unknown;

/** What a schema yields; a missing one yields anything. */
export type SchemaOutput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : unknown;

/**
 * Makes the contract of a handler, with schemas of any Standard Schema library, or with types alone:
 * `defineHandler<Input, Output>({ name: "charge-card" })`.
 */
export function defineHandler<
  const Name extends string,
  InputSchema extends AnySchema | undefined = undefined,
  OutputSchema extends AnySchema | undefined = undefined,
>(
  definition: HandlerDefinition<Name, InputSchema, OutputSchema>,
): HandlerContract<
  SchemaInput<InputSchema>,
  SchemaOutput<OutputSchema>,
  Name,
  SchemaOutput<InputSchema>,
  SchemaInput<OutputSchema>
>;
export function defineHandler<Input, Output>(definition: { readonly name: string }): HandlerContract<Input, Output>;
export function defineHandler(definition: HandlerDefinition<string, AnySchema | undefined, AnySchema | undefined>) {
  const { name, input, output } = definition;
  const contract: Omit<HandlerContract, keyof Phantom<unknown>> = {
    kind: "handler",
    name,
    input,
    output,
    implement: (run, options) =>
      // The worker gives it the context that its options ask for.
      implementHandler({ name, input, output, run: run as HandlerFunction<unknown, unknown>, options }),
  };
  return contract as HandlerContract;
}
