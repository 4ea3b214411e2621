/** How history stands, and what this orchestrator has removed of it. */
import type { HistoryReport } from "../duty/history-duty.ts";
import type { MetricFactory } from "./registry.ts";

/** Registers the metrics; call the answer with each report. */
export const createHistoryMetrics = ({ counter, gauge }: MetricFactory): ((report: HistoryReport) => void) => {
  const partitions = gauge("history_partitions", "Spans of time that have partitions.");
  const defaultRows = gauge("history_default_rows", "Rows in the default partitions; counted up to 10,000 in each.");
  const oldest = gauge("history_oldest_seconds", "How old the first partition is.");
  const ahead = gauge("history_ahead_seconds", "How long the partitions last that were made ahead.");
  const blocked = gauge("orchestrator_history_blocked", "1 while something is in the way of the last look.", [
    "obstacle",
  ]);
  const instances = counter("orchestrator_pruned_instances_total", "Instances that retention let go.");
  const dropped = counter("orchestrator_dropped_partitions_total", "Spans whose partitions were dropped.");
  const acts = counter("orchestrator_pruned_acts_total", "Rows of the audit that were removed.");
  return ({ kept, pruned, state }) => {
    partitions.set(state.partitions);
    defaultRows.set(state.defaultRows);
    oldest.set(state.oldestMs / 1_000);
    ahead.set(state.aheadMs / 1_000);
    for (const obstacle of ["locked", "scattered"] as const) {
      blocked.set({ obstacle }, kept.blocked === obstacle || pruned.blocked === obstacle ? 1 : 0);
    }
    instances.inc(pruned.instances);
    dropped.inc(pruned.partitions);
    acts.inc(pruned.acts);
  };
};
