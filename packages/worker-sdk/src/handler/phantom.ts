declare const types: unique symbol;

/**
 * Carries types that no value shows: what inference reads. There is no such property at run time.
 *
 * It is not optional, although it never exists, because with `exactOptionalPropertyTypes` the compiler would explain each
 * mismatch by the optional property instead of by the sentence that we put there.
 */
export interface Phantom<out Types> {
  readonly [types]: Types;
}

/** The types that a value carries. */
export type TypesOf<P extends Phantom<unknown>> = P[typeof types];
