/** Whether data of one type can be handed to what takes another. */
import type { Leaf } from "./ref.ts";

/**
 * Whether a `Value` can be handed to what takes a `Want`. That is assignability, only that a member which is `undefined`
 * counts as absent: JSON knows no other absence, and schema libraries write `note?: string | undefined` for what people
 * write as `note?: string`, which differ under `exactOptionalPropertyTypes`.
 */
export type Fits<Value, Want> = [Value] extends [Want] ? true : [Value] extends [Loose<Want>] ? true : false;

type Loose<T> = T extends Leaf ? T : { [K in keyof T]: undefined extends T[K] ? Loose<T[K]> | undefined : Loose<T[K]> };
