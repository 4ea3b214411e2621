/** Keeping leases: all that the worker holds are extended in one statement, well before they run out. */
import type { Database } from "@floxy/shared";
import { extend, FloxyError } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import type { Attempt } from "./attempt.ts";
import type { Running } from "./running.ts";

/** What keeping leases needs of its worker. */
export interface LeaseKeeperOptions {
  /** A connection of its own, so that an extension never waits behind other work. */
  readonly db: Database;
  readonly running: Running;
  readonly leaseMs: number;
  readonly logger: Logger;
}

/** Extends leases until it is stopped, and tells handlers to stop whose result will not count. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #tickMs: number;
  #ticker: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #underway: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#tickMs = options.leaseMs / 3;
  }

  /** Begins to extend, three times in each lease period. */
  start(): void {
    if (this.#stopped) return;
    // When this process stood still, the answer to the last extension may lie in the socket. It is read first.
    this.#ticker ??= setInterval(() => setImmediate(() => this.#tick()), this.#tickMs);
  }

  /** Extends now, and so learns at once which handlers should stop. */
  check(): void {
    if (this.#stopped) return;
    if (this.#underway !== undefined) {
      this.#again = true;
      return;
    }
    const attempts = [...this.#options.running.attempts].filter(({ isSettled }) => !isSettled);
    if (attempts.length === 0) return;
    this.#underway = this.#extend(attempts).finally(() => {
      this.#underway = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.check();
    });
  }

  /** Stops extending; resolves when the last extension is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#ticker);
    clearTimeout(this.#expiryTimer);
    await this.#underway;
  }

  #tick(): void {
    if (this.#stopped) return;
    this.#abortExpired();
    this.check();
    this.#watchExpiry();
  }

  // Never rejects.
  async #extend(attempts: readonly Attempt[]): Promise<void> {
    const { db, leaseMs, logger } = this.#options;
    const leaseUntil = performance.now() + leaseMs;
    for (const attempt of attempts) attempt.isExtensionOpen = true;
    try {
      const states = await extend(db, { leases: attempts.map(({ leased }) => leased), leaseMs });
      for (const [index, attempt] of attempts.entries()) {
        const state = states[index];
        if (attempt.isSettled || state === undefined) continue;
        attempt.isExtensionOpen = false;
        if (!state.held) attempt.abort(lost(attempt));
        else attempt.leaseUntil = leaseUntil;
        if (state.frozen) attempt.abort(frozen(attempt));
      }
    } catch (error) {
      logger.warn({ error, count: attempts.length }, "leases could not be extended; trying again");
    }
  }

  // The next tick may come too late to say that a lease has run out.
  #watchExpiry(): void {
    clearTimeout(this.#expiryTimer);
    const ends = this.#endangered().map(({ leaseUntil }) => leaseUntil);
    if (ends.length === 0) return;
    const inMs = ends.reduce((earliest, end) => Math.min(earliest, end)) - performance.now();
    if (inMs > this.#tickMs) return;
    this.#expiryTimer = setTimeout(() => setImmediate(() => this.#abortExpired()), inMs + 1);
  }

  // When the database cannot be reached, others may take over once the lease has run out: the handler should not go on.
  #abortExpired(): void {
    const now = performance.now();
    for (const attempt of this.#endangered()) if (attempt.leaseUntil < now) attempt.abort(lost(attempt));
  }

  /** The attempts whose last extension has failed or has no answer yet. */
  #endangered(): Attempt[] {
    return [...this.#options.running.attempts].filter((attempt) => !attempt.isSettled && attempt.isExtensionOpen);
  }
}

/** Why a handler is told to stop whose lease is lost. */
export const lost = ({ leased: { node, attempt } }: Pick<Attempt, "leased">): FloxyError =>
  new FloxyError("LEASE_LOST", `the lease of attempt ${attempt} of step '${node}' was lost; its result will not count`);

/** Why a handler is told to stop whose instance does not go forward any more. */
export const frozen = ({ leased: { node } }: Pick<Attempt, "leased">): FloxyError =>
  new FloxyError("INSTANCE_STOPPED", `the instance of step '${node}' no longer goes forward; the step will be undone`);
