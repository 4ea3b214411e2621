/** Where a workflow begins. */
import type { SchemaInput } from "../handler/contract.ts";
import type { AnySchema } from "../handler/schema.ts";
import { startSequence } from "./builder.ts";
import type { WorkflowOptions } from "./built.ts";
import type { Frame } from "./flow.ts";
import type { Sequence } from "./sequence.ts";

/** The outermost sequence of a workflow, still empty. Its value is the instance's input. */
export type WorkflowStart<Input> = Sequence<Frame<Input, never, "root">, Input, never>;

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
  // The chain at run time knows no types; its methods are those of a sequence.
  return startSequence(options) as unknown as WorkflowStart<unknown>;
}
