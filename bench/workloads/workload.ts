/** What a workload is: variants that are measured in turns, and the figures that come of it. */
import type { BenchServer } from "../suite/server.ts";

/** Figures of one round, by name. `NaN` where one could not be measured. */
export type Figures = Readonly<Record<string, number>>;

/** What is measured in each round. */
export interface Variant {
  readonly system: string;
  /** What tells it from the other variants of its workload. */
  readonly label: string;
  measure(bench: Bench): Promise<Measured>;
}

/** What a round brought. */
export interface Measured {
  readonly figures: Figures;
  readonly configuration: string;
  /** What went wrong with the work itself, in sentences. Empty is as it has to be. */
  readonly lost: readonly string[];
}

/** A column of the table: a figure and its heading. */
export interface Column {
  readonly key: string;
  readonly title: string;
}

/** A workload. */
export interface Workload {
  readonly name: string;
  /** What is done, for the document. */
  readonly about: string;
  /** The first is what the ratios are of. */
  readonly columns: readonly Column[];
  /**
   * `times`: how often the first variant does what this one does; `share`: how much of it
   * this one does; `multiple`: how many times the first's this one is, where less is better.
   */
  readonly ratio: "times" | "share" | "multiple";
  variants(wanted: Wanted): readonly Variant[];
}

/** What was asked for. */
export interface Wanted {
  readonly quick: boolean;
  readonly systems: readonly string[];
}

/** What measuring needs. */
export interface Bench extends Wanted {
  /** How long a round has to last, in seconds. */
  readonly seconds: number;
  /** A server with these settings beside the stated ones; one is kept until another is asked for. */
  server(more?: Readonly<Record<string, string>>): Promise<BenchServer>;
  /** What was learnt in rounds before, such as how much work fills a round. */
  readonly learnt: Map<string, number>;
}
