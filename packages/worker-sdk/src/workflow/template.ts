/**
 * The types of mappings: what a template of references and literals comes to, and the sentences for what is wrong with
 * it. A sentence is a literal type in the place of the fault, so the compiler shows it there.
 */
import type { OptionalRef } from "./expression.ts";
import type { Leaf, Reference } from "./ref.ts";

/** What a field gets that may be absent at run time. Nothing takes it. */
interface Absent {
  readonly "~absent": never;
}

/** The type that a template has once it is filled in. */
export type Filled<M> =
  M extends Reference<infer T>
    ? undefined extends T
      ? Absent
      : T
    : M extends OptionalRef<unknown>
      ? Absent
      : M extends Leaf
        ? M
        : M extends readonly unknown[]
          ? { -readonly [K in keyof M]: Filled<M[K]> }
          : FilledObject<M>;

type FilledObject<M> = {
  -readonly [K in keyof M as M[K] extends OptionalRef<unknown> ? never : K]: Filled<M[K]>;
} & {
  -readonly [K in keyof M as M[K] extends OptionalRef<unknown> ? K : never]?: M[K] extends OptionalRef<infer T>
    ? T
    : never;
};

/**
 * What a mapping must be besides itself: `unknown` where template `M` fits what is wanted, else the template's shape with
 * sentences at its faults. `Of` says whose input it is.
 */
export type CheckTemplate<M, Want, Of extends string> = unknown extends Want
  ? unknown
  : [Filled<M>] extends [Want]
    ? M extends NotObject
      ? unknown
      : { readonly [K in keyof M]: K extends KeyOf<Want> ? CheckExcess<M[K], Member<Want, K>, Of> : NoField<K, Of> }
    : Fault<M, Want, Of, "the whole">;

type NotObject = Reference<unknown> | OptionalRef<unknown> | Leaf | readonly unknown[];

/** As {@link CheckTemplate}, for a part that is known to be assignable. */
type CheckExcess<M, Want, Of extends string> = M extends NotObject
  ? unknown
  : unknown extends Want
    ? unknown
    : { readonly [K in keyof M]: K extends KeyOf<Want> ? CheckExcess<M[K], Member<Want, K>, Of> : NoField<K, Of> };

/** The faults of a template that does not fit. `Field` is the name of the part that is looked at. */
type Fault<M, Want, Of extends string, Field extends string> =
  M extends Reference<infer T>
    ? undefined extends T
      ? `${Of}: ${Field} may be absent; use optional(...) where it may be left out, or required(...) where it is there`
      : [T] extends [Want]
        ? unknown
        : `${Of}: ${Field} is of the wrong type`
    : M extends OptionalRef<infer T>
      ? undefined extends Want
        ? [T] extends [Want]
          ? unknown
          : `${Of}: ${Field} is of the wrong type`
        : `${Of}: ${Field} is needed, so it cannot be optional(...)`
      : [Filled<M>] extends [Want]
        ? CheckExcess<M, Want, Of>
        : M extends NotObject
          ? `${Of}: ${Field} is of the wrong type`
          : [KeyOf<Want>] extends [never]
            ? `${Of}: ${Field} is of the wrong type`
            : FieldFaults<M, Want, Of>;

type FieldFaults<M, Want, Of extends string> = {
  readonly [K in keyof M]: K extends KeyOf<Want>
    ? Fault<M[K], Member<Want, K>, Of, `field '${Extract<K, string | number>}'`>
    : NoField<K, Of>;
} & {
  readonly [K in Exclude<NeededKey<Want>, keyof M>]: `${Of} needs field '${Extract<K, string | number>}'`;
};

type NoField<K, Of extends string> = `${Of} has no field '${Extract<K, string | number>}'`;

/** All keys that some member of a union has. */
type KeyOf<T> = T extends Leaf ? never : keyof T;

/** What the members of a union have under a key. */
type Member<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;

/** The keys that every member of a union needs. */
export type NeededKey<T> = keyof { [K in keyof T as undefined extends T[K] ? never : K]: true };
