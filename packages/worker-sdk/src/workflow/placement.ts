/** What is said of a step at the place where it is used. */
import type { NeedsMapping, Unmapped } from "./check.ts";
import type { CheckedTemplate } from "./template.ts";

/** Stands for the mapping that was not given. */
export interface NoMapping {
  readonly "~noMapping": never;
}

/**
 * The mappings of a step. Each is a function that runs once, at build, on references.
 *
 * Sentences stand in what the functions return and never in place of the functions: the compiler looks at the object
 * before it looks into its functions, and what does not fit by then is reported without a word about their mistakes.
 */
export interface Placement<S, Name extends string, Want, CompensationWant, M, C> {
  /** Where its input comes from. `({ value }) => value` is what a step without mappings gets. */
  readonly input: (
    scope: S,
  ) => IsForgotten<Want, CompensationWant, C> extends true
    ? Unmapped<Name>
    : CheckedTemplate<M, Want, `the input of step '${Name}'`>;
  /**
   * Where its compensation's input comes from; by default it is the step's. The step's own output is not to be had,
   * because it may not exist; the compensation finds it in its context.
   */
  readonly compensationInput?: (
    scope: S,
  ) => [CompensationWant] extends [never]
    ? `step '${Name}' has no compensation; name one as onFailure in defineStep`
    : CheckedTemplate<C, CompensationWant, `the compensation's input of step '${Name}'`>;
}

type IsForgotten<Want, CompensationWant, C> =
  NeedsMapping<Want, CompensationWant> extends true ? ([C] extends [NoMapping] ? true : false) : false;
