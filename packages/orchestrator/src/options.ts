/** What an orchestrator can be told, with the defaults. */
import type { Logger } from "./log.ts";
import type { Clock, Random } from "./service/clock.ts";

/** Where the orchestrator answers HTTP. */
export interface HttpOptions {
  /** The address to listen on; 127.0.0.1 unless told. */
  readonly host?: string | undefined;
  /** The port; 9464 unless told, 0 for a free one. */
  readonly port?: number | undefined;
}

/** How to make an orchestrator. Only the connection string has no default. */
export interface OrchestratorOptions {
  /** The database that the workers share. */
  readonly connectionString: string;
  /** The schema of Floxy's tables; `floxy` unless told. */
  readonly schema?: string | undefined;
  /** Whether to bring the schema up to date on start; `true` unless told. With `false` it must be up to date. */
  readonly migrate?: boolean | undefined;
  /** A URL of its own for LISTEN, or `false` to poll only; the connection string unless told. */
  readonly listenConnectionString?: string | false | undefined;
  /** Whether statements are prepared; `false` behind pgbouncer in transaction mode. */
  readonly prepare?: boolean | undefined;
  /** The most connections besides the one for LISTEN; 4 unless told. */
  readonly poolSize?: number | undefined;
  /** Where to answer HTTP; not at all unless told. */
  readonly http?: HttpOptions | false | undefined;
  /** The longest wait between two looks when no notification arrives, in milliseconds; 1,000 unless told. */
  readonly pollIntervalMs?: number | undefined;
  /** The most instances reviewed in one transaction; 250 unless told. */
  readonly reviewBatch?: number | undefined;
  /** The time between two samples of the queue, in milliseconds; 15,000 unless told. */
  readonly sampleIntervalMs?: number | undefined;
  /** The time between two rounds of the reconciler, in milliseconds; 60,000 unless told, `false` for none. */
  readonly reconcileIntervalMs?: number | false | undefined;
  /** The time between two looks after history, in milliseconds; 30,000 unless told, `false` for none. */
  readonly historyIntervalMs?: number | false | undefined;
  /** How late a service may be before it counts as stale, in milliseconds; 30,000 unless told. */
  readonly staleAfterMs?: number | undefined;
  /** How long {@link Orchestrator.stop} waits for what is running, in milliseconds; 10,000 unless told. */
  readonly drainTimeoutMs?: number | undefined;
  /** Who this orchestrator is, in events and log; made of host, process and chance unless told. */
  readonly orchestratorId?: string | undefined;
  /** Takes the log; nothing is logged unless told. */
  readonly logger?: Logger | undefined;
  /** Whether the metrics of the process are in the registry too; `true` unless told. */
  readonly processMetrics?: boolean | undefined;
  /** Time and chance; those of the process unless told. */
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** The numbers of {@link OrchestratorOptions} when nothing is told. */
export const defaults = {
  poolSize: 4,
  pollIntervalMs: 1_000,
  reviewBatch: 250,
  sampleIntervalMs: 15_000,
  reconcileIntervalMs: 60_000,
  historyIntervalMs: 30_000,
  staleAfterMs: 30_000,
  drainTimeoutMs: 10_000,
  httpHost: "127.0.0.1",
  httpPort: 9464,
} as const;
