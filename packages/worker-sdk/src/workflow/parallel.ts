/** The types of `parallel`, the shorthand for a fork of single steps. */
import type { TypesOf } from "../handler/phantom.ts";
import type { CheckStep } from "./check.ts";
import type { StepHandle } from "./step.ts";

type OutputOfStep<S extends StepHandle> = TypesOf<S>["output"];

/** What it passes on. */
export type OutputsOf<Steps extends readonly StepHandle[]> = {
  readonly [S in Steps[number] as S["name"]]: OutputOfStep<S>;
};

/** The steps, each together with what {@link CheckParallel} says of it. */
export type CheckedSteps<Steps extends readonly StepHandle[], Checks extends readonly unknown[]> = {
  readonly [I in keyof Steps]: Steps[I] & (I extends keyof Checks ? Checks[I] : unknown);
};

/**
 * Checks each step as if it stood alone, and that its name is not one of those before it. Of a list that is made at run
 * time nothing is known before.
 */
export type CheckParallel<
  Steps extends readonly StepHandle[],
  Value,
  Used extends string,
> = number extends Steps["length"] ? unknown[] : CheckTuple<Steps, Value, Used>;

type CheckTuple<Steps extends readonly StepHandle[], Value, Used extends string> = Steps extends readonly [
  StepHandle<infer Name, infer Want, unknown, infer CompensationWant>,
  ...infer Rest extends readonly StepHandle[],
]
  ? [CheckStep<Name, Want, CompensationWant, Value, Used>, ...CheckTuple<Rest, Value, Used | Name>]
  : [];
