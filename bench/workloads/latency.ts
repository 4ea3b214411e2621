/** How long a workflow waits, on an idle system and at half of what it can do. */
import { systemNames } from "../systems/names.ts";
import { sequenceOf } from "../systems/system.ts";
import { withPlace } from "./place.ts";
import type { Bench, Measured, Variant, Workload } from "./workload.ts";

const scenario = sequenceOf(3);

const variant = (system: string): Variant => ({
  system,
  label: system,
  measure: (bench: Bench): Promise<Measured> =>
    withPlace(bench, { system, scenario }, async ({ child, configuration }) => {
      // What it can start and what it can work off, one after the other, tells what it can do of both at once.
      const begun = await child.ask("singleStarts", {
        first: 0,
        callers: 32,
        seconds: bench.quick ? 1 : 2,
        keyed: false,
      });
      const startsPerSecond = (begun.count / begun.ms) * 1_000;
      const count = begun.count + 1;
      const startedAt = performance.now();
      await child.ask("work");
      await child.ask("called", { calls: count * 3, timeoutMs: 120_000 });
      await child.ask("ended", { timeoutMs: 30_000 });
      const workflowsPerSecond = (count / (performance.now() - startedAt)) * 1_000;
      const both = 1 / (1 / startsPerSecond + 1 / workflowsPerSecond);

      const idle = await child.ask("oneByOne", { first: 1_000_000, count: bench.quick ? 40 : 200 });
      const seconds = bench.quick ? 2 : 5;
      const loaded = await child.ask("steadily", { first: 2_000_000, perSecond: both / 2, seconds });
      await child.ask("rest");
      const lost = [
        ...(idle.start.count === (bench.quick ? 40 : 200) ? [] : [`${idle.start.count} first steps began when idle`]),
      ];
      return {
        configuration,
        lost,
        figures: {
          startP50: idle.start.p50,
          startP99: idle.start.p99,
          stepP50: idle.step.p50,
          stepP99: idle.step.p99,
          loadPerSecond: loaded.perSecond,
          loadedStartP50: loaded.start.p50,
          loadedStartP99: loaded.start.p99,
          loadedStepP50: loaded.step.p50,
          loadedStepP99: loaded.step.p99,
        },
      };
    }),
});

/** The workload. */
export const latency: Workload = {
  name: "latency",
  about:
    "From before the call that starts a workflow to the call of its first handler, and from the end of a handler to the call of the next; client and worker in one process. Idle: one workflow after another, with pauses. Half load: at a steady rate of half of what the system can start and work off.",
  ratio: "multiple",
  columns: [
    { key: "startP50", title: "idle: start p50 ms" },
    { key: "startP99", title: "p99" },
    { key: "stepP50", title: "step p50 ms" },
    { key: "stepP99", title: "p99" },
    { key: "loadPerSecond", title: "half load: workflows/s" },
    { key: "loadedStartP50", title: "start p50 ms" },
    { key: "loadedStartP99", title: "p99" },
    { key: "loadedStepP50", title: "step p50 ms" },
    { key: "loadedStepP99", title: "p99" },
  ],
  variants: ({ systems }) => systemNames.filter((name) => systems.includes(name)).map(variant),
};
