/** What mappings and conditions see. */
import type { Condition } from "./condition.ts";
import type { Ref } from "./ref.ts";
import type { StepHandle } from "./step.ts";

/** The data that exists when a node starts, as references. */
export interface Scope<Input, Value, Certain extends string, Used extends string> {
  /** The instance's input. */
  readonly input: Ref<Input>;
  /** What the node before passed on. */
  readonly value: Ref<Value>;
  /** What a step returned that certainly ran before this node. */
  outputOf<Name extends string, Output>(
    step: StepHandle<Name, unknown, Output> & CheckReachable<Name, Certain, Used>,
  ): Ref<Output>;
}

/** What decides a condition: a helper's result, CEL, or a function of the {@link Scope} that answers one of the two. */
export type When<S> = Condition | string | ((scope: S) => Condition | string);

type CheckReachable<Name extends string, Certain extends string, Used extends string> = Name extends Certain
  ? unknown
  : string extends Name
    ? unknown
    : Name extends Used
      ? `step '${Name}' may not have run: it is on a side of a condition, or where the flow need not have come, so its output may not exist`
      : `step '${Name}' does not certainly run before this: it comes later, is in another branch, or is not in this workflow`;
