/** The types of `switch`, the shorthand for conditions in each other's else sides. */
import type { AnyFlow, Distinct, OwnOf } from "./flow.ts";
import type { When } from "./scope.ts";

/** At least one, so that there is something to switch on. */
export type SomeFlows = readonly [AnyFlow, ...AnyFlow[]];

/** The cases of a switch: the side of the first whose condition holds is taken. */
export type Cases<C extends readonly AnyFlow[], S, Start> = {
  readonly [I in keyof C]: {
    readonly when: When<S>;
    readonly then: (side: NoInfer<Start>) => Distinct<C[I], Extract<OwnOf<C[I]>, SharedNames<C>>>;
  };
};

/** The names that more than one case has. */
type SharedNames<
  C extends readonly AnyFlow[],
  Seen extends string = never,
  Shared extends string = never,
> = C extends readonly [infer First extends AnyFlow, ...infer Rest extends readonly AnyFlow[]]
  ? SharedNames<Rest, Seen | OwnOf<First>, Shared | Extract<OwnOf<First>, Seen>>
  : Shared;

/** The names of the conditions after the first: `name.2`, `name.3`, … */
export type FurtherNames<Name extends string, C extends readonly AnyFlow[]> = string extends Name
  ? never
  : `${Name}.${Exclude<Extract<keyof [unknown, ...C], `${number}`>, "0" | "1">}`;
