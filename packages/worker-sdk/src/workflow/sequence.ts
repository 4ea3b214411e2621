/**
 * The type of the chain. It carries what is passed on and two unions of names, and no record of outputs: a step's output
 * is in its handle. That keeps the cost of a chain linear in its length (`types.test.ts` measures it).
 */
import type { Workflow } from "./built.ts";
import type { CheckStep, CheckUnused, FreeName, Known } from "./check.ts";
import type {
  AnyFlow,
  AnyFrame,
  CertainOf,
  CheckedBranch,
  CheckedElse,
  Flow,
  Frame,
  Joined,
  OwnOf,
  SavepointName,
  ValueOf,
} from "./flow.ts";
import type { CheckedSteps, CheckParallel, OutputsOf } from "./parallel.ts";
import type { NoMapping, Placement } from "./placement.ts";
import type { Scope, When } from "./scope.ts";
import type { StepHandle } from "./step.ts";

/** The sequence that a branch of a fork starts with. */
type BranchStart<F extends AnyFrame, Value, Certain extends string, Used extends string> = Sequence<
  Frame<F["input"], F["outer"] | Used, "branch">,
  Value,
  Certain,
  never
>;

/** The sequence that a side of a condition starts with. A side of a condition in a branch is in that branch. */
type SideStart<F extends AnyFrame, Value, Certain extends string, Used extends string> = Sequence<
  Frame<F["input"], F["outer"] | Used, F["place"] extends "branch" ? "branch" : "side">,
  Value,
  Certain,
  never
>;

/**
 * Nodes that run one after another; immutable, each method answers a longer one.
 * `F`: where it stands. `Value`: what its last node passes on. `Certain`: the steps that certainly ran by then, also those
 * before it. `Own`: all names in it, at any depth.
 */
export interface Sequence<F extends AnyFrame, Value, Certain extends string, Own extends string>
  extends Flow<Value, Certain, Own> {
  /** Adds a step that takes the value passed on to it. */
  step<const Name extends string, Want, Output, CompensationWant>(
    step: StepHandle<Name, Want, Output, CompensationWant> &
      CheckStep<Name, Want, CompensationWant, Value, Own | F["outer"]>,
  ): Sequence<F, Output, Certain | Known<Name>, Own | Known<Name>>;
  /** Adds a step with mappings: where its input, and its compensation's, comes from. */
  step<const Name extends string, Want, Output, CompensationWant, const M, const C = NoMapping>(
    step: StepHandle<Name, Want, Output, CompensationWant> & CheckUnused<Name, Own | F["outer"]>,
    placement: Placement<Scope<F["input"], Value, Certain, Own | F["outer"]>, Name, Want, CompensationWant, M, C>,
  ): Sequence<F, Output, Certain | Known<Name>, Own | Known<Name>>;

  /** Adds a boundary at which rollback stops. */
  savepoint<const Name extends string>(
    name: SavepointName<Name, Own | F["outer"], F["place"]>,
  ): Sequence<F, Value, Certain, Own | Known<Name>>;

  /**
   * Runs branches beside each other and goes on when all have arrived, with `{ branch: its value }`. Each branch starts
   * with the value passed on to the fork.
   */
  fork<const Name extends string, B extends Readonly<Record<string, AnyFlow>>>(
    name: FreeName<Name, Own | F["outer"]>,
    branches: {
      readonly [K in keyof B]: (branch: BranchStart<F, Value, Certain, Own | Known<Name>>) => CheckedBranch<B, K>;
    },
  ): Sequence<F, Joined<B>, Certain | CertainOf<B[keyof B]>, Own | Known<Name> | OwnOf<B[keyof B]>>;

  /** A fork whose branches are single steps, each a branch of its own name. */
  parallel<const Name extends string, const Steps extends readonly StepHandle[]>(
    name: FreeName<Name, Own | F["outer"]>,
    steps: CheckedSteps<Steps, CheckParallel<Steps, Value, Own | Name | F["outer"]>>,
  ): Sequence<F, OutputsOf<Steps>, Certain | Known<Steps[number]["name"]>, Own | Known<Name | Steps[number]["name"]>>;

  /** Takes one of two sides and goes on with its value. A side that is left out or empty passes its input on. */
  condition<
    const Name extends string,
    Then extends AnyFlow,
    Else extends AnyFlow = SideStart<F, Value, Certain, Own | Known<Name>>,
  >(
    name: FreeName<Name, Own | F["outer"]>,
    sides: {
      readonly when: When<Scope<F["input"], Value, Certain, Own | F["outer"]>>;
      readonly then: (side: SideStart<F, Value, Certain, Own | Known<Name>>) => Then;
      readonly else?: (side: SideStart<F, Value, Certain, Own | Known<Name>>) => CheckedElse<Then, Else>;
    },
  ): Sequence<F, ValueOf<Then> | ValueOf<Else>, Certain, Own | Known<Name> | OwnOf<Then> | OwnOf<Else>>;

  /**
   * Makes the definition.
   * @throws FloxyError `DEFINITION_INVALID` with all problems.
   */
  build(
    this: F["place"] extends "root"
      ? unknown
      : "only the outermost sequence is built; a branch or side is returned as it is",
  ): Workflow<F["input"], Value>;
}
