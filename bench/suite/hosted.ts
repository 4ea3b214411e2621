/** What a process that hosts a system does when the harness asks; see `protocol.ts`. */
import { setTimeout as pause } from "node:timers/promises";
import { loaders } from "../systems/names.ts";
import type { Client, Session, Stoppable } from "../systems/system.ts";
import { callsOf } from "../systems/system.ts";
import { Counter, Timing } from "./probes.ts";
import type { Calls, Latencies } from "./protocol.ts";
import { latencyOf } from "./statistics.ts";

/** A host that nothing was loaded into yet. */
export const createHost = (): Calls => {
  const counter = new Counter();
  let opened: { readonly session: Session; readonly steps: number } | undefined;
  let worker: Stoppable | undefined;
  let parts: Stoppable | undefined;
  let cpuBefore = process.cpuUsage();

  const session = (): Session => {
    if (opened === undefined) throw new Error("nothing was opened");
    return opened.session;
  };

  const ended = async (timeoutMs: number): Promise<number> => {
    const deadline = performance.now() + timeoutMs;
    for (let asked = 1; ; asked++) {
      if (!(await session().unfinished())) return asked;
      if (performance.now() > deadline) throw new Error(`workflows are unfinished after ${timeoutMs} ms`);
      await pause(5);
    }
  };

  const withClient = async <T>(use: (client: Client) => Promise<T>): Promise<T> => {
    const client = await session().openClient();
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };

  const timed = async (run: (client: Client, timing: Timing) => Promise<number>): Promise<Latencies> => {
    const timing = new Timing((opened?.steps ?? 1) - 1);
    return withClient(async (client) => {
      // The first call connects and registers; it is not what is measured.
      const warm = timing.lastOf(-1);
      counter.time(timing);
      await client.startOne(-1);
      await warm;
      const clean = new Timing((opened?.steps ?? 1) - 1);
      counter.time(clean);
      const perSecond = await run(client, clean);
      counter.time(undefined);
      return { start: clean.start(), step: clean.step(), perSecond };
    });
  };

  return {
    async open({ system: name, url, scenario, setUp }) {
      const load = loaders[name];
      if (load === undefined) throw new Error(`there is no system ${name}`);
      const { system } = await load();
      const made = system.open({ url, scenario, probe: counter });
      if (setUp) await made.setUp();
      opened = { session: made, steps: callsOf(scenario) };
      return { configuration: system.configuration, warmUp: system.warmUp };
    },
    enqueue: ({ first, count }) =>
      withClient(async (client) => {
        const startedAt = performance.now();
        await client.enqueue(first, count);
        return { ms: performance.now() - startedAt };
      }),
    async work() {
      counter.reset();
      cpuBefore = process.cpuUsage();
      worker = await session().startWorker();
    },
    calls: () => Promise.resolve(counter.calls),
    async called({ calls, timeoutMs }) {
      const late = new AbortController();
      const timeout = pause(timeoutMs, "late" as const, { signal: late.signal });
      const first = await Promise.race([counter.until(calls), timeout]);
      late.abort();
      timeout.catch(() => {});
      if (first === "late") throw new Error(`${counter.calls} of ${calls} handlers were called in ${timeoutMs} ms`);
    },
    ended: ({ timeoutMs }) => ended(timeoutMs),
    usage() {
      const { user, system } = process.cpuUsage(cpuBefore);
      return Promise.resolve({ cpuUs: user + system, peakBytes: process.resourceUsage().maxRSS * 1024 });
    },
    async rest() {
      await worker?.stop();
      worker = undefined;
    },
    tally: () => session().tally(),
    oneByOne: ({ first, count }) =>
      timed(async (client, timing) => {
        const startedAt = performance.now();
        for (let id = first; id < first + count; id++) {
          const done = timing.lastOf(id);
          timing.starts(id);
          await client.startOne(id);
          await done;
          await pause(10 + Math.random() * 40);
        }
        await ended(30_000);
        return (count / (performance.now() - startedAt)) * 1_000;
      }),
    steadily: ({ first, perSecond, seconds }) =>
      timed(async (client, timing) => {
        const count = Math.max(1, Math.round(perSecond * seconds));
        const starting: Promise<unknown>[] = [];
        const startedAt = performance.now();
        while (starting.length < count) {
          const due = Math.min(count, Math.ceil(((performance.now() - startedAt) / 1_000) * perSecond));
          while (starting.length < due) {
            const id = first + starting.length;
            timing.starts(id);
            starting.push(client.startOne(id));
          }
          await pause(1);
        }
        const took = performance.now() - startedAt;
        await Promise.all(starting);
        await ended(60_000);
        return (count / took) * 1_000;
      }),
    singleStarts: ({ first, callers, seconds, keyed }) =>
      withClient(async (client) => {
        await client.startOne(first, keyed ? `order ${first}` : undefined);
        const latencies: number[] = [];
        let next = first + 1;
        const startedAt = performance.now();
        const until = startedAt + seconds * 1_000;
        const caller = async (): Promise<void> => {
          while (performance.now() < until) {
            const id = next++;
            const from = performance.now();
            await client.startOne(id, keyed ? `order ${id}` : undefined);
            latencies.push(performance.now() - from);
          }
        };
        await Promise.all(Array.from({ length: callers }, caller));
        return { count: latencies.length, ms: performance.now() - startedAt, latency: latencyOf(latencies) };
      }),
    async idle({ workers, url }) {
      // Only here, so that peers do not carry Floxy's code in their memory.
      const { idleParts } = await import("./idle-parts.ts");
      cpuBefore = process.cpuUsage();
      parts = await idleParts(url, workers);
    },
    async close() {
      await worker?.stop();
      await parts?.stop();
      await opened?.session.close();
    },
  };
};
