/** The type of a sequence that has come to an end of its own and cannot be continued. */
import type { Workflow } from "./built.ts";
import type { AnyEarly, AnyFrame, Flow, OutermostOnly } from "./flow.ts";

/** What could be called on a sequence that goes on; a type test holds this to the methods of `Sequence`. */
export type Continuation =
  | "step"
  | "savepoint"
  | "fork"
  | "parallel"
  | "condition"
  | "switch"
  | "human"
  | "sleep"
  | "signal"
  | "complete"
  | "fail"
  | "rollbackTo";

/** Each way to continue, with the sentence that says why there is none. */
type Closed<Self, Why extends string> = {
  readonly [K in Continuation]: (this: Why, ...more: readonly unknown[]) => Self;
};

interface OpenEnded<F extends AnyFrame, Certain extends string, Own extends string, Ends extends AnyEarly>
  extends Flow<never, Certain, Own, Ends, false> {
  /**
   * Makes the definition.
   * @throws FloxyError `DEFINITION_INVALID` with all problems.
   */
  build(this: OutermostOnly<F>): Workflow<F["input"], Ends["value"]>;
}

/** A sequence whose last node ends it. A branch or side returns it; the outermost one is built. */
export interface Ended<
  F extends AnyFrame,
  Certain extends string,
  Own extends string,
  Ends extends AnyEarly,
  Why extends string,
> extends OpenEnded<F, Certain, Own, Ends>,
    Closed<OpenEnded<F, Certain, Own, Ends>, Why> {}

/** Why nothing follows the node of this name. */
export type AfterEnd<Name extends string> = `nothing can follow '${Name}', which ends the sequence; return it as it is`;

/** Why nothing follows a condition or switch of this name. */
export type AfterAllEnded<Name extends string> =
  `nothing can follow '${Name}', all of whose sides end; return it as it is`;
