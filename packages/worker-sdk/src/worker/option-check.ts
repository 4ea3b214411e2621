/** Checking the options of a worker: everything that is wrong with them is said at once. */
import { constants } from "node:os";
import type { Problem } from "@floxy/shared";
import { assertName, FloxyError, isFloxyError, quote } from "@floxy/shared";
import type { WorkerOptions } from "./options.ts";

/** The longest time that a Node timer can hold, in milliseconds. */
const timerLimitMs = 2_147_483_647;

/** Numbers with their least and most. */
const ranges = [
  ["concurrency", 1, 10_000],
  ["transactionalConcurrency", 1, 1_000],
  ["leaseMs", 10, timerLimitMs],
  ["pollIntervalMs", 10, timerLimitMs / 2],
  ["drainMs", 0, timerLimitMs],
  ["graceMs", 0, timerLimitMs],
  ["payloadLimit", 1, 256 * 1_048_576],
] as const;

/** Throws `OPTION_INVALID` that names all that is wrong, or `NAME_INVALID` when that is nothing but names. */
export const assertOptions = (options: WorkerOptions): void => {
  const { connectionString, listenConnectionString: listen, name, signals } = options;
  const problems = [
    ...ranges.flatMap(([option, least, most]) => checkInteger(option, options[option], least, most)),
    ...(isText(connectionString) ? [] : [problem("connectionString", "connectionString is missing")]),
    ...(listen === undefined || listen === false || isText(listen)
      ? []
      : [problem("listenConnectionString", "listenConnectionString must be a URL or false")]),
    ...(name === undefined ? [] : checkName("worker", name, "name")),
    ...checkSignals(signals),
    ...checkHandlers(options.handlers),
  ];
  if (problems.length === 0) return;
  const code = problems.every((one) => one.code === invalidName) ? "NAME_INVALID" : "OPTION_INVALID";
  const list = problems.map(({ message }) => message).join("; ");
  throw new FloxyError(code, `The worker cannot be made: ${list}.`, { problems });
};

/** What is wrong with a list of handlers. */
export const checkHandlers = (handlers: unknown): Problem[] => {
  // Not only for those who write JavaScript: a contract that was not implemented is easily mistaken for a handler.
  if (!Array.isArray(handlers) || handlers.length === 0) {
    return [problem("handlers", "handlers must be a list of at least one handler")];
  }
  const seen = new Set<unknown>();
  return handlers.flatMap((handler: unknown, index) => {
    const path = `handlers[${index}]`;
    if (typeof handler !== "object" || handler === null) return [problem(path, `${path} is no handler`)];
    const { name, invoke, options } = handler as Partial<Record<"name" | "invoke" | "options", unknown>>;
    const isRepeated = seen.has(name);
    seen.add(name);
    const what = `handler ${quote(String(name))}`;
    const { concurrency, transactional } = (options ?? {}) as Partial<Record<"concurrency" | "transactional", unknown>>;
    return [
      ...checkName("handler", name, `${path}.name`),
      ...(isRepeated ? [problem(path, `${what} is given twice`)] : []),
      ...(typeof invoke === "function"
        ? []
        : [problem(path, `${what} is a contract without an implementation: give contract.implement(…)`)]),
      ...checkInteger(`concurrency of ${what}`, concurrency, 1, 10_000, `${path}.options.concurrency`),
      ...(transactional === undefined || typeof transactional === "boolean"
        ? []
        : [problem(`${path}.options.transactional`, `transactional of ${what} must be true or false`)]),
    ];
  });
};

const checkSignals = (signals: unknown): Problem[] => {
  if (signals === undefined || signals === false) return [];
  const isCatchable = (one: unknown) =>
    typeof one === "string" && one in constants.signals && one !== "SIGKILL" && one !== "SIGSTOP";
  if (Array.isArray(signals) && signals.every(isCatchable)) return [];
  return [problem("signals", `signals must be a list such as ["SIGTERM"] or false, not ${quote(String(signals))}`)];
};

const checkInteger = (what: string, value: unknown, least: number, most: number, path = what): Problem[] => {
  if (value === undefined) return [];
  if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return [];
  const range = `from ${least} to ${Math.floor(most)}`;
  return [
    problem(
      path,
      `${what} must be an integer ${range}, not ${typeof value === "string" ? quote(value) : String(value)}`,
    ),
  ];
};

const checkName = (kind: "handler" | "worker", name: unknown, path: string): readonly Problem[] => {
  try {
    assertName(kind, name, path);
    return [];
  } catch (error) {
    if (isFloxyError(error)) return error.problems;
    throw error;
  }
};

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

/** The code that the check of names gives to its problems. */
const invalidName = "invalid_name";

const problem = (path: string, message: string): Problem => ({ path, code: "invalid_option", message });
