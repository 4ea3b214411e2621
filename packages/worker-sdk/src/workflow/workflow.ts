/** Workflows: definitions that know the types of their input and output. */
import type { DefinitionJson, JsonObject } from "@floxy/shared";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { SchemaInput } from "../handler/contract.ts";
import type { AnySchema } from "../handler/schema.ts";
import { startSequence } from "./builder.ts";
import type { Frame } from "./flow.ts";
import type { Sequence } from "./sequence.ts";

/** A definition, ready to be registered and started. */
export interface Workflow<out Input = unknown, out Output = unknown> {
  readonly definition: DefinitionJson;
  /** The hash of the definition: the same for the same definition, also in another process. */
  readonly fingerprint: string;
  /** Checks an instance's input at its start. The input is stored as it was given, not as the schema transforms it. */
  readonly inputSchema: StandardSchemaV1<Input, unknown> | undefined;
  /** Only in the types: what inference reads. There is no such property at run time. */
  readonly "~types"?: { readonly input: Input; readonly output: Output };
}

/** What instances of a workflow start with. */
export type WorkflowInput<W extends Workflow> = NonNullable<W["~types"]>["input"];

/** What instances of a workflow end with. */
export type WorkflowOutput<W extends Workflow> = NonNullable<W["~types"]>["output"];

/** What a workflow is called and how its instances are treated. */
export interface WorkflowOptions<S extends AnySchema | undefined = AnySchema | undefined> {
  readonly name: string;
  /** An integer ≥ 1. What is registered under a version never changes; a change is a new version. */
  readonly version: number;
  /** A Standard Schema. Where its library can tell, its JSON Schema becomes part of the definition. */
  readonly input?: S;
  readonly description?: string;
  /** 0 to 100; the priority of instances that are started without one. Default 50. */
  readonly priority?: number;
  readonly metadata?: JsonObject;
}

/** The outermost sequence of a workflow, still empty. Its value is the instance's input. */
export type WorkflowStart<Input> = Sequence<Frame<Input, never, "root">, Input, never, never>;

/**
 * Starts a workflow. Its input's type comes from a schema, or is given alone: `workflow<Order>({ name, version })`.
 *
 * @example
 * export const order = workflow({ name: "order", version: 1, input: Order })
 *   .step(charge, { input: ({ input }) => ({ orderId: input.id, amount: input.total }) })
 *   .step(ship)
 *   .build();
 */
export function workflow<S extends AnySchema>(
  options: WorkflowOptions<S> & { readonly input: S },
): WorkflowStart<SchemaInput<S>>;
export function workflow<Input>(options: WorkflowOptions<undefined>): WorkflowStart<Input>;
export function workflow(options: WorkflowOptions): WorkflowStart<unknown> {
  return startSequence(options);
}
