/**
 * The skeleton of a background service: a duty is looked after again and again, never twice at once. Like River's
 * maintenance services (github.com/riverqueue/river, internal/maintenance): start, stop, runOnce, and a file for each.
 */
import type { Clock, Random } from "./clock.ts";
import { backoffMs } from "./pace.ts";

/** What one tick came to. */
export interface Tick {
  /** How much was done; 0 for a look that found nothing. */
  readonly handled: number;
  /** How long to wait before the next tick unless the service is woken, in milliseconds; 0 when there is more to do. */
  readonly nextMs: number;
}

/** What a duty is told when it is looked after. */
export interface Look {
  /** Whether a notification asked for it; otherwise its time had come. */
  readonly woken: boolean;
}

/** The names of the services; they are the values of the metrics' `service` label. */
export type ServiceName = "review" | "timer" | "lease" | "sample" | "bulk" | "reconcile" | "history";

/** What a service looks after. One tick is bounded: one batch, a few statements. */
export interface Duty {
  readonly name: ServiceName;
  /** The longest wait that its ticks ask for, in milliseconds. Health is measured against it. */
  readonly longestWaitMs: number;
  runOnce(look: Look): Promise<Tick>;
}

/** A tick that is over, for metrics and log. */
export interface TickReport {
  readonly service: ServiceName;
  readonly woken: boolean;
  readonly durationMs: number;
  readonly result: { readonly handled: number } | { readonly error: unknown; readonly failures: number };
}

/** How a service is doing. */
export interface ServiceState {
  readonly name: ServiceName;
  /** How long ago a tick last succeeded, or the service started, in milliseconds. */
  readonly lastTickAgeMs: number;
  /** How long the running tick has been running, in milliseconds; `null` between ticks. */
  readonly runningMs: number | null;
  /** How many ticks have failed since one succeeded. */
  readonly failures: number;
  readonly longestWaitMs: number;
}

/** A duty with its loop. */
export interface Service {
  readonly name: ServiceName;
  /** Starts the loop; the first tick begins at once. */
  start(): void;
  /** Ends the loop; resolves when the running tick is over. */
  stop(): Promise<void>;
  /** Asks for a tick now. While one runs, another follows it at once; after a failure the backoff is waited for. */
  wake(): void;
  state(): ServiceState;
}

/** What a service's loop needs. */
export interface ServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onTick: (report: TickReport) => void;
}

/** Makes a service of a duty. A tick that throws is reported and tried again after a backoff; it never ends the loop. */
export const createService = (duty: Duty, { clock, random, onTick }: ServiceOptions): Service => {
  let loop: Promise<void> | undefined;
  let stopping = false;
  let woken = false;
  let failures = 0;
  let interrupt = (): void => {};
  let completedAt = clock.now();
  let runningSince: number | null = null;

  const report = (wasWoken: boolean, startedAt: number, result: TickReport["result"]): void => {
    try {
      onTick({ service: duty.name, woken: wasWoken, durationMs: clock.now() - startedAt, result });
    } catch {
      // A logger that fails must not end the loop, and there is nobody else to tell.
    }
  };

  /** Runs one tick and answers how long to wait. */
  const tick = async (): Promise<number> => {
    const look = { woken };
    woken = false;
    const startedAt = clock.now();
    runningSince = startedAt;
    try {
      const { handled, nextMs } = await duty.runOnce(look);
      failures = 0;
      completedAt = clock.now();
      report(look.woken, startedAt, { handled });
      return nextMs;
    } catch (error) {
      failures += 1;
      // The wake that this tick was to answer is still unanswered.
      woken ||= look.woken;
      report(look.woken, startedAt, { error, failures });
      return backoffMs(failures, random);
    } finally {
      runningSince = null;
    }
  };

  const pause = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.after(delayMs, resolve);
      interrupt = () => {
        cancel();
        resolve();
      };
    });

  const run = async (): Promise<void> => {
    while (!stopping) {
      const delayMs = await tick();
      // Asked here and not in tick(), so that no wake falls between the question and the wait.
      if (!stopping) await pause(woken && failures === 0 ? 0 : delayMs);
    }
  };

  return {
    name: duty.name,
    start() {
      completedAt = clock.now();
      loop ??= run();
    },
    async stop() {
      stopping = true;
      interrupt();
      await loop;
    },
    wake() {
      woken = true;
      if (failures === 0) interrupt();
    },
    state: () => ({
      name: duty.name,
      lastTickAgeMs: clock.now() - completedAt,
      runningMs: runningSince === null ? null : clock.now() - runningSince,
      failures,
      longestWaitMs: duty.longestWaitMs,
    }),
  };
};
