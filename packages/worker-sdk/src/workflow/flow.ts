/** What is known of a sequence from outside, and how branches and sides come together. */
import type { TakenName } from "./check.ts";

/** What a sequence tells: its value, the steps that certainly ran by its end, and all names in it. */
export interface Flow<out Value, out Certain extends string, out Own extends string> {
  /** Only in the types: what inference reads. There is no such property at run time. */
  readonly "~flow"?: { readonly value: Value; readonly certain: Certain; readonly own: Own };
}

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

type Told<F extends AnyFlow> = NonNullable<F["~flow"]>;

/** What a sequence passes on at its end. */
export type ValueOf<F extends AnyFlow> = Told<F>["value"];

/** The steps that certainly ran by the end of a sequence, or of any of several. */
export type CertainOf<F extends AnyFlow> = Told<F>["certain"];

/** All names in a sequence, or in several. */
export type OwnOf<F extends AnyFlow> = Told<F>["own"];

/** What a fork passes on when all its branches have arrived. */
export type Joined<B extends Readonly<Record<string, AnyFlow>>> = { readonly [K in keyof B]: ValueOf<B[K]> };

/** The sentences for names that several branches have. Names from outside are refused where they are used. */
export type CheckBranches<B extends Readonly<Record<string, AnyFlow>>> = {
  readonly [K in keyof B]: Shared<OwnOf<B[K]>, OwnOf<B[Exclude<keyof B, K>]>>;
};

/** The sentence for names that both sides of a condition have. */
export type CheckSides<Then extends AnyFlow, Else extends AnyFlow> = {
  readonly else?: Shared<OwnOf<Else>, OwnOf<Then>>;
};

type Shared<Mine extends string, Others extends string> = [Extract<Mine, Others>] extends [never]
  ? unknown
  : TakenName<Extract<Mine, Others>>;

/** The name of a savepoint, if one can stand here and the name is free. */
export type SavepointName<Name extends string, Used extends string, P extends Place> = P extends "branch"
  ? "a savepoint cannot stand in a branch of a fork; put it before the fork or after it"
  : Name extends Used
    ? TakenName<Name>
    : Name;
