/** Conditions: typed helpers that write CEL. What they cannot say is said in CEL itself. */
import { isIndex, isPlainKey, literalText, memberText, textLiteral } from "./cel.ts";
import { expr, refText } from "./expression.ts";
import { invalid } from "./invalid.ts";
import type { Path, Ref, Reference } from "./ref.ts";
import { ownerText, pathOfRef } from "./ref.ts";

/** An expression that is true or false. */
export type Condition = Reference<boolean>;

type Comparable = string | number | boolean | null;
type Ordered = string | number;

/** Whether two values are the same. Of a value that may be absent, ask {@link isPresent} first. */
export const equal = <T extends Comparable>(left: Reference<T>, right: NoInfer<Reference<T> | T>): Ref<boolean> =>
  compare(left, "==", right);

/** Whether two values differ. */
export const notEqual = <T extends Comparable>(left: Reference<T>, right: NoInfer<Reference<T> | T>): Ref<boolean> =>
  compare(left, "!=", right);

/** Whether `left > right`. Texts are compared by their code points. */
export const greaterThan = <T extends Ordered>(left: Reference<T>, right: Operand<T>): Ref<boolean> =>
  compare(left, ">", right);

/** Whether `left >= right`. */
export const atLeast = <T extends Ordered>(left: Reference<T>, right: Operand<T>): Ref<boolean> =>
  compare(left, ">=", right);

/** Whether `left < right`. */
export const lessThan = <T extends Ordered>(left: Reference<T>, right: Operand<T>): Ref<boolean> =>
  compare(left, "<", right);

/** Whether `left <= right`. */
export const atMost = <T extends Ordered>(left: Reference<T>, right: Operand<T>): Ref<boolean> =>
  compare(left, "<=", right);

/** What an ordered value is compared with: any value of its kind, so that a literal type does not stand in the way. */
type Operand<T extends Ordered> = NoInfer<Wide<T> | Reference<Wide<T>>>;
type Wide<T extends Ordered> = (T extends string ? string : never) | (T extends number ? number : never);

/** Whether all hold. The ones after the first that does not are not evaluated, so they may rely on those before. */
export const and = (first: Condition, ...rest: readonly Condition[]): Ref<boolean> => joined(" && ", [first, ...rest]);

/** Whether at least one holds. The ones after the first that does are not evaluated. */
export const or = (first: Condition, ...rest: readonly Condition[]): Ref<boolean> => joined(" || ", [first, ...rest]);

/** Whether it does not hold. */
export const not = (condition: Condition): Ref<boolean> => expr(`!(${conditionText(condition)})`);

/** Whether there is such a value, and it is not `null`. Never fails, also when what it is part of is absent. */
export const isPresent = (ref: Reference<unknown> | undefined): Ref<boolean> => {
  const path = pathOfRef(ref);
  if (path === undefined) return invalid("", "not_a_reference", "isPresent(...) takes a reference such as input.note");
  return expr(presence(path));
};

/** The CEL text of a condition, which may be CEL already. */
export const conditionText = (condition: unknown): string => {
  const text = typeof condition === "string" ? condition : refText(condition);
  if (text !== undefined) return text;
  return invalid("", "not_a_condition", "a condition is CEL text or made with equal(...), and(...), isPresent(...), …");
};

const compare = (left: Reference<Comparable>, operator: string, right: unknown): Ref<boolean> =>
  expr(`${operandText(left)} ${operator} ${operandText(right)}`);

const operandText = (operand: unknown): string => {
  const text = refText(operand);
  // A path needs no brackets, and anything else may be of weaker precedence than a comparison.
  if (text !== undefined) return pathOfRef(operand)?.keys.length === 0 && !isPlainKey(text) ? `(${text})` : text;
  if (operand === null || typeof operand === "string" || typeof operand === "boolean") return literalText(operand);
  if (typeof operand === "number" && Number.isFinite(operand)) return literalText(operand);
  return invalid("", "not_comparable", `a condition compares text, finite numbers, booleans and null, not ${operand}`);
};

const joined = (operator: string, conditions: readonly Condition[]): Ref<boolean> => {
  const texts = conditions.map((one) => conditionText(one));
  return expr(texts.length === 1 ? `${texts[0]}` : texts.map((text) => `(${text})`).join(operator));
};

/** CEL's `has` fails when what the field is part of is absent, so each step of the way is asked for. */
const presence = ({ start, keys }: Path): string => {
  const tests: string[] = [];
  let owner = ownerText(start, keys);
  for (const key of keys) {
    const member = memberText(owner, key);
    tests.push(hasText(owner, key, member), `${member} != null`);
    owner = member;
  }
  return tests.length === 0 ? `${start} != null` : tests.join(" && ");
};

/** `has` takes names and dots and nothing else. */
const hasText = (owner: string, key: string, member: string): string => {
  if (/^[\w.]+$/.test(member)) return `has(${member})`;
  return isIndex(key) ? `size(${owner}) > ${key}` : `${textLiteral(key)} in ${owner}`;
};
