/** The sentences for steps and names in the wrong place. `unknown` means that nothing is wrong. */
import type { Fits } from "./fits.ts";
import type { Leaf } from "./ref.ts";
import type { NeededKey } from "./template.ts";

/** Checks a step that gets what is passed on, without a mapping. */
export type CheckStep<Name extends string, Want, CompensationWant, Value, Used extends string> = Name extends Used
  ? TakenName<Name>
  : Fits<Value, Want> extends true
    ? CheckCompensation<Name, Want, CompensationWant>
    : Misfit<Name, Want, Value>;

/** Checks a step that has mappings; those are checked where they are written. */
export type CheckUnused<Name extends string, Used extends string> = Name extends Used ? TakenName<Name> : unknown;

/** A name of a node, if it is free. */
export type FreeName<Name extends string, Used extends string> = Name extends Used ? TakenName<Name> : Name;

/** The names of a node and of what comes with it, or the sentence for those that are taken. */
export type FreeNames<Name extends string, More extends string, Used extends string> = Name extends Used
  ? TakenName<Name>
  : [Extract<More, Used>] extends [never]
    ? Name
    : TakenName<Extract<More, Used>>;

/** A name as far as it is known. One that is made at run time is only checked then, and must not stand for all names. */
export type Known<Name extends string> = string extends Name ? never : Name;

/** The sentence for a name that occurs twice. */
export type TakenName<Name extends string> = `'${Name}' is used already; each name occurs once in a definition`;

/** Checks that a compensation can take what its step took. Without a compensation `CompensationWant` is `never`. */
type CheckCompensation<Name extends string, Input, CompensationWant> =
  NeedsMapping<Input, CompensationWant> extends true ? Unmapped<Name> : unknown;

/** Whether there is a compensation that does not take what its step takes. */
export type NeedsMapping<Input, CompensationWant> = [CompensationWant] extends [never]
  ? false
  : Fits<Input, CompensationWant> extends true
    ? false
    : true;

/** The sentence for a compensation without a mapping that needs one. */
export type Unmapped<Name extends string> =
  `the compensation of step '${Name}' does not take the step's input; give it a \`compensationInput\` mapping`;

/** One sentence for each needed field that is not passed on, or one for the whole when it is no question of fields. */
type Misfit<Name extends string, Want, Value> = [MissingKey<Want, Value>] extends [never]
  ? `step '${Name}' cannot take the value that is passed on to it; give it an \`input\` mapping`
  : `step '${Name}' needs '${MissingKey<Want, Value>}', which is not passed on; give it an \`input\` mapping`;

type MissingKey<Want, Value> = [Want] extends [Leaf] ? never : Extract<Exclude<NeededKey<Want>, keyof Value>, string>;
