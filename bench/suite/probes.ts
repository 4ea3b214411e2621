/** Counts calls of handlers, and measures how long workflows wait for them. */
import type { Probe } from "../systems/system.ts";
import type { Latency } from "./statistics.ts";
import { latencyOf } from "./statistics.ts";

/** A probe that can also be asked. */
export class Counter implements Probe {
  calls = 0;
  #waiting: { readonly calls: number; readonly resolve: () => void } | undefined;
  #timing: Timing | undefined;

  began(workflow: number, step: number): void {
    this.calls++;
    this.#timing?.began(workflow, step);
    if (this.#waiting && this.calls >= this.#waiting.calls) {
      this.#waiting.resolve();
      this.#waiting = undefined;
    }
  }

  ended(workflow: number, step: number): void {
    this.#timing?.ended(workflow, step);
  }

  /** Resolves when that many handlers have been called. */
  until(calls: number): Promise<void> {
    if (this.calls >= calls) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { calls, resolve };
    });
  }

  /** Counts from zero again. */
  reset(): void {
    this.calls = 0;
  }

  /** Also looks at the clock from now on; `undefined` for no longer. */
  time(timing: Timing | undefined): void {
    this.#timing = timing;
  }
}

/** Latencies of workflows whose handlers are called in this process. */
export class Timing {
  readonly #startedAt = new Map<number, number>();
  readonly #endedAt = new Map<number, number>();
  readonly #starts: number[] = [];
  readonly #steps: number[] = [];
  readonly #watched = new Map<number, () => void>();

  constructor(private readonly last: number) {}

  /** Just before the call that starts a workflow. */
  starts(workflow: number): void {
    this.#startedAt.set(workflow, performance.now());
  }

  began(workflow: number, step: number): void {
    const now = performance.now();
    if (step === 0) {
      const at = this.#startedAt.get(workflow);
      if (at !== undefined) this.#starts.push(now - at);
      this.#startedAt.delete(workflow);
      return;
    }
    const at = this.#endedAt.get(workflow);
    if (at !== undefined) this.#steps.push(now - at);
    this.#endedAt.delete(workflow);
  }

  ended(workflow: number, step: number): void {
    if (step !== this.last) {
      this.#endedAt.set(workflow, performance.now());
      return;
    }
    this.#watched.get(workflow)?.();
    this.#watched.delete(workflow);
  }

  /** Resolves when the last handler of a workflow returns. */
  lastOf(workflow: number): Promise<void> {
    return new Promise((resolve) => this.#watched.set(workflow, resolve));
  }

  start(): Latency {
    return latencyOf(this.#starts);
  }

  step(): Latency {
    return latencyOf(this.#steps);
  }
}
