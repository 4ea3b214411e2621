/** The figures of the queue, as they were when it was last sampled. Every orchestrator shows the same, so take the max. */
import type { QueueSample } from "@floxy/shared";
import type { MetricFactory } from "./registry.ts";

/** Registers the gauges; call the answer with each sample. */
export const createQueueMetrics = ({ gauge }: MetricFactory): ((sample: QueueSample) => void) => {
  const ready = gauge("queue_ready_steps", "Steps that wait for a worker, by handler; counted up to 10,000.", [
    "handler",
  ]);
  const oldest = gauge("queue_oldest_ready_seconds", "How long the oldest ready step has waited for a worker.", [
    "handler",
  ]);
  const delayed = gauge("queue_delayed_steps", "Steps that wait for their time; counted up to 10,000.");
  const leased = gauge("queue_leased_steps", "Steps that a worker has; counted up to 10,000.");
  const inbox = gauge("inbox_notes", "Notes that wait for an orchestrator; counted up to 10,000.");
  const postponed = gauge("inbox_postponed_notes", "Notes whose review failed and is tried again later.");
  const dead = gauge("dead_letters", "Dead letters that wait for a person, by kind; counted up to 10,000.", ["kind"]);
  return (sample) => {
    // A handler that has nothing ready any more must not keep its last figure.
    ready.reset();
    oldest.reset();
    for (const { handler, ready: count, oldestSeconds } of sample.handlers) {
      ready.set({ handler }, count);
      oldest.set({ handler }, oldestSeconds);
    }
    delayed.set(sample.delayed);
    leased.set(sample.leased);
    inbox.set(sample.inbox);
    postponed.set(sample.postponed);
    for (const [kind, count] of Object.entries(sample.deadLetters)) dead.set({ kind }, count);
  };
};
