/** What a mapping can say beside plain references. */

import { invalid } from "./invalid.ts";
import type { Path, Ref, Reference } from "./ref.ts";
import { makeRef, pathOfRef, pathText } from "./ref.ts";

declare const optionalType: unique symbol;

/** A member of a mapping that is left out when there is nothing to fill it with. Made by {@link optional}. */
export interface OptionalRef<out T> {
  /** For the compiler only. */
  readonly [optionalType]: T;
}

const optionals = new WeakMap<object, Path>();

/** A CEL expression as a reference, for what references cannot say: `expr<number>("input.price * 2")`. */
export const expr = <T>(text: string): Ref<T> => makeRef<T>(text);

/** Says that the field may be left out: it is, when the data has no such value at run time. */
export const optional = <T>(ref: Reference<T> | undefined): OptionalRef<Exclude<T, undefined>> => {
  const mark = Object.freeze({});
  optionals.set(mark, pathFor(ref, "optional"));
  return mark as OptionalRef<Exclude<T, undefined>>;
};

/** Says that a value which may be absent by its type will be there. When it is not, the step fails for good. */
export const required = <T>(ref: Reference<T> | undefined): Ref<Exclude<T, undefined>> => {
  const { start, keys } = pathFor(ref, "required");
  return makeRef(start, keys);
};

/** The CEL text of what {@link optional} made, or `undefined` for anything else. */
export const optionalText = (value: unknown): string | undefined => {
  const path = typeof value === "object" && value !== null ? optionals.get(value) : undefined;
  return path === undefined ? undefined : pathText(path);
};

/** The CEL text of a reference, or `undefined` for anything else. */
export const refText = (value: unknown): string | undefined => {
  const path = pathOfRef(value);
  return path === undefined ? undefined : pathText(path);
};

const pathFor = (ref: unknown, helper: string): Path =>
  pathOfRef(ref) ??
  invalid("", "not_a_reference", `${helper}(...) takes a reference such as input.orderId, and it got ${typeof ref}`);
