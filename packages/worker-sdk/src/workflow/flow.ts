/** What is known of a sequence from outside, and how branches and sides come together. */
import type { Phantom, TypesOf } from "../handler/phantom.ts";
import type { TakenName } from "./check.ts";

/**
 * What a sequence tells: its value, what certainly came before its end, all names in it, how it may have ended before, and
 * whether something can come after it. A value of `never` does not say the last: a step may only ever throw.
 */
export type Flow<
  Value,
  Certain extends string,
  Own extends string,
  Ends extends AnyEarly,
  GoesOn extends boolean = true,
> = Phantom<{
  readonly value: Value;
  readonly certain: Certain;
  readonly own: Own;
  readonly early: Ends;
  readonly goesOn: GoesOn;
}>;

/** Any sequence. */
export type AnyFlow = Flow<unknown, string, string, AnyEarly, boolean>;

/**
 * That a sequence may have completed before its end, in a side of a condition: with which value, and what had certainly
 * run by then. `never` where that cannot be.
 */
export interface Early<out Value, out Certain extends string> {
  readonly value: Value;
  readonly certain: Certain;
}

/** Any early end, or none. */
export type AnyEarly = Early<unknown, string>;

/** Where a sequence stands: the outermost one, a side of a condition there, or (at any depth) in a branch of a fork. */
export type Place = "root" | "side" | "branch";

/** What stays the same along a sequence: the instance's input, the names outside of it, and its place. */
export interface Frame<Input, Outer extends string, P extends Place> {
  readonly input: Input;
  readonly outer: Outer;
  readonly place: P;
}

/** Any frame. */
export type AnyFrame = Frame<unknown, string, Place>;

/** What a sequence passes on at its end; `never` if it never comes there. */
export type ValueOf<F extends AnyFlow> = TypesOf<F>["value"];

/** Whether something can come after a sequence, or after any of several. */
export type GoesOn<F extends AnyFlow> = true extends TypesOf<F>["goesOn"] ? true : false;

/** How a sequence may have ended before. */
export type EarlyOf<F extends AnyFlow> = TypesOf<F>["early"];

/** What a branch, or the whole, comes to: at its end, or early. */
export type OutcomeOf<F extends AnyFlow> = ValueOf<F> | EarlyOf<F>["value"];

/** What certainly came before a branch, or any of several, arrived. */
export type CertainOf<F extends AnyFlow> = F extends AnyFlow
  ? [EarlyOf<F>] extends [never]
    ? TypesOf<F>["certain"]
    : EarlyOf<F>["certain"]
  : never;

/** All names in a sequence, or in several. */
export type OwnOf<F extends AnyFlow> = TypesOf<F>["own"];

/**
 * How a sequence may have ended once it has passed a node in which it may (`Inner`). Certain is what was so before the
 * first such node, since nothing after that need have run.
 */
export type AddEarly<Ends extends AnyEarly, Inner extends AnyEarly, Certain extends string> = [Inner] extends [never]
  ? Ends
  : [Ends] extends [never]
    ? Early<Inner["value"], Certain>
    : Early<Ends["value"] | Inner["value"], Ends["certain"]>;

/** A branch, or the sentence for names that other branches have too. Names from outside are refused where they are used. */
export type CheckedBranch<B extends Readonly<Record<string, AnyFlow>>, K extends keyof B> = Distinct<
  B[K],
  Extract<OwnOf<B[K]>, OwnOf<B[Exclude<keyof B, K>]>>
>;

/** The other side of a condition, or the sentence for names that the first side has too. */
export type CheckedElse<Then extends AnyFlow, Else extends AnyFlow> = Distinct<Else, Extract<OwnOf<Else>, OwnOf<Then>>>;

/**
 * A sequence, or the sentence for the names that it shares with another. Where nothing is known of the names, something
 * else is wrong, and the compiler should say that.
 */
export type Distinct<F, Shared extends string> = [Shared] extends [never]
  ? F
  : string extends Shared
    ? F
    : NoInfer<TakenName<Shared>>;

/** What stands in the `this` of `build`. */
export type OutermostOnly<F extends AnyFrame> = F["place"] extends "root"
  ? unknown
  : "only the outermost sequence is built; a branch or side is returned as it is";
