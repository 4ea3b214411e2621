/** Errors as they are kept with a step: plain, bounded data. */
import { type ErrorCode, isFloxyError, type StepError } from "../vocabulary/error.ts";
import { errorMessageLimit, errorStackLimit } from "../vocabulary/limit.ts";

/**
 * Turns anything that was thrown into data that can be stored. `prefix` says where it happened; `code` is used when the
 * error has none of its own. NUL and lone surrogates, which PostgreSQL refuses, are replaced.
 */
export const toStepError = (error: unknown, prefix = "", code: ErrorCode = "HANDLER_FAILED"): StepError => {
  const text = prefix + messageOf(error);
  const bounded = { message: clean(text, errorMessageLimit) };
  if (isFloxyError(error)) return { code: error.code, ...bounded };
  if (!(error instanceof Error)) return { code, ...bounded };
  const name = { name: clean(String(error.name), 200) };
  return typeof error.stack === "string"
    ? { code, ...bounded, ...name, stack: clean(error.stack, errorStackLimit) }
    : { code, ...bounded, ...name };
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
  (text.length > limit ? `${text.slice(0, limit)}…` : text).replaceAll("\0", "␀").toWellFormed();
