/**
 * The types of mappings: what a template of references and literals comes to, and the sentences for what is wrong with
 * it. A sentence is a literal type in the place of the fault, so the compiler shows it there.
 */
import type { OptionalRef } from "./expression.ts";
import type { Fits } from "./fits.ts";
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
 * The template `M` itself where it fits what is wanted, else its shape with sentences at its faults. `What` begins each
 * sentence; it says whose input it is.
 */
export type CheckedTemplate<M, Want, What extends string> = unknown extends Want
  ? M
  : Fits<Filled<M>, Want> extends true
    ? [ExcessKey<M, Want>] extends [never]
      ? M
      : NoInfer<Excess<M, Want, What>>
    : NoInfer<Fault<M, Want, What>>;

/** Templates without fields of their own. */
type Atom = Reference<unknown> | OptionalRef<unknown> | Leaf | readonly unknown[];

/** The keys, at any depth, that are not wanted. The compiler has no such check for what functions return. */
type ExcessKey<M, Want> = M extends Atom
  ? never
  : unknown extends Want
    ? never
    : { [K in keyof M]: K extends KeyOf<Want> ? ExcessKey<M[K], Member<Want, K>> : K }[keyof M];

/** The sentences for keys that are not wanted. */
type Excess<M, Want, What extends string> = M extends Atom
  ? unknown
  : unknown extends Want
    ? unknown
    : {
        readonly [K in keyof M]: K extends KeyOf<Want>
          ? Excess<M[K], Member<Want, K>, FieldOf<K, What>>
          : `${What} has no field '${Text<K>}'`;
      };

/** The sentences for what does not fit; `unknown` for parts that do. */
type Fault<M, Want, What extends string> =
  M extends Reference<infer T>
    ? undefined extends T
      ? `${What} may be absent; use optional(...) where it may be left out, or required(...) where it is there`
      : TypeFault<T, Want, What>
    : M extends OptionalRef<infer T>
      ? undefined extends Want
        ? TypeFault<T, Want, What>
        : `${What} is needed, so it cannot be optional(...)`
      : Fits<Filled<M>, Want> extends true
        ? Excess<M, Want, What>
        : M extends Atom
          ? TypeFault<Filled<M>, Want, What>
          : [KeyOf<Want>] extends [never]
            ? TypeFault<Filled<M>, Want, What>
            : FieldFaults<M, Want, What>;

type TypeFault<T, Want, What extends string> = Fits<T, Want> extends true ? unknown : `${What} is of the wrong type`;

type FieldFaults<M, Want, What extends string> = {
  readonly [K in keyof M]: K extends KeyOf<Want>
    ? Fault<M[K], Member<Want, K>, FieldOf<K, What>>
    : `${What} has no field '${Text<K>}'`;
} & {
  readonly [K in Exclude<NeededKey<Want>, keyof M>]: `${What} needs field '${Text<K>}'`;
};

type FieldOf<K, What extends string> = `field '${Text<K>}' of ${What}`;

type Text<K> = Extract<K, string | number>;

/** All keys that some member of a union has. */
type KeyOf<T> = T extends Leaf ? never : keyof T;

/** What the members of a union have under a key. */
type Member<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;

/** The keys that every member of a union needs. */
export type NeededKey<T> = keyof { [K in keyof T as undefined extends T[K] ? never : K]: true };
