import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

/** Polls so far apart that whoever waits for one is late; the deadline of an instance is a third of it. */
const rarePolls = { pollIntervalMs: 60_000 };

/** Counts how many calls run at the same time. */
const counted = () => {
  let running = 0;
  const seen = { most: 0 };
  const run = async (): Promise<void> => {
    seen.most = Math.max(seen.most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
  };
  return { seen, run };
};

test("a handler's own limit holds, and its steps follow one another without waiting for a poll", async () => {
  const calls = new Recorder();
  const narrow = counted();
  const step = calls.step("narrow", { run: narrow.run, concurrency: 2 });
  const definition = workflow<object>({ name: "narrow", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { service: [step] }, worker: rarePolls });
  const views = await Promise.all(Array.from({ length: 25 }, () => cluster.run(definition, {})));
  expect(new Set(views.map(({ status }) => status))).toEqual(new Set(["completed"]));
  expect(narrow.seen.most).toBeLessThanOrEqual(2);
});

test("a handler that is at its limit does not hold up another one of the same worker, and is not forgotten", async () => {
  const calls = new Recorder();
  const narrow = counted();
  const step = calls.step("narrow", { run: narrow.run, concurrency: 1 });
  const wide = calls.step("wide");
  const definition = workflow<object>({ name: "both", version: 1 }).parallel("both", [step, wide]).build();
  const cluster = await startCluster({ services: { service: [step, wide] }, worker: rarePolls });
  const views = await Promise.all(Array.from({ length: 25 }, () => cluster.run(definition, {})));
  expect(new Set(views.map(({ status }) => status))).toEqual(new Set(["completed"]));
  expect(narrow.seen.most).toBe(1);
});

test("the worker's limit holds over all its handlers, and a backlog is worked off without waiting for a poll", async () => {
  const calls = new Recorder();
  const all = counted();
  const [one, two] = [calls.step("one", { run: all.run }), calls.step("two", { run: all.run })];
  const definition = workflow<object>({ name: "limited", version: 1 }).step(one).step(two).build();
  const cluster = await startCluster({ services: { service: [one, two] }, worker: { ...rarePolls, concurrency: 3 } });
  const views = await Promise.all(Array.from({ length: 40 }, () => cluster.run(definition, {})));
  expect(new Set(views.map(({ status }) => status))).toEqual(new Set(["completed"]));
  expect(all.seen.most).toBeLessThanOrEqual(3);
});
