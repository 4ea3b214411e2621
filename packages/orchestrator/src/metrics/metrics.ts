/** The orchestrator's own metrics: base units, and labels from closed lists only, never the id of an instance. */
import type { Hints, Reconciled } from "@floxy/shared";
import { errorCodes, isFloxyError } from "@floxy/shared";
import type { ListenerState } from "../health.ts";
import type { ServiceState, TickReport } from "../service/service.ts";
import type { MetricFactory } from "./registry.ts";

/** What the metrics ask when they are scraped. */
export interface MetricSources {
  readonly version: string;
  readonly states: () => readonly ServiceState[];
  readonly listener: () => ListenerState;
}

/** What is counted. */
export interface Metrics {
  tick(report: TickReport): void;
  postponed(): void;
  reconciled(found: Reconciled): void;
  published(hints: Hints): void;
  notified(channel: string): void;
  databaseError(error: unknown): void;
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Registers the metrics. */
export const createMetrics = (factory: MetricFactory, sources: MetricSources): Metrics => {
  const { counter, gauge, histogram } = factory;
  const ticks = counter("orchestrator_ticks_total", "Ticks of a service, by what they came to.", [
    "service",
    "outcome",
  ]);
  const seconds = histogram("orchestrator_tick_duration_seconds", "How long ticks took.", ["service"], buckets);
  const work = counter("orchestrator_work_ticks_total", "Ticks that found work, by what caused them.", [
    "service",
    "source",
  ]);
  const reviews = counter("orchestrator_reviews_total", "Notes of the inbox that were handled.");
  const takeovers = counter("orchestrator_lease_takeovers_total", "Steps taken over because their lease had expired.");
  const woken = counter("orchestrator_steps_woken_total", "Delayed steps and retries whose time had come.");
  const postponed = counter("orchestrator_reviews_postponed_total", "Notes put off because their review failed.");
  const finished = counter(
    "orchestrator_instances_finished_total",
    "Instances that a review here brought to their end.",
  );
  const bulkItems = counter("orchestrator_bulk_items_total", "Items of bulk acts that were brought to an end here.");
  const repairs = counter("orchestrator_repairs_total", "What the reconciler put back: notes, timers, held steps.");
  const stuck = gauge("stuck_instances", "Instances that nothing moves, and that a look has not helped.");
  const received = counter("orchestrator_notifications_received_total", "Notifications received.", ["channel"]);
  const errors = counter("orchestrator_database_errors_total", "Ticks and connections that failed.", ["code"]);

  gauge("orchestrator_tick_age_seconds", "The age of a service's last tick that succeeded.", ["service"], (age) => {
    for (const { name, lastTickAgeMs } of sources.states()) age.set({ service: name }, lastTickAgeMs / 1_000);
  });
  gauge(
    "orchestrator_listener_connected",
    "1 while notifications arrive, 0 while only polling works.",
    [],
    (connected) => connected.set(sources.listener() === "connected" ? 1 : 0),
  );
  gauge("orchestrator_build_info", "Always 1; the labels say what runs.", ["version", "node"]).set(
    { version: sources.version, node: process.version },
    1,
  );

  const handled = {
    review: reviews,
    lease: takeovers,
    timer: woken,
    bulk: bulkItems,
    reconcile: repairs,
    sample: undefined,
    // Counted by what it is.
    history: undefined,
  };
  const databaseError = (error: unknown): void =>
    // A code of the driver is any of hundreds; those of our own table are few.
    errors.inc({ code: isFloxyError(error) && error.code in errorCodes ? error.code : "OTHER" });

  return {
    tick({ service, woken, durationMs, result }) {
      seconds.observe({ service }, durationMs / 1_000);
      if ("error" in result) {
        ticks.inc({ service, outcome: "failed" });
        databaseError(result.error);
        return;
      }
      ticks.inc({ service, outcome: result.handled > 0 ? "worked" : "idle" });
      if (result.handled > 0) work.inc({ service, source: woken ? "notified" : "polled" });
      handled[service]?.inc(result.handled);
    },
    postponed: () => postponed.inc(),
    reconciled: ({ stuckCount }) => stuck.set(stuckCount),
    published: (hints) => finished.inc(hints.finished.size),
    notified: (channel) => received.inc({ channel }),
    databaseError,
  };
};
