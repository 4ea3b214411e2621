/** Deadlines of many calls, each as long as the others, on one timer: a timer and an AbortController for each cost more than the call. */

/** A call that must be over in time. */
export interface TimedCall {
  /** Whether its time is over. */
  readonly isLate: boolean;
  /** The promise, or a rejection when the time is over first; then look at {@link isLate}. One at a time. */
  await<T>(promise: Promise<T>): Promise<T>;
  /** It is over. */
  end(): void;
}

/** Makes calls that must be over within `timeoutMs`. */
export const createDeadlines = (timeoutMs: number): { begin(): TimedCall } => {
  // In the order in which they began, which is that in which their time is over.
  const open = new Set<Timed>();
  let timer: NodeJS.Timeout | undefined;
  const ring = (): void => {
    timer = undefined;
    for (const call of open) {
      const leftMs = call.until - performance.now();
      if (leftMs > 0) {
        wait(leftMs);
        return;
      }
      open.delete(call);
      call.expire();
    }
  };
  const wait = (ms: number): void => {
    // What a call waits for keeps the process alive, not this.
    timer = setTimeout(ring, Math.ceil(ms)).unref();
  };
  return {
    begin() {
      const call = new Timed(performance.now() + timeoutMs, () => open.delete(call));
      open.add(call);
      if (timer === undefined) wait(timeoutMs);
      return call;
    },
  };
};

class Timed implements TimedCall {
  readonly until: number;
  readonly #leave: () => void;
  #isLate = false;
  #giveUp: ((error: unknown) => void) | undefined;

  constructor(until: number, leave: () => void) {
    this.until = until;
    this.#leave = leave;
  }

  get isLate(): boolean {
    return this.#isLate;
  }

  await<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      promise.then(resolve, reject);
      if (this.#isLate) reject(late);
    });
  }

  expire(): void {
    this.#isLate = true;
    this.#giveUp?.(late);
  }

  end(): void {
    this.#leave();
  }
}

const late = new Error("its time is over");
