/** The workloads, in the order in which they are measured. */
export const workloadNames: readonly string[] = [
  "sequence-3",
  "sequence-10",
  "fork-10",
  "saga-10",
  "io-5ms",
  "payload",
  "processes",
  "fan-1000",
  "start",
  "latency",
  "idle",
  "scale-ready",
  "scale-history",
  "scale-snapshot",
  "scale-handlers",
  "scale-workers",
];
