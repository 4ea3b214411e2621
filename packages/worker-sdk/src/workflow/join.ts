/** The types of joins: what a fork passes on, and how many of its branches that takes. */
import type { JoinRule, Losers } from "@floxy/shared";
import type { AnyFlow, CertainOf, OutcomeOf } from "./flow.ts";
import type { OutputsOf } from "./parallel.ts";
import type { StepHandle } from "./step.ts";

/** How the branches of a fork come together. */
export interface JoinOptions<Rule extends JoinRule = JoinRule> {
  /** How many branches must arrive before the flow goes on. Default: all. */
  readonly join?: Rule;
  /**
   * What becomes of the branches that have not arrived by then. `cancel` (default): what waits is skipped, what runs is
   * told to stop, what completed stays. `compensate`: what completed is also undone at once. `wait`: the join waits for
   * them to end, one way or the other.
   */
  readonly losers?: WaitsForAll<Rule> extends true
    ? "a join that waits for all branches has no losers; give it `join: 'any'` or `join: { atLeast: n }`, or leave losers out"
    : Losers;
}

/** Whether no branch can be missing after the join. A rule that is only known at run time may be any. */
export type WaitsForAll<Rule extends JoinRule> = [Rule] extends ["all"] ? true : false;

/** What a fork passes on: its branches' values by name. One that need not have arrived may be absent. */
export type Joined<B extends Readonly<Record<string, AnyFlow>>, Rule extends JoinRule> =
  WaitsForAll<Rule> extends true
    ? { readonly [K in keyof B]: OutcomeOf<B[K]> }
    : { readonly [K in keyof B]?: OutcomeOf<B[K]> };

/** What certainly ran in the branches when the join fires. */
export type CertainInBranches<B extends Readonly<Record<string, AnyFlow>>, Rule extends JoinRule> =
  WaitsForAll<Rule> extends true ? CertainOf<B[keyof B]> : never;

/** What a fork of single steps passes on. */
export type JoinedSteps<Steps extends readonly StepHandle[], Rule extends JoinRule> =
  WaitsForAll<Rule> extends true ? OutputsOf<Steps> : Partial<OutputsOf<Steps>>;
