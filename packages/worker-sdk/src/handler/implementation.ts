/** Implementations: what a worker is given to run. Their types are erased, because a worker only sees JSON. */
import type { CompensationContext, StepContext } from "./context.ts";
import type { AnySchema } from "./schema.ts";
import { validateWith } from "./schema.ts";
import type { InTransaction } from "./transaction.ts";

/** How a worker runs a handler. */
export interface HandlerOptions {
  /** How many calls of this handler one worker makes at the same time. By default the worker's own limit. */
  readonly concurrency?: number;
  /**
   * Whether each call gets a transaction on Floxy's own database, as `context.transaction`. What it writes there is
   * committed together with the completion of the step, or not at all.
   */
  readonly transactional?: boolean;
}

/** The context of a handler with these options. */
export type ContextWith<Options extends HandlerOptions, Context> = Options extends { readonly transactional: true }
  ? Context & InTransaction
  : Context;

/** What the contract of a handler checks. */
export interface HandlerSchemas {
  readonly input?: AnySchema | undefined;
  readonly output?: AnySchema | undefined;
}

/** A handler that can be run. */
export interface HandlerImplementation {
  readonly kind: "handler";
  readonly name: string;
  readonly options: HandlerOptions;
  /** What {@link invoke} checks, for those who call something else in its place, such as tests. */
  readonly schemas?: HandlerSchemas;
  /**
   * Checks the input, runs the handler and checks its output. Rejects with what the handler throws, also synchronously,
   * or with `INPUT_INVALID` or `OUTPUT_INVALID`. `onCall` is told just before the handler is called: a step whose input was
   * refused has had no effect for certain.
   */
  invoke(input: unknown, context: StepContext, onCall?: () => void): Promise<unknown>;
}

/** A compensation that can be run. */
export interface CompensationImplementation {
  readonly kind: "compensation";
  readonly name: string;
  readonly options: HandlerOptions;
  /** As {@link HandlerImplementation.schemas}. */
  readonly schemas?: HandlerSchemas;
  /** As {@link HandlerImplementation.invoke}, without a result. */
  invoke(input: unknown, context: CompensationContext, onCall?: () => void): Promise<void>;
}

/** Anything that a worker can be given. */
export type AnyHandlerImplementation = HandlerImplementation | CompensationImplementation;

/** The parts of a handler, with its types erased. */
export interface HandlerParts<Context extends StepContext, Result> {
  readonly name: string;
  readonly input: AnySchema | undefined;
  readonly output?: AnySchema | undefined;
  readonly run: (input: unknown, context: Context) => Result | Promise<Result>;
  readonly options: HandlerOptions | undefined;
}

/** Puts a handler's function between its schemas. */
export const implementHandler = (parts: HandlerParts<StepContext, unknown>): HandlerImplementation => {
  const { name, input: inputSchema, output, run, options = {} } = parts;
  return {
    kind: "handler",
    name,
    options,
    schemas: { input: inputSchema, output },
    invoke: async (input, context, onCall) => {
      const parsed = inputSchema === undefined ? input : await validInput(name, inputSchema, input);
      onCall?.();
      const result = await run(parsed, context);
      if (output === undefined) return result;
      return validateWith(output, result, { code: "OUTPUT_INVALID", subject: `output of handler '${name}'` });
    },
  };
};

/** Puts a compensation's function behind its schema. Whatever it returns is dropped. */
export const implementCompensation = (parts: HandlerParts<CompensationContext, void>): CompensationImplementation => {
  const { name, input: inputSchema, run, options = {} } = parts;
  return {
    kind: "compensation",
    name,
    options,
    schemas: { input: inputSchema },
    invoke: async (input, context, onCall) => {
      const parsed = inputSchema === undefined ? input : await validInput(name, inputSchema, input);
      onCall?.();
      await run(parsed, context);
    },
  };
};

const validInput = (name: string, schema: AnySchema, input: unknown): Promise<unknown> =>
  validateWith(schema, input, { code: "INPUT_INVALID", subject: `input of handler '${name}'` });
