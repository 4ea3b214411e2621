/**
 * The CEL library, and the only file that imports it. What the rest of Floxy knows of CEL is `expression.ts`.
 */
import type { ASTNode, ParseResult } from "@marcbachmann/cel-js";
import {
  Environment,
  EvaluationError,
  Optional,
  ParseError as SyntaxFault,
  serialize,
  TypeError as TypeFault,
} from "@marcbachmann/cel-js";
import { expressionDepthLimit, expressionListLimit, expressionNodeLimit } from "./limit.ts";

/** A part of a parsed expression. */
export type CelNode = ASTNode;

/** A parsed expression; calling it evaluates it. */
export type CelProgram = ParseResult;

/** Fault of an expression as the library reports it; never shown as it is. */
export interface CelFault {
  readonly code: string;
  /** What is wrong, in one line and without the picture of the expression. */
  readonly summary: string;
  /** The part that failed, written out. */
  readonly part: string | null;
  /** Where in the text it begins, from 0. */
  readonly position: number | null;
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

/**
 * CEL knows ints and doubles and does not mix them, but every JSON number is a double and `1` in an expression is an int.
 * So their mixed arithmetic is registered, as doubles; comparing them the library does by itself.
 */
const makeEnvironment = (): Environment => {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: {
      maxAstNodes: expressionNodeLimit,
      maxDepth: expressionDepthLimit,
      maxListElements: expressionListLimit,
      maxMapEntries: expressionListLimit,
      maxCallArguments: 8,
    },
  });
  for (const name of ["input", "value", "steps"]) environment.registerVariable(name, "dyn");
  for (const [operator, compute] of Object.entries(arithmetic)) {
    const mixed = (a: unknown, b: unknown): number => compute(Number(a), Number(b));
    environment.registerOperator(`int ${operator} double: double`, mixed);
    environment.registerOperator(`double ${operator} int: double`, mixed);
  }
  // CEL has no remainder of doubles, JSON numbers have no other.
  environment.registerOperator("double % double: double", (a: number, b: number) => a % b);
  environment.registerOperator("int == double", (a: bigint, b: number) => Number(a) === b);
  return environment;
};

const environment = makeEnvironment();

/** Parses an expression; throws what {@link faultOf} understands. */
export const parseCel = (text: string): CelProgram => environment.parse(text);

/** What the library says of a failure, or `null` when the failure is not the library's. */
export const faultOf = (error: unknown): CelFault | null => {
  if (!(error instanceof EvaluationError || error instanceof SyntaxFault || error instanceof TypeFault)) return null;
  const { code, summary, node, range } = error;
  // The library says dyn<string> for text that it only knew at run time; to a reader that is a string.
  const plain = summary.replace(/\bdyn<([^<>]+)>/g, "$1");
  return { code, summary: plain, part: writtenPart(node), position: range?.start ?? null };
};

/** The value of a CEL optional: `undefined` when it has none, the value itself when it is no optional. */
export const unwrapOptional = (value: unknown): unknown => {
  if (!(value instanceof Optional)) return value;
  return value.hasValue() ? value.value() : undefined;
};

const writtenPart = (node: unknown): string | null => {
  // A fault of syntax has a place but no node; the type checker's own nodes cannot be written out either.
  if (typeof node !== "object" || node === null || !("op" in node)) return null;
  try {
    return serialize(node as CelNode);
  } catch {
    return null;
  }
};
