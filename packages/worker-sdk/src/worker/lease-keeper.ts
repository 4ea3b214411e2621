/** Keeping leases: all that the worker holds are extended in one statement, well before they run out. */
import { type Database, extend, FloxyError } from "@floxy/shared";
import type { Logger } from "../handler/context.ts";
import type { Attempt } from "./attempt.ts";
import type { Running } from "./running.ts";

/** What keeping leases needs of its worker. */
export interface LeaseKeeperOptions {
  readonly db: Database;
  readonly running: Running;
  readonly leaseMs: number;
  readonly logger: Logger;
}

/** Extends leases until it is stopped, and tells handlers to stop whose result will not count. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #underway: Promise<void> | undefined;
  #again = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Begins to extend, three times in each lease period. */
  start(): void {
    this.#timer = setInterval(() => this.check(), this.#options.leaseMs / 3);
  }

  /** Extends now, and so learns at once which handlers should stop. */
  check(): void {
    this.#expireLocally();
    if (this.#underway !== undefined) {
      this.#again = true;
      return;
    }
    const attempts = [...this.#options.running.attempts].filter(({ settled }) => !settled);
    if (attempts.length === 0) return;
    this.#underway = this.#extend(attempts).finally(() => {
      this.#underway = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.check();
    });
  }

  /** Stops extending. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#again = false;
    await this.#underway;
  }

  async #extend(attempts: readonly Attempt[]): Promise<void> {
    const { db, leaseMs, logger } = this.#options;
    const leaseUntil = performance.now() + leaseMs;
    try {
      const states = await extend(db, { leases: attempts.map(({ leased }) => leased), leaseMs });
      for (const [index, attempt] of attempts.entries()) {
        const state = states[index];
        if (attempt.settled || state === undefined) continue;
        if (!state.held) attempt.abort(lost(attempt));
        else attempt.leaseUntil = leaseUntil;
        if (state.frozen) attempt.abort(frozen(attempt));
      }
    } catch (error) {
      logger.warn({ error, count: attempts.length }, "leases could not be extended; trying again");
    }
  }

  // When the database cannot be reached, others may take over once the lease has run out: the handler should not go on.
  #expireLocally(): void {
    const now = performance.now();
    for (const attempt of this.#options.running.attempts) {
      if (!attempt.settled && attempt.leaseUntil < now) attempt.abort(lost(attempt));
    }
  }
}

const lost = ({ leased: { node, attempt } }: Attempt): FloxyError =>
  new FloxyError("LEASE_LOST", `the lease of attempt ${attempt} of step '${node}' was lost; its result will not count`);

const frozen = ({ leased: { node } }: Attempt): FloxyError =>
  new FloxyError("INSTANCE_STOPPED", `the instance of step '${node}' no longer goes forward; the step will be undone`);
