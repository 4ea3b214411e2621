/**
 * References: what a mapping or a condition sees instead of data. The function that makes a mapping runs once, while the
 * workflow is built, and what it touches is written down as the text of a CEL expression.
 */
import { isPlainKey, memberText } from "./cel.ts";
import { invalid } from "./invalid.ts";

declare const valueType: unique symbol;

/** An expression whose value is a `T`. Its members are expressions too: `input.order.lines[0].sku`. */
export type Ref<T> = Reference<T> & Members<NonNullable<T>, Extract<T, undefined | null>>;

/** What all references to a `T` have in common; `T` is there for the compiler only. */
export interface Reference<out T> {
  readonly [valueType]: T;
}

/**
 * A member may be absent when it is optional, or when what it is taken from may be absent (`Gap`). Of a union only what
 * all its members have can be taken.
 */
type Members<T, Gap> = T extends Leaf
  ? unknown
  : T extends readonly (infer Element)[]
    ? number extends T["length"]
      ? { readonly [index: number]: Ref<Element | undefined> }
      : MembersOfObject<Omit<T, keyof (readonly unknown[])>, Gap>
    : MembersOfObject<T, Gap>;

type MembersOfObject<T, Gap> = { readonly [K in keyof T]-?: Ref<[Gap] extends [never] ? T[K] : T[K] | undefined> };

/** Data without members, and functions, which are no data. */
export type Leaf = string | number | bigint | boolean | symbol | null | undefined | ((...args: never) => unknown);

/** How a reference came about: an expression to start from, and the keys that lead on from it. */
export interface Path {
  readonly start: string;
  readonly keys: readonly string[];
}

// Not a property of the proxy, because every property of it stands for a field of the data.
const paths = new WeakMap<object, Path>();

/** Makes a reference to the value of an expression. */
export const makeRef = <T>(start: string, keys: readonly string[] = []): Ref<T> => {
  const path: Path = { start, keys };
  const members = new Map<string, unknown>();
  const proxy: object = new Proxy(Object.freeze({}), {
    get: (_, key) => {
      if (typeof key === "symbol") return memberOfSymbol(path, key);
      const known = members.get(key);
      if (known !== undefined) return known;
      const member = makeRef<unknown>(start, [...keys, key]);
      members.set(key, member);
      return member;
    },
    has: () => misuse(path, "asked for its keys with `in`", "use isPresent(...)"),
    ownKeys: () => misuse(path, "spread or listed", "name the fields one by one, or map the whole of it"),
    set: () => misuse(path, "written to", "it only stands for a value"),
  });
  paths.set(proxy, path);
  return proxy as Ref<T>;
};

/** The path of a reference, or `undefined` for anything else. */
export const pathOfRef = (value: unknown): Path | undefined =>
  typeof value === "object" && value !== null ? paths.get(value) : undefined;

/** The CEL text of a path. */
export const pathText = ({ start, keys }: Path): string => keys.reduce(memberText, ownerText(start, keys));

/** What a path begins with: brackets keep an expression together when a member is taken from it. */
export const ownerText = (start: string, keys: readonly string[]): string =>
  keys.length === 0 || isPlainKey(start) ? start : `(${start})`;

const memberOfSymbol = (path: Path, symbol: symbol): unknown => {
  if (symbol === Symbol.toPrimitive) return () => misuse(path, "used as text or as a number", advice);
  if (symbol === Symbol.iterator) return () => misuse(path, "iterated or destructured as a list", advice);
  return undefined;
};

const advice = "write the computation in CEL, as in expr<number>('input.price * 2'), or do it in the handler";

const misuse = (path: Path, how: string, instead: string): never =>
  invalid(
    pathText(path),
    "reference_misused",
    `a reference has no value while the workflow is built, and it was ${how}; ${instead}`,
  );
