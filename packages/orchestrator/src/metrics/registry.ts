/** The metrics' registry. The only file that imports prom-client; others take what it makes. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type { Registry } from "prom-client";

/** Makes metrics in one registry. Names are given without their prefix `floxy_`. */
export interface MetricFactory {
  readonly registry: Registry;
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  /** `collect` is called before each scrape, to set what is only known then. */
  gauge<L extends string = never>(
    name: string,
    help: string,
    labels?: readonly L[],
    collect?: (gauge: Gauge<L>) => void,
  ): Gauge<L>;
  histogram<L extends string>(name: string, help: string, labels: readonly L[], buckets: number[]): Histogram<L>;
}

/** Makes an empty registry of its own, so that several orchestrators in one process do not mix their figures. */
export const createMetricFactory = (options: { readonly processMetrics: boolean }): MetricFactory => {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  const named = (name: string, help: string) => ({ name: `floxy_${name}`, help, registers: [registry] });
  return {
    registry,
    counter: (name, help, labels = []) => new Counter({ ...named(name, help), labelNames: labels }),
    gauge: <L extends string>(
      name: string,
      help: string,
      labels: readonly L[] = [],
      collect?: (gauge: Gauge<L>) => void,
    ): Gauge<L> =>
      new Gauge<L>({
        ...named(name, help),
        labelNames: labels,
        ...(collect !== undefined && {
          collect() {
            collect(this);
          },
        }),
      }),
    histogram: (name, help, labels, buckets) => new Histogram({ ...named(name, help), labelNames: labels, buckets }),
  };
};
