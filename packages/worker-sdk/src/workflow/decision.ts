/** The types of decisions: what people are shown, what they answer, and what a human node passes on. */
import type { OptionalRef } from "./expression.ts";
import type { NoMapping } from "./placement.ts";
import type { Leaf, Reference } from "./ref.ts";
import type { Filled } from "./template.ts";

/** What people, or the deadline in their place, can say. */
export type DecisionKind = "confirm" | "reject";

/** The vote of one person. */
export interface Vote<out Form = unknown> {
  readonly by: string;
  readonly kind: DecisionKind;
  readonly comment: string | null;
  /** What was filled in, `null` if nothing was. */
  readonly form: Form | null;
  /** When, in ISO 8601. */
  readonly at: string;
}

/** What came of a human node. */
export interface Decision<out Form = unknown, out Kind extends DecisionKind = DecisionKind> {
  readonly kind: Kind;
  /** Who cast the last vote, the one that decided. `null` when the deadline decided, as then are `comment`, `form` and `at`. */
  readonly by: string | null;
  readonly comment: string | null;
  readonly form: Form | null;
  readonly at: string | null;
  /** All votes, the first one first. */
  readonly votes: readonly Vote<Form>[];
}

/** What a human node passes on: its input with the decision, beside `value` when the input has no fields. */
export type Decided<Input, Form, Kind extends DecisionKind> = unknown extends Input
  ? // It may have fields or not, so only one thing is known of it.
    { readonly decision: Decision<Form, Kind> }
  : [Input] extends [NoObject]
    ? { readonly value: Input; readonly decision: Decision<Form, Kind> }
    : DecidedEach<Input, Decision<Form, Kind>>;

type NoObject = Leaf | readonly unknown[];

type DecidedEach<Input, D> = Input extends NoObject
  ? { readonly value: Input; readonly decision: D }
  : "decision" extends keyof Input
    ? Redecided<Input, Input["decision"], D>
    : Input & { readonly decision: D };

/**
 * A decision takes the place of the one before. That one is taken out of the intersection that it came in, so that the type
 * does not grow with each decision; `Omit` is only for a field that the data itself has.
 */
type Redecided<Input, Before, D> = Input extends infer Data & { readonly decision: Before }
  ? "decision" extends keyof Data
    ? Omit<Input, "decision"> & { readonly decision: D }
    : Data & { readonly decision: D }
  : never;

/** What people are shown: what is passed on to the node, or what its mapping makes. */
export type Shown<M, Value> = [M] extends [NoMapping]
  ? Value
  : [M] extends [OptionalRef<infer T>]
    ? T | null // Nothing can be left out of a mapping that is only this.
    : Plain<Filled<M>>;

/** One object instead of an intersection, so that it reads well. */
type Plain<T> = T extends NoObject ? T : { [K in keyof T]: T[K] };

/** The mapping `M` itself, or its shape with sentences where a value may be absent. */
export type CheckedShown<M, What extends string> = [MayBeAbsent<M>] extends [never] ? M : NoInfer<Faults<M, What>>;

/** `never` when no reference in a mapping, at any depth, is to what may be absent. */
type MayBeAbsent<M> =
  M extends Reference<infer T>
    ? IsOptional<T> extends true
      ? true
      : never
    : M extends OptionalRef<unknown> | Leaf
      ? never
      : { [K in keyof M]: MayBeAbsent<M[K]> }[keyof M & (M extends readonly unknown[] ? number : unknown)];

type Faults<M, What extends string> =
  M extends Reference<infer T>
    ? IsOptional<T> extends true
      ? `${What} may be absent; use optional(...) where it may be left out, or required(...) where it is there`
      : unknown
    : M extends OptionalRef<unknown> | Leaf
      ? unknown
      : { readonly [K in keyof M]: Faults<M[K], `field '${Extract<K, string | number>}' of ${What}`> };

type IsOptional<T> = unknown extends T ? false : undefined extends T ? true : false;
