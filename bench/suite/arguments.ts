/** What a person asks of the suite. */
import { systemNames } from "../systems/names.ts";
import { workloadNames } from "../workloads/names.ts";

/** What is to be measured, and how long. */
export interface Request {
  readonly does: "measure" | "report" | "help";
  /** Smaller sizes, fewer peers and rounds: under five minutes. */
  readonly quick: boolean;
  readonly workloads: readonly string[];
  readonly systems: readonly string[];
  readonly rounds: number;
}

/** A wrong argument; its message is for the person who typed it. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

const quickWorkloads = ["sequence-3", "sequence-10", "fork-10", "saga-10", "io-5ms", "start", "latency", "idle"];
const quickSystems = ["floxy", "pg-boss", "graphile-worker"];

/** Reads the arguments. Throws {@link ArgumentError} with all that is known about the one that is wrong. */
export const parseArguments = (given: readonly string[]): Request => {
  const left = [...given];
  const next = (name: string): string => {
    const value = left.shift();
    if (value === undefined || value.startsWith("--")) throw new ArgumentError(`${name} needs a value`);
    return value;
  };
  let does: Request["does"] = "measure";
  let quick = false;
  let workloads: readonly string[] | undefined;
  let systems: readonly string[] | undefined;
  let rounds: number | undefined;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === "--help" || name === "-h") does = "help";
    else if (name === "--report") does = "report";
    else if (name === "--quick") quick = true;
    else if (name === "--only") workloads = listOf(name, next(name), workloadNames);
    else if (name === "--systems") systems = listOf(name, next(name), systemNames);
    else if (name === "--rounds") rounds = countOf(name, next(name));
    else throw new ArgumentError(`${name} is not known; --help says what is`);
  }
  return {
    does,
    quick,
    workloads: workloads ?? (quick ? quickWorkloads : workloadNames),
    systems: systems ?? (quick ? quickSystems : systemNames),
    rounds: rounds ?? (quick ? 1 : 3),
  };
};

const listOf = (option: string, text: string, known: readonly string[]): readonly string[] => {
  const names = text.split(",").filter((name) => name !== "");
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new ArgumentError(`${option}: ${unknown.join(", ")} is not known; there are ${known.join(", ")}`);
  }
  if (names.length === 0) throw new ArgumentError(`${option} names nothing; there are ${known.join(", ")}`);
  // In the order of the suite, so that Floxy is measured first and what is derived from it is known.
  return known.filter((name) => names.includes(name));
};

const countOf = (option: string, text: string): number => {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    throw new ArgumentError(`${option} must be a whole number from 1 to 100, not ${text}`);
  }
  return count;
};
