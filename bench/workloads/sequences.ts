/** Sequences of steps: what all systems can do, and what shows how costs grow. */
import type { Scenario } from "../systems/system.ts";
import { sequenceOf } from "../systems/system.ts";
import type { Drain } from "./drain.ts";
import { drain, drainColumns } from "./drain.ts";
import type { Variant, Wanted, Workload } from "./workload.ts";

const variant = (label: string, what: Drain): Variant => ({
  system: what.system,
  label,
  measure: (bench) => drain(bench, what),
});

const bySystem = (scenario: Scenario, { systems }: Wanted, known: readonly string[]): readonly Variant[] =>
  systems.filter((system) => known.includes(system)).map((system) => variant(system, { system, scenario }));

const floxyOnly = (wanted: Wanted, variants: readonly Variant[]): readonly Variant[] =>
  wanted.systems.includes("floxy") ? variants : [];

// What a share is of, measured in turns with it.
const reference = variant("sequence of 3", { system: "floxy", scenario: sequenceOf(3) });

const everybody = ["floxy", "pg-boss", "graphile-worker", "dbos", "openworkflow", "absurd", "bullmq", "bullmq-durable"];

/** The workloads of this file. */
export const sequences: readonly Workload[] = [
  {
    name: "sequence-3",
    about: "Three steps that do nothing, one after another; 300 bytes are passed on; one worker process.",
    columns: drainColumns,
    ratio: "times",
    variants: (wanted) => bySystem(sequenceOf(3), wanted, everybody),
  },
  {
    name: "sequence-10",
    about: "Ten such steps.",
    columns: drainColumns,
    ratio: "times",
    variants: (wanted) => bySystem(sequenceOf(10), wanted, ["floxy"]),
  },
  {
    name: "fork-10",
    about:
      "A fork of ten branches of a step, a join, and a step behind it; the orchestrator that joins has a process of its own.",
    columns: drainColumns,
    ratio: "share",
    variants: (wanted) =>
      floxyOnly(wanted, [
        reference,
        variant("fork of 10 and join", {
          system: "floxy",
          scenario: { ...sequenceOf(10), shape: "fork" },
          beside: [0],
        }),
      ]),
  },
  {
    name: "saga-10",
    about:
      "Ten steps of which the last fails, and nine compensations; steps and compensations are counted. The orchestrator that rolls back has a process of its own.",
    columns: drainColumns,
    ratio: "share",
    variants: (wanted) =>
      floxyOnly(wanted, [
        reference,
        variant("saga that fails at its last step", {
          system: "floxy",
          scenario: { ...sequenceOf(10), shape: "saga" },
          beside: [0],
        }),
      ]),
  },
  {
    name: "io-5ms",
    about: "Three steps whose handlers wait five milliseconds, as for an answer of somebody else.",
    columns: drainColumns,
    ratio: "times",
    variants: (wanted) => bySystem({ ...sequenceOf(3), ioMs: 5 }, wanted, everybody),
  },
  {
    name: "payload",
    about: "Three steps that pass on 300 bytes, 10 kB or 200 kB.",
    columns: drainColumns,
    ratio: "share",
    variants: (wanted) =>
      floxyOnly(
        wanted,
        [300, 10_000, 200_000].map((payloadBytes) =>
          variant(payloadBytes < 1_000 ? `${payloadBytes} B` : `${payloadBytes / 1_000} kB`, {
            system: "floxy",
            scenario: { ...sequenceOf(3), payloadBytes },
          }),
        ),
      ),
  },
  {
    name: "processes",
    about: "Three steps that do nothing, by one, two and four worker processes.",
    columns: drainColumns,
    ratio: "share",
    variants: (wanted) =>
      floxyOnly(
        wanted,
        [1, 2, 4].map((processes) =>
          variant(processes === 1 ? "1 process" : `${processes} processes`, {
            system: "floxy",
            scenario: sequenceOf(3),
            processes,
          }),
        ),
      ),
  },
  {
    name: "fan-1000",
    about: "A thousand branches of a step into one join, and a step behind it.",
    columns: drainColumns,
    ratio: "share",
    variants: (wanted) =>
      floxyOnly(wanted, [
        reference,
        variant("fan of 1,000 and join", {
          system: "floxy",
          scenario: { ...sequenceOf(1_000), shape: "fork" },
          beside: [0],
        }),
      ]),
  },
];
