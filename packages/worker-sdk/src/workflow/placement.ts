/** What is said of a step at the place where it is used. */
import type { CheckTemplate } from "./template.ts";

/** The mappings of a step. Each is a function that runs once, at build, on references. */
export type Placement<S, Name extends string, Value, Want, CompensationWant, M, C> = {
  /** Where its input comes from. By default it is the value passed on. */
  readonly input?: (scope: S) => M & CheckTemplate<M, Want, `input of step '${Name}'`>;
  /**
   * Where its compensation's input comes from. By default it is the step's own input. The step's output is not to be had
   * here, because it may not exist; the compensation finds it in its context.
   */
  readonly compensationInput?: [CompensationWant] extends [never]
    ? `step '${Name}' has no compensation; name one as onFailure in defineStep`
    : (scope: S) => C & CheckTemplate<C, CompensationWant, `compensation input of step '${Name}'`>;
} & ([Value] extends [Want] ? unknown : { readonly input: unknown }) &
  ([CompensationWant] extends [never]
    ? unknown
    : [Want] extends [CompensationWant]
      ? unknown
      : { readonly compensationInput: unknown });
