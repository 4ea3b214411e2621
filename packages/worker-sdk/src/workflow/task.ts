/** From a step in its place to the task that is stored. */
import type { TaskJson } from "@floxy/shared";
import type { Chain } from "./chain.ts";
import { findLast } from "./chain.ts";
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
  return {
    kind: "task",
    name: step.name,
    handler: step.handler.name,
    ...(input && { input: toMapping(input(scope), `${step.name}.input`) }),
    ...defined(options),
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

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

const defined = <T extends object>(options: T): Defined<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
