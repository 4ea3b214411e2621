/** What is made of repeated measurements. */

/** The quantile of values, by the nearest rank: a value that was measured, never one between two. `NaN` of none. */
export const quantile = (values: readonly number[], share: number): number => {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[Math.min(rank, sorted.length) - 1] ?? Number.NaN;
};

/** The middle value, or the mean of the two in the middle. `NaN` of none. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
};

/** How far the values lie apart: (most − least) ÷ median. 0.1 means that all of them lie within a tenth. */
export const spread = (values: readonly number[]): number => {
  const middle = median(values);
  if (values.length === 0 || middle === 0) return Number.NaN;
  return (Math.max(...values) - Math.min(...values)) / middle;
};

/** A figure over all rounds. */
export interface Summary {
  readonly median: number;
  readonly spread: number;
  readonly rounds: readonly number[];
}

/** Sums up one figure of several rounds; rounds that have it not are left out. */
export const summarize = (values: readonly number[]): Summary => {
  const rounds = values.filter((value) => Number.isFinite(value));
  return { median: median(rounds), spread: spread(rounds), rounds };
};

/** What many latencies are kept as, in milliseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Sums up latencies. */
export const latencyOf = (values: readonly number[]): Latency => ({
  count: values.length,
  p50: quantile(values, 0.5),
  p99: quantile(values, 0.99),
  max: quantile(values, 1),
});
