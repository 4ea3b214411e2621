/** Sampling: now and then the figures of the queue are read in one statement and shown as metrics. */
import type { Database, QueueSample } from "@floxy/shared";
import { sampleQueue } from "@floxy/shared";
import type { Random } from "../service/clock.ts";
import type { Duty } from "../service/service.ts";

/** What the sample duty needs. */
export interface SampleDutyOptions {
  readonly db: Database;
  readonly random: Random;
  /** The mean time between two samples, in milliseconds. */
  readonly intervalMs: number;
  readonly onSample: (sample: QueueSample) => void;
}

/** How much of the interval is random, so that copies do not sample together. */
const jitter = 0.2;

/** Makes the duty. */
export const sampleDuty = ({ db, random, intervalMs, onSample }: SampleDutyOptions): Duty => ({
  name: "sample",
  longestWaitMs: intervalMs * (1 + jitter / 2),
  async runOnce() {
    onSample(await sampleQueue(db));
    return { handled: 0, nextMs: intervalMs * (1 + jitter * (random() - 0.5)) };
  },
});
