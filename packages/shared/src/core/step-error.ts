/** Errors as they are kept with a step: plain, bounded data. */
import type { ErrorCode, StepError } from "../vocabulary/error.ts";
import { isFloxyError } from "../vocabulary/error.ts";
import { errorMessageLimit, errorStackLimit } from "../vocabulary/limit.ts";

/** The longest name kept of an error's class, in characters. */
const errorNameLimit = 200;

/**
 * Turns anything that was thrown into data that can be stored. `prefix` says where it happened; `code` is used when the
 * error has none of its own. NUL and lone surrogates, which PostgreSQL refuses, are replaced. Never throws: a handler may
 * throw an object that throws when it is looked at.
 */
export const toStepError = (error: unknown, prefix = "", code: ErrorCode = "HANDLER_FAILED"): StepError => {
  try {
    return describe(error, prefix, code);
  } catch {
    return { code, message: clean(`${prefix}something was thrown that cannot be shown as text`, errorMessageLimit) };
  }
};

const describe = (error: unknown, prefix: string, code: ErrorCode): StepError => {
  const message = clean(prefix + messageOf(error), errorMessageLimit);
  if (isFloxyError(error)) return { code: error.code, message };
  if (!(error instanceof Error)) return { code, message };
  const name = clean(String(error.name), errorNameLimit);
  const { stack } = error;
  return typeof stack === "string"
    ? { code, message, name, stack: clean(stack, errorStackLimit) }
    : { code, message, name };
};

const messageOf = (error: unknown): string => {
  if (error instanceof Error) return String(error.message);
  if (typeof error === "string") return error;
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return String(error);
  }
};

const clean = (text: string, limit: number): string =>
  (text.length > limit ? `${text.slice(0, limit - 1)}…` : text).replaceAll("\0", "␀").toWellFormed();
