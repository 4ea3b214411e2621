/** All workloads by name. */
import { idle } from "./idle.ts";
import { latency } from "./latency.ts";
import { scale } from "./scale.ts";
import { sequences } from "./sequences.ts";
import { start } from "./start.ts";
import type { Workload } from "./workload.ts";

const all: readonly Workload[] = [...sequences, start, latency, idle, ...scale];

/** The workloads of these names, in the order of the names. */
export const workloadsOf = (names: readonly string[]): readonly Workload[] =>
  names.flatMap((name) => all.filter((workload) => workload.name === name));
