/** Contracts of compensations: handlers that undo what a step did, or may have done. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { CompensationContext } from "./context.ts";
import type { HandlerContract, InputOf, OutputOf, ParsedOf, SchemaInput, SchemaOutput } from "./contract.ts";
import type { CompensationImplementation, ContextWith, HandlerOptions } from "./implementation.ts";
import { implementCompensation } from "./implementation.ts";
import type { Phantom } from "./phantom.ts";
import type { AnySchema } from "./schema.ts";

/** The function behind a compensation. What it throws fails the attempt. */
export type CompensationFunction<Parsed, Output, Context = CompensationContext<Output>> = (
  input: Parsed,
  context: Context,
) => void | Promise<void>;

/** The contract of a compensation: `Of` is the handler that it undoes, `Input` what it takes. */
export interface CompensationContract<
  Of extends HandlerContract = HandlerContract,
  Input = unknown,
  Name extends string = string,
  Parsed = Input,
> extends Phantom<{ readonly input: Input }> {
  readonly kind: "compensation";
  /** By which definitions call it and workers offer it; unique in a deployment, among handlers too. */
  readonly name: Name;
  /** The handler that it undoes. */
  readonly of: Of;
  readonly input: StandardSchemaV1<Input, Parsed> | undefined;
  /** Adds what it does; the result goes into `new Worker({ handlers: [...] })`. */
  implement<const Options extends HandlerOptions = HandlerOptions>(
    run: CompensationFunction<Parsed, OutputOf<Of>, ContextWith<Options, CompensationContext<OutputOf<Of>>>>,
    options?: Options,
  ): CompensationImplementation;
}

/** What {@link defineCompensation} takes. */
export interface CompensationDefinition<Of, Name extends string, InputSchema extends AnySchema | undefined> {
  readonly name: Name;
  /** The contract of the handler that it undoes. */
  readonly of: Of;
  /** What it takes, when that is not what the handler takes; the step that uses it then needs a mapping. */
  readonly input?: InputSchema;
}

/** Makes the contract of a compensation. By default it takes what the handler took that it undoes. */
export function defineCompensation<const Of extends HandlerContract, const Name extends string, S extends AnySchema>(
  definition: CompensationDefinition<Of, Name, S> & { readonly input: S },
): CompensationContract<Of, SchemaInput<S>, Name, SchemaOutput<S>>;
export function defineCompensation<const Of extends HandlerContract, const Name extends string>(
  definition: CompensationDefinition<Of, Name, undefined>,
): CompensationContract<Of, InputOf<Of>, Name, ParsedOf<Of>>;
export function defineCompensation(definition: CompensationDefinition<HandlerContract, string, AnySchema | undefined>) {
  const { name, of } = definition;
  const input = definition.input ?? of.input;
  const contract: Omit<CompensationContract, keyof Phantom<unknown>> = {
    kind: "compensation",
    name,
    of,
    input,
    implement: (run, options) =>
      // The worker gives it the context that its options ask for.
      implementCompensation({ name, input, run: run as CompensationFunction<unknown, unknown>, options }),
  };
  return contract as CompensationContract;
}
