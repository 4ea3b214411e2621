/**
 * Health: whether the services do their work, told by the age of each one's last tick that succeeded. A ping of the
 * database would say nothing of a loop that hangs or a pool that is dead (lightdash#26670).
 */
import type { ServiceName, ServiceState } from "./service/service.ts";

/** Where an orchestrator is in its life. */
export type Phase = "idle" | "starting" | "running" | "stopping" | "stopped";

/** One service's health. */
export interface ServiceHealth {
  readonly service: ServiceName;
  readonly stale: boolean;
  /** The age of the last tick that succeeded, in milliseconds. */
  readonly lastTickAgeMs: number;
  /** The age from which it counts as stale, in milliseconds. */
  readonly staleAfterMs: number;
  /** How long the running tick has been running, in milliseconds; `null` between ticks. */
  readonly runningMs: number | null;
  /** How many ticks have failed since one succeeded. */
  readonly failures: number;
}

/** An orchestrator's health. */
export interface Health {
  /** `stale` if any service is. While it starts nothing can be stale: it waits for the database as long as it takes. */
  readonly status: "ok" | "stale";
  readonly phase: Phase;
  readonly services: readonly ServiceHealth[];
}

/** Whether an orchestrator can do its work now. */
export interface Readiness {
  readonly ready: boolean;
  readonly phase: Phase;
  /** The version of the schema, once it was checked. */
  readonly schema: "unchecked" | "ok";
  /** How long ago the database last answered, in milliseconds; `null` if it never did. */
  readonly databaseAgeMs: number | null;
  /** For information only: without a listener the orchestrator polls. */
  readonly listener: ListenerState;
}

/** The state of the listener for notifications. */
export type ListenerState = "connected" | "disconnected" | "off";

/** How much later than planned a tick may be before the orchestrator is not ready, in milliseconds. */
const readyGraceMs = 5_000;

/** Judges services by their states. */
export const healthOf = (phase: Phase, states: readonly ServiceState[], staleAfterMs: number): Health => {
  const services = states.map(({ name, lastTickAgeMs, runningMs, failures, longestWaitMs }): ServiceHealth => {
    const limit = longestWaitMs + staleAfterMs;
    const stale = phase === "running" && lastTickAgeMs > limit;
    return {
      service: name,
      stale,
      lastTickAgeMs: Math.round(lastTickAgeMs),
      staleAfterMs: Math.round(limit),
      runningMs: runningMs === null ? null : Math.round(runningMs),
      failures,
    };
  });
  return { status: services.some(({ stale }) => stale) ? "stale" : "ok", phase, services };
};

/** Says whether the database was reached recently: every tick that succeeds has reached it. */
export const readinessOf = (phase: Phase, states: readonly ServiceState[], listener: ListenerState): Readiness => {
  const running = phase === "running";
  const ages = states.map(({ lastTickAgeMs }) => lastTickAgeMs);
  return {
    ready: running && states.every((state) => state.lastTickAgeMs <= state.longestWaitMs + readyGraceMs),
    phase,
    schema: running || phase === "stopping" ? "ok" : "unchecked",
    databaseAgeMs: running && ages.length > 0 ? Math.round(Math.min(...ages)) : null,
    listener,
  };
};
