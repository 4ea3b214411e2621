/**
 * The type of the chain. It carries what is passed on and two unions of names, and no record of outputs: a step's output
 * is in its handle. That keeps the cost of a chain linear in its length (`types.test.ts` measures it).
 */
import type { JoinRule } from "@floxy/shared";
import type { SchemaInput } from "../handler/contract.ts";
import type { AnySchema } from "../handler/schema.ts";
import type { Workflow } from "./built.ts";
import type { CheckStep, CheckUnused, FreeName, FreeNames, Known } from "./check.ts";
import type { Decided, Shown } from "./decision.ts";
import type { AfterAllEnded, AfterEnd, Ended } from "./ended.ts";
import type {
  AddEarly,
  AnyEarly,
  AnyFlow,
  AnyFrame,
  CheckedBranch,
  CheckedElse,
  Early,
  EarlyOf,
  Flow,
  Frame,
  GoesOn,
  OutermostOnly,
  OwnOf,
  ValueOf,
} from "./flow.ts";
import type { AfterDecision, HumanOptions, RejectedName, RejectRule } from "./human.ts";
import type { CertainInBranches, Joined, JoinedSteps, JoinOptions, WaitsForAll } from "./join.ts";
import type { CheckedSteps, CheckParallel } from "./parallel.ts";
import type { NoMapping, Placement } from "./placement.ts";
import type { PassedMark, PassedSavepoint, SavepointName, SavepointOptions } from "./savepoint.ts";
import type { Scope, When } from "./scope.ts";
import type { StepHandle } from "./step.ts";
import type { Cases, FurtherNames, SomeFlows } from "./switch.ts";
import type { SignalNodeOptions, SleepOptions } from "./wait.ts";

/** The sequence that a branch of a fork starts with. */
type BranchStart<F extends AnyFrame, Value, Certain extends string, Used extends string> = Sequence<
  Frame<F["input"], F["outer"] | Used, "branch">,
  Value,
  Certain
>;

/** The sequence that a side of a condition starts with. A side of a condition in a branch is in that branch. */
type SideStart<F extends AnyFrame, Value, Certain extends string, Used extends string> = Sequence<
  Frame<F["input"], F["outer"] | Used, F["place"] extends "branch" ? "branch" : "side">,
  Value,
  Certain
>;

/** What is behind a node with these sides: nothing can follow when all of them have ended. */
type Behind<
  Sides extends AnyFlow,
  F extends AnyFrame,
  Certain extends string,
  Own extends string,
  Ends extends AnyEarly,
  Name extends string,
> =
  GoesOn<Sides> extends true
    ? Sequence<F, ValueOf<Sides>, Certain, Own, Ends>
    : Ended<F, Certain, Own, Ends, AfterAllEnded<Name>>;

/**
 * Nodes that run one after another; immutable, each method answers a longer one.
 * `F`: where it stands. `Value`: what its last node passes on. `Certain`: the steps that certainly ran by then, also those
 * before it, and the savepoints that were passed. `Own`: all names in it, at any depth. `Ends`: how it may have completed
 * before.
 */
export interface Sequence<
  F extends AnyFrame,
  Value,
  Certain extends string,
  Own extends string = never,
  Ends extends AnyEarly = never,
