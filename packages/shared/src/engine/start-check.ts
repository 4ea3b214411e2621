/** Checks of what is given to start or resume an instance. Each throws a typed error that says what to do. */
import type { Graph } from "../definition/graph.ts";
import { checkAgainstSchema } from "../definition/json-schema.ts";
import { durationLimitMs } from "../definition/limit.ts";
import { FloxyError } from "../vocabulary/error.ts";
import type { Json } from "../vocabulary/json.ts";
import { idempotencyKeyLimit } from "../vocabulary/limit.ts";
import { quote } from "../vocabulary/quote.ts";

/** Throws `INPUT_INVALID` with all problems when the input does not fit the definition's schema. */
export const assertInput = (graph: Graph, input: Json): void => {
  const { name, version, inputSchema } = graph.definition;
  if (inputSchema === undefined) return;
  const problems = checkAgainstSchema(inputSchema, input);
  if (problems.length === 0) return;
  const list = problems.map(({ path, message }) => `${path || "input"}: ${message}`).join("; ");
  throw new FloxyError("INPUT_INVALID", `The input does not fit definition '${name}' version ${version}: ${list}`, {
    problems,
  });
};

/** A priority from 0 to 100. */
export const assertPriority = (priority: number): number => {
  if (Number.isInteger(priority) && priority >= 0 && priority <= 100) return priority;
  throw new FloxyError("OPTION_INVALID", `The priority must be an integer from 0 to 100, not ${String(priority)}.`);
};

/** A time from the start in whole milliseconds, or none. */
export const assertDeadline = (deadlineMs: number | null): number | null => {
  if (deadlineMs === null) return null;
  const isFair = typeof deadlineMs === "number" && deadlineMs > 0 && deadlineMs <= durationLimitMs;
  if (isFair) return Math.ceil(deadlineMs);
  const message = `The deadline must be a number of milliseconds from 1 to ${durationLimitMs}, not ${String(deadlineMs)}.`;
  throw new FloxyError("OPTION_INVALID", message);
};

/** An idempotency key that can be stored, or none. */
export const assertKey = (key: string | null): string | null => {
  if (key === null) return null;
  const storable = typeof key === "string" && key.isWellFormed() && !key.includes("\0");
  if (storable && key.length > 0 && key.length <= idempotencyKeyLimit) return key;
  throw new FloxyError(
    "OPTION_INVALID",
    `The idempotency key must be a string of 1 to ${idempotencyKeyLimit} characters without NUL, not ${typeof key === "string" ? `${quote(key)} with ${key.length}` : typeof key}.`,
  );
};
