/** What is known of a sequence from outside, and how branches and sides come together. */
import type { Phantom, TypesOf } from "../handler/phantom.ts";
import type { TakenName } from "./check.ts";

/** What a sequence tells: its value, the steps that certainly ran by its end, and all names in it. */
export type Flow<Value, Certain extends string, Own extends string> = Phantom<{
  readonly value: Value;
  readonly certain: Certain;
  readonly own: Own;
}>;

/** Any sequence. */
export type AnyFlow = Flow<unknown, string, string>;

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

/** What a sequence passes on at its end. */
export type ValueOf<F extends AnyFlow> = TypesOf<F>["value"];

/** The steps that certainly ran by the end of a sequence, or of any of several. */
export type CertainOf<F extends AnyFlow> = TypesOf<F>["certain"];

/** All names in a sequence, or in several. */
export type OwnOf<F extends AnyFlow> = TypesOf<F>["own"];

/** What a fork passes on when all its branches have arrived. */
export type Joined<B extends Readonly<Record<string, AnyFlow>>> = { readonly [K in keyof B]: ValueOf<B[K]> };

/** A branch, or the sentence for names that other branches have too. Names from outside are refused where they are used. */
export type CheckedBranch<B extends Readonly<Record<string, AnyFlow>>, K extends keyof B> = Distinct<
  B[K],
  Extract<OwnOf<B[K]>, OwnOf<B[Exclude<keyof B, K>]>>
>;

/** The other side of a condition, or the sentence for names that the first side has too. */
export type CheckedElse<Then extends AnyFlow, Else extends AnyFlow> = Distinct<Else, Extract<OwnOf<Else>, OwnOf<Then>>>;

/** Where nothing is known of the names, something else is wrong, and the compiler should say that. */
type Distinct<F, Shared extends string> = [Shared] extends [never]
  ? F
  : string extends Shared
    ? F
    : NoInfer<TakenName<Shared>>;

/** The name of a savepoint, if one can stand here and the name is free. */
export type SavepointName<Name extends string, Used extends string, P extends Place> = P extends "branch"
  ? "a savepoint cannot stand in a branch of a fork; put it before the fork or after it"
  : Name extends Used
    ? TakenName<Name>
    : Name;