> extends Flow<Value, Certain, Own, Ends> {
  /** Adds a step that takes the value passed on to it. */
  step<const Name extends string, Want, Output, CompensationWant>(
    step: StepHandle<Name, Want, Output, CompensationWant> &
      CheckStep<Name, Want, CompensationWant, Value, Own | F["outer"]>,
  ): Sequence<F, Output, Certain | Known<Name>, Own | Known<Name>, Ends>;
  /** Adds a step with mappings: where its input, and its compensation's, comes from. */
  step<const Name extends string, Want, Output, CompensationWant, const M, const C = NoMapping>(
    step: StepHandle<Name, Want, Output, CompensationWant> & CheckUnused<Name, Own | F["outer"]>,
    placement: Placement<Scope<F["input"], Value, Certain, Own | F["outer"]>, Name, Want, CompensationWant, M, C>,
  ): Sequence<F, Output, Certain | Known<Name>, Own | Known<Name>, Ends>;

  /** Adds a boundary at which rollback stops. */
  savepoint<const Name extends string>(
    name: SavepointName<Name, Own | F["outer"], F["place"]>,
    options?: SavepointOptions,
  ): Sequence<F, Value, Certain | PassedMark<Known<Name>>, Own | Known<Name>, Ends>;

  /**
   * Runs branches beside each other and goes on when all have arrived, or as many as `join` asks for, with
   * `{ branch: its value }`. Each branch starts with the value passed on to the fork.
   */
  fork<const Name extends string, B extends Readonly<Record<string, AnyFlow>>, const Rule extends JoinRule = "all">(
    name: FreeName<Name, Own | F["outer"]>,
    branches: {
      readonly [K in keyof B]: (
        branch: NoInfer<BranchStart<F, Value, Certain, Own | Known<Name>>>,
      ) => CheckedBranch<B, K>;
    },
    options?: JoinOptions<Rule>,
  ): Sequence<F, Joined<B, Rule>, Certain | CertainInBranches<B, Rule>, Own | Known<Name> | OwnOf<B[keyof B]>, Ends>;

  /** A fork whose branches are single steps, each a branch of its own name. */
  parallel<const Name extends string, const Steps extends readonly StepHandle[], const Rule extends JoinRule = "all">(
    name: FreeName<Name, Own | F["outer"]>,
    steps: CheckedSteps<Steps, CheckParallel<Steps, Value, Own | Name | F["outer"]>>,
    options?: JoinOptions<Rule>,
  ): Sequence<
    F,
    JoinedSteps<Steps, Rule>,
    Certain | (WaitsForAll<Rule> extends true ? Known<Steps[number]["name"]> : never),
    Own | Known<Name | Steps[number]["name"]>,
    Ends
  >;

  /** Takes one of two sides and goes on with its value. A side that is left out or empty passes its input on. */
  condition<
    const Name extends string,
    Then extends AnyFlow,
    Else extends AnyFlow = SideStart<F, Value, Certain, Own | Known<Name>>,
  >(
    name: FreeName<Name, Own | F["outer"]>,
    sides: {
      readonly when: When<Scope<F["input"], Value, Certain, Own | F["outer"]>>;
      readonly then: (side: NoInfer<SideStart<F, Value, Certain, Own | Known<Name>>>) => Then;
      readonly else?: (side: NoInfer<SideStart<F, Value, Certain, Own | Known<Name>>>) => CheckedElse<Then, Else>;
    },
  ): Behind<
    Then | Else,
    F,
    Certain,
    Own | Known<Name> | OwnOf<Then> | OwnOf<Else>,
    AddEarly<Ends, EarlyOf<Then> | EarlyOf<Else>, Certain>,
    Name
  >;

  /**
   * Takes the side of the first case whose condition holds, else that of `else`, and goes on with its value. At most 50
   * cases: they are stored as conditions in each other's else sides, called `name`, `name.2`, `name.3`, ….
   */
  switch<
    const Name extends string,
    C extends SomeFlows,
    Else extends AnyFlow = SideStart<F, Value, Certain, Own | Known<Name>>,
  >(
    name: FreeNames<Name, FurtherNames<Name, C>, Own | F["outer"]>,
    sides: {
      readonly cases: Cases<
        C,
        Scope<F["input"], Value, Certain, Own | F["outer"]>,
        SideStart<F, Value, Certain, Own | Known<Name>>
      >;
      readonly else?: (side: NoInfer<SideStart<F, Value, Certain, Own | Known<Name>>>) => CheckedElse<C[number], Else>;
    },
  ): Behind<
    C[number] | Else,
    F,
    Certain,
    Own | Known<Name> | FurtherNames<Name, C> | OwnOf<C[number]> | OwnOf<Else>,
    AddEarly<Ends, EarlyOf<C[number]> | EarlyOf<Else>, Certain>,
    Name
  >;

  /**
   * Waits for people to decide, and passes on what they saw with their `decision` in it; what has no fields becomes `value`
   * beside it. Goes on with a confirmation, and with a rejection as far as `onReject` says.
   */
  human<
    const Name extends string,
    const M = NoMapping,
    Form extends AnySchema | undefined = undefined,
    const Rule extends RejectRule = "rollback",
    Rejected extends AnyFlow = never,
  >(
    name: FreeNames<Name, RejectedName<Name, Rejected>, Own | F["outer"]>,
    options?: HumanOptions<
      Scope<F["input"], Value, Certain, Own | F["outer"]>,
      Name,
      M,
      Form,
      Rule,
      SideStart<F, Decided<Shown<M, Value>, SchemaInput<Form>, "reject">, Certain, Own | Known<Name>>,
      Rejected
    >,
  ): Sequence<
    F,
    AfterDecision<Shown<M, Value>, SchemaInput<Form>, Rule, Rejected> | ValueOf<Rejected>,
    Certain,
    Own | Known<Name> | RejectedName<Name, Rejected> | OwnOf<Rejected>,
    AddEarly<Ends, EarlyOf<Rejected>, Certain>
  >;

  /** Waits, durably: for a duration, or until a time in the data. Passes its input on. */
  sleep<const Name extends string>(
    name: FreeName<Name, Own | F["outer"]>,
    options: SleepOptions<Scope<F["input"], Value, Certain, Own | F["outer"]>>,
  ): Sequence<F, Value, Certain, Own | Known<Name>, Ends>;

  /** Waits for a signal and passes its payload on. One that arrived before is taken. */
  signal<const Name extends string, P extends AnySchema | undefined = undefined>(
    name: FreeName<Name, Own | F["outer"]>,
    options?: SignalNodeOptions<P>,
  ): Sequence<F, SchemaInput<P>, Certain, Own | Known<Name>, Ends>;

  /** Completes the branch, or the whole instance, with the value passed on to here. Nothing can follow. */
  complete<const Name extends string>(
    name: FreeName<Name, Own | F["outer"]>,
  ): Ended<F, Certain, Own | Known<Name>, AddEarly<Ends, Early<Value, Certain>, Certain>, AfterEnd<Name>>;

  /** Fails for good, for the reason given. Nothing can follow. */
  fail<const Name extends string>(
    name: FreeName<Name, Own | F["outer"]>,
    options: { readonly message: string },
  ): Ended<F, Certain, Own | Known<Name>, Ends, AfterEnd<Name>>;

  /** Fails for good, and the rollback stops at a savepoint that was passed. Nothing can follow. */
  rollbackTo<const Name extends string, const To extends string>(
    name: FreeName<Name, Own | F["outer"]>,
    savepoint: PassedSavepoint<To, Certain>,
    options?: { readonly message?: string },
  ): Ended<F, Certain, Own | Known<Name>, Ends, AfterEnd<Name>>;

  /**
   * Makes the definition.
   * @throws FloxyError `DEFINITION_INVALID` with all problems.
   */
  build(this: OutermostOnly<F>): Workflow<F["input"], Value | Ends["value"]>;
}
