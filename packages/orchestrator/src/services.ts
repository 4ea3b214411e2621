/** The services of an orchestrator, wired to one database, one clock and one way to publish. */
import type { Database, Hints, QueueSample, Reconciled } from "@floxy/shared";
import { createGraphCache } from "@floxy/shared";
import { bulkDuty } from "./duty/bulk-duty.ts";
import { createDueWatch } from "./duty/due-watch.ts";
import type { HistoryReport } from "./duty/history-duty.ts";
import { historyDuty } from "./duty/history-duty.ts";
import { leaseDuty } from "./duty/lease-duty.ts";
import { reconcileDuty } from "./duty/reconcile-duty.ts";
import { reviewDuty } from "./duty/review-duty.ts";
import { sampleDuty } from "./duty/sample-duty.ts";
import { timerDuty } from "./duty/timer-duty.ts";
import type { Clock, Random } from "./service/clock.ts";
import { createPace } from "./service/pace.ts";
import type { Service, TickReport } from "./service/service.ts";
import { createService } from "./service/service.ts";

/** What the services need. */
export interface ServicesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly orchestratorId: string;
  readonly pollIntervalMs: number;
  readonly reviewBatch: number;
  readonly sampleIntervalMs: number;
  /** `false` for an orchestrator that does not reconcile. */
  readonly reconcileIntervalMs: number | false;
  /** `false` for an orchestrator that does not look after history. */
  readonly historyIntervalMs: number | false;
  /** Whether notifications arrive now. */
  readonly listening: () => boolean;
  readonly publish: (hints: Hints) => void;
  readonly onTick: (report: TickReport) => void;
  readonly onPostponed: (instanceId: string, error: unknown) => void;
  readonly onNotTakenOver: (instanceId: string, error: unknown) => void;
  readonly onSample: (sample: QueueSample) => void;
  readonly onReconciled: (found: Reconciled) => void;
  readonly onHistory: (report: HistoryReport) => void;
}

/** The services by their names. */
export interface Services {
  readonly review: Service;
  readonly timer: Service;
  readonly lease: Service;
  readonly sample: Service;
  readonly bulk: Service;
  /** Missing when it is switched off. */
  readonly reconcile?: Service;
  /** Missing when it is switched off. */
  readonly history?: Service;
}

/** The wait after the first look that found nothing, in milliseconds; it doubles up to the poll interval. */
const shortestPollMs = 50;

/** The longest wait for an expired lease, in milliseconds: no notification tells of one. */
const longestLeaseWaitMs = 1_000;

/** While notifications arrive, polling only has to make up for a lost one, and is this much rarer, up to 5 s. */
const listeningFactor = 5;
const longestListeningPollMs = 5_000;

/** The most steps to wake, or leases to take over, in one statement. */
const queueBatch = 200;

/** The most items of bulk acts in one tick; each is a transaction of its own. */
const bulkBatch = 50;

/** The most of each kind to repair in one round. */
const reconcileBatch = 1_000;

/** The most instances to remove in one tick, and in one transaction. */
const pruneLimits = { limit: 20_000, batchSize: 1_000 } as const;

/** Makes the services; none is started. */
export const createServices = (options: ServicesOptions): Services => {
  const { db, clock, random, pollIntervalMs, publish, reconcileIntervalMs: intervalMs, onReconciled } = options;
  const { historyIntervalMs: historyMs, onHistory } = options;
  const rareMs = Math.max(pollIntervalMs, Math.min(pollIntervalMs * listeningFactor, longestListeningPollMs));
  const pollMs = (): number => (options.listening() ? rareMs : pollIntervalMs);
  const leasePollMs = Math.min(pollIntervalMs, longestLeaseWaitMs);
  // Half a poll old is young enough for those who were not woken: the services that poll in turn share a statement.
  const due = createDueWatch(db, clock, leasePollMs / 2);
  const graphs = createGraphCache();
  const common = { db, graphs, due, publish, pollMs, longestWaitMs: rareMs, batchSize: queueBatch };
  const pace = () => createPace(Math.min(shortestPollMs, pollIntervalMs), random);
  return {
    review: createService(
      reviewDuty({ ...common, pace: pace(), batchSize: options.reviewBatch, onPostponed: options.onPostponed }),
      options,
    ),
    timer: createService(timerDuty({ ...common, pace: pace() }), options),
    lease: createService(
      leaseDuty({
        ...common,
        pace: pace(),
        pollMs: leasePollMs,
        orchestratorId: options.orchestratorId,
        onNotTakenOver: options.onNotTakenOver,
      }),
      options,
    ),
    sample: createService(
      sampleDuty({ db, random, intervalMs: options.sampleIntervalMs, onSample: options.onSample }),
      options,
    ),
    bulk: createService(bulkDuty({ ...common, pace: pace(), pollMs: rareMs, batchSize: bulkBatch }), options),
    ...(intervalMs !== false && {
      reconcile: createService(
        reconcileDuty({ db, random, intervalMs, batchSize: reconcileBatch, publish, onReconciled }),
        options,
      ),
    }),
    ...(historyMs !== false && {
      history: createService(historyDuty({ db, random, intervalMs: historyMs, ...pruneLimits, onHistory }), options),
    }),
  };
};
