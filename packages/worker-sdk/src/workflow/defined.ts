type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Options without those that were not given. */
export const defined = <T extends object>(options: T): Defined<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
