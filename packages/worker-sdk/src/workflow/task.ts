/** From a step in its place to the task that is stored. */
import type { JsonSchema, TaskJson } from "@floxy/shared";
import { checkSchema } from "@floxy/shared";
import type { AnySchema } from "../handler/schema.ts";
import { toJsonSchema } from "../handler/schema.ts";
import type { Chain } from "./chain.ts";
import { findLast } from "./chain.ts";
import { defined } from "./defined.ts";
import { invalid } from "./invalid.ts";
import { toMapping } from "./mapping.ts";
import type { Ref } from "./ref.ts";
import { makeRef } from "./ref.ts";
import type { StepHandle } from "./step.ts";
import { compensationOf } from "./step.ts";

/** A {@link Scope} with its types erased. */
export interface AnyScope {
  readonly input: Ref<unknown>;
  readonly value: Ref<unknown>;
  outputOf(step: StepHandle): Ref<unknown>;
}

/** A {@link Placement} with its types erased. */
export interface AnyPlacement {
  readonly input?: (scope: AnyScope) => unknown;
  readonly compensationInput?: (scope: AnyScope) => unknown;
}

/** The scope of the node that comes after these steps. */
export const scopeAfter = (certain: Chain<StepHandle> | undefined): AnyScope => ({
  input: makeRef("input"),
  value: makeRef("value"),
  outputOf: (step) => {
    const known = findLast(certain, (one) => one.name === step.name);
    // Names are all that is stored, so another step of the name would pass with the wrong type. Steps that are not there
    // at all are found when the definition is checked, together with everything else.
    if (known !== undefined && known !== step) {
      invalid(`step ${step.name}`, "other_step", "outputOf(...) got another step of this name than the workflow has");
    }
    return makeRef("steps", [step.name]);
  },
});

/** The task of a step. Options that were not given are not in it. */
export const taskOf = (step: StepHandle, placement: AnyPlacement, scope: AnyScope): TaskJson => {
  const { onFailure, ...options } = step.options;
  const compensation = compensationOf(step.options);
  const { input, compensationInput } = placement;
  if (compensation === undefined && compensationInput !== undefined) {
    invalid(`step ${step.name}`, "no_compensation", "it has a compensationInput mapping but no compensation");
  }
  if (compensation === undefined && options.compensateOn !== undefined) {
    invalid(`step ${step.name}`, "no_compensation", "it says compensateOn but has no compensation");
  }
  return {
    kind: "task",
    name: step.name,
    handler: step.handler.name,
    ...(input && { input: toMapping(input(scope), `${step.name}.input`) }),
    ...defined({ ...options, inputSchema: inputSchemaOf(step.handler.input) }),
    ...(compensation && {
      compensation: {
        handler: compensation.handler.name,
        ...(compensationInput && {
          input: toMapping(compensationInput(scope), `${step.name}.compensation.input`),
        }),
        ...defined({ retry: compensation.retry, timeoutMs: compensation.timeoutMs }),
      },
    }),
  };
};

/** Handlers are called by many steps, and what their schemas come to is worked out once. */
const inputSchemas = new WeakMap<AnySchema, { readonly document: JsonSchema | undefined }>();

/**
 * The JSON Schema of what a handler takes. Left out when Floxy could not check it, which is not the workflow's fault: the
 * worker checks every input against the handler's own schema.
 */
const inputSchemaOf = (schema: AnySchema | undefined): JsonSchema | undefined => {
  if (schema === undefined) return undefined;
  const known = inputSchemas.get(schema);
  if (known !== undefined) return known.document;
  const document = toJsonSchema(schema);
  const usable = document !== undefined && checkSchema(document).length === 0 ? document : undefined;
  inputSchemas.set(schema, { document: usable });
  return usable;
};
