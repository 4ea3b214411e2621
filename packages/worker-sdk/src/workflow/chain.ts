/**
 * A list that is only ever made longer, at a constant cost, and shares what it has in common with others. Sequences are
 * immutable, so with arrays a workflow of n nodes would copy n² / 2 of them.
 */
export interface Chain<T> {
  readonly last: T;
  readonly before: Chain<T> | undefined;
}

/** What stands in a chain after `from`, in order; all of it without `from`. */
export const listOf = <T>(chain: Chain<T> | undefined, from?: Chain<T>): readonly T[] => {
  const list: T[] = [];
  for (let link = chain; link !== undefined && link !== from; link = link.before) list.push(link.last);
  return list.reverse();
};

/** The chain with more at its end. */
export const append = <T>(chain: Chain<T> | undefined, items: readonly T[]): Chain<T> | undefined =>
  items.reduce<Chain<T> | undefined>((before, last) => ({ last, before }), chain);

/** The last item that fits. */
export const findLast = <T>(chain: Chain<T> | undefined, fits: (item: T) => boolean): T | undefined => {
  for (let link = chain; link !== undefined; link = link.before) if (fits(link.last)) return link.last;
  return undefined;
};
