/**
 * Watching for the ends of instances, for all who wait in this process together. A notification says where to look at
 * once; because it is only a hint, all are looked at from time to time, in one statement.
 */
import type { Executor, FloxyError, InstanceState, InstanceStatus } from "@floxy/shared";
import { instanceNotFound, isId, isTransient, statesOf } from "@floxy/shared";

/** The shortest and the longest time between two looks that nothing but the clock asked for, in milliseconds. */
const lookIntervalMs = { first: 1_000, last: 5_000 } as const;

/** The most instances that are looked at in one statement. */
const lookLimit = 1_000;

/** The parameters of {@link EndWatcher}. */
export interface EndWatcherParams {
  readonly db: Executor;
  readonly random: () => number;
  /** Called when something is watched for the first time. */
  readonly onFirst: () => void;
  /** Told of a look that failed and will be repeated. */
  readonly onRetry: (error: unknown) => void;
}

interface Watched {
  /** What the last look saw. */
  status: InstanceStatus | undefined;
  readonly waits: Set<Wait>;
}

interface Wait {
  readonly resolve: (status: InstanceStatus) => void;
  readonly reject: (error: unknown) => void;
}

/** Watches for the ends of instances. */
export class EndWatcher {
  readonly #params: EndWatcherParams;
  readonly #watched = new Map<string, Watched>();
  /** Where the next look goes. */
  readonly #due = new Set<string>();
  #looking: Promise<void> | undefined;
  #timer: { readonly handle: NodeJS.Timeout; readonly at: number } | undefined;
  #intervalMs: number = lookIntervalMs.first;
  #used = false;
  #closed: FloxyError | undefined;

  constructor(params: EndWatcherParams) {
    this.#params = params;
  }

  /**
   * Resolves with the status of the instance once it has ended. Rejects with `INSTANCE_NOT_FOUND`, with `SHUTDOWN` when
   * the client is closed, or with the signal's reason.
   */
  ended(instanceId: string, signal: AbortSignal): Promise<InstanceStatus> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) return reject(this.#closed);
      if (signal.aborted) return reject(signal.reason);
      if (!isId(instanceId)) return reject(instanceNotFound(instanceId));
      const wait: Wait = { resolve, reject };
      const watched = this.#watched.get(instanceId) ?? { status: undefined, waits: new Set() };
      watched.waits.add(wait);
      this.#watched.set(instanceId, watched);
      const leave = () => {
        reject(signal.reason);
        watched.waits.delete(wait);
        if (watched.waits.size === 0) this.#forget(instanceId, watched);
      };
      signal.addEventListener("abort", leave, { once: true });
      if (!this.#used) this.#params.onFirst();
      this.#used = true;
      this.#intervalMs = lookIntervalMs.first;
      void this.look([instanceId]);
    });
  }

  /** What the last look saw of an instance that is watched. */
  statusOf(instanceId: string): InstanceStatus | undefined {
    return this.#watched.get(instanceId)?.status;
  }

  /** Looks at these of the watched instances, or at all, as soon as possible. Resolves, never rejects, when it is done. */
  look(instanceIds: Iterable<string> = this.#watched.keys()): Promise<void> {
    for (const instanceId of instanceIds) if (this.#watched.has(instanceId)) this.#due.add(instanceId);
    if (this.#due.size > 0) this.#looking ??= this.#lookAtDue();
    return this.#looking ?? Promise.resolve();
  }

  /** Rejects all who wait. */
  close(error: FloxyError): void {
    this.#closed = error;
    this.#failAll(error);
  }

  async #lookAtDue(): Promise<void> {
    try {
      await undefined; // All who begin to wait in the same turn share the first look.
      while (this.#due.size > 0) {
        const batch = [...this.#due].slice(0, lookLimit);
        for (const instanceId of batch) this.#due.delete(instanceId);
        const states = await statesOf(this.#params.db, batch);
        this.#settle(batch, states);
      }
    } catch (error) {
      // The database may be away; the next look comes by the clock.
      if (isTransient(error)) this.#params.onRetry(error);
      else this.#failAll(error);
    }
    this.#looking = undefined;
    this.#schedule();
  }

  #settle(batch: readonly string[], states: readonly InstanceState[]): void {
    const found = new Map(states.map((state) => [state.instanceId, state]));
    for (const instanceId of batch) {
      const watched = this.#watched.get(instanceId);
      const state = found.get(instanceId);
      if (watched === undefined) continue;
      watched.status = state?.status;
      if (state !== undefined && !state.finished) continue;
      this.#forget(instanceId, watched);
      for (const { resolve, reject } of watched.waits) {
        if (state === undefined) reject(instanceNotFound(instanceId));
        else resolve(state.status);
      }
    }
  }

  #failAll(error: unknown): void {
    for (const [instanceId, watched] of this.#watched) {
      this.#forget(instanceId, watched);
      for (const { reject } of watched.waits) reject(error);
    }
    this.#due.clear();
  }

  #forget(instanceId: string, watched: Watched): void {
    if (this.#watched.get(instanceId) === watched) this.#watched.delete(instanceId);
    if (this.#watched.size === 0) this.#clearTimer();
  }

  /** Sets the clock for the next look at all; a sooner one that stands already is kept. */
  #schedule(): void {
    if (this.#watched.size === 0) return;
    // A tenth of it is random, so that many processes do not look in step.
    const delayMs = this.#intervalMs * (0.9 + this.#params.random() * 0.1);
    const at = performance.now() + delayMs;
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#clearTimer();
    this.#timer = { at, handle: setTimeout(() => this.#tick(), delayMs) };
  }

  #tick(): void {
    this.#timer = undefined;
    this.#intervalMs = Math.min(this.#intervalMs * 1.5, lookIntervalMs.last);
    void this.look();
  }

  #clearTimer(): void {
    clearTimeout(this.#timer?.handle);
    this.#timer = undefined;
  }
}
