import type { AttemptResult, Hints } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";
import { expect, it } from "vitest";
import type { SettledAttempt } from "./settler.ts";
import { Settler } from "./settler.ts";
import { createLog, fakeDatabase, leasedStep, resolvedStep, task } from "./testing/steps.ts";

const released: AttemptResult = { kind: "released" };
const failed = (more: object = {}): AttemptResult => ({
  kind: "failed",
  error: { code: "HANDLER_FAILED", message: "no" },
  retryable: true,
  called: true,
  ...more,
});

const attempt = (
  result: AttemptResult = released,
  more: Partial<SettledAttempt> & { readonly node?: string } = {},
) => ({
  ...leasedStep(),
  graph: resolvedStep({ node: task({ retry: { delayMs: 0 } }) }).graph,
  result,
  ...more,
});

/** A settler before a database that refuses, and answers all else with `answer`. */
const setUp = (refuse: (instanceIds: readonly string[]) => void = () => {}, answer = "settled") => {
  const { db, asked } = fakeDatabase({
    "*": () => [],
    settle: (values) => {
      const [ordinals, instanceIds] = values as [number[], string[]];
      refuse(instanceIds);
      return ordinals.map((ordinal) => ({ ordinal, result: answer }));
    },
  });
  const log = createLog();
  const told: Hints[] = [];
  const onHints = (hints: Hints) => void told.push(hints);
  const settler = new Settler({
    db,
    workerId: "test",
    logger: log.logger,
    random: () => 0,
    leaseMs: 1_000,
    wishes: () => undefined,
    onTaken: async () => {},
    onHints,
  });
  const batches = () =>
    asked.filter(({ name }) => name === "settle").map(({ values }) => (values[1] as string[]).join());
  return { settler, batches, log, told, asked };
};

it("writes all results of one turn in one statement, and what comes meanwhile in the next", async () => {
  const { settler, batches } = setUp();
  const write = (instanceId: string) => settler.settle(attempt(released, { instanceId }));
  const first = Promise.all(["a", "b", "c"].map(write));
  await Promise.resolve();
  await Promise.all([first, ...["d", "e"].map(write)]);
  expect(batches()).toEqual(["a,b,c", "d,e"]);
});

it("keeps results while the database is away, or full, and writes them when it is back", async () => {
  const errors = [new FloxyError("DATABASE_UNAVAILABLE", "away"), Object.assign(new Error("full"), { code: "53100" })];
  const { settler, batches, log, asked } = setUp(() => {
    const error = errors.shift();
    if (error !== undefined) throw error;
  });
  await settler.settle(attempt());
  expect(batches()).toHaveLength(3);
  // What was sent before may still be waiting for its instance: it is waited for by statements before.
  const once = ["lock_instances", "lock_leases", "settle"];
  expect(asked.map(({ name }) => name)).toEqual([...once, ...once, ...once]);
  expect(log.lines.map(({ level }) => level)).toEqual(["warn", "warn"]);
});

it("a result that can never be written does not hold up the others", async () => {
  const { settler, batches, log } = setUp((ids) => {
    if (ids.includes("bad")) throw new Error("refused");
  });
  await Promise.all(["a", "bad", "c"].map((instanceId) => settler.settle(attempt(released, { instanceId }))));
  expect(batches().slice(-1)).toEqual(["c"]);
  expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
});

it("settles what is in doubt alone, and waits for its instance before it looks", async () => {
  const { settler, asked } = setUp();
  const inDoubt = attempt(failed(), { instanceId: "doubtful", isInDoubt: true });
  await Promise.all([settler.settle(attempt()), settler.settle(inDoubt), settler.settle(attempt())]);
  const settles = asked.filter(({ name }) => name === "settle");
  expect(settles.map(({ values }) => (values[1] as string[]).join()).toSorted()).toEqual([
    "doubtful",
    "instance,instance",
  ]);
  const locked = asked.findIndex(({ name, values }) => name === "lock_instances" && String(values[0]) === "doubtful");
  const settled = asked.findIndex(({ name, values }) => name === "settle" && String(values[1]) === "doubtful");
  expect(locked).toBeGreaterThanOrEqual(0);
  expect(locked).toBeLessThan(settled);
});

it("says that a result was refused", async () => {
  const { settler, log } = setUp(() => {}, "lost");
  await settler.settle(attempt());
  expect(log.lines).toMatchObject([{ level: "warn", fields: { instanceId: "instance", step: "work", attempt: 1 } }]);
});

it.each<[string, AttemptResult, number, boolean]>([
  ["was given back", released, 1, true],
  ["is retried without a delay", failed(), 1, true],
  ["is retried at once, as the handler asked", failed({ retryAfterMs: 0 }), 1, true],
  ["is retried later", failed({ retryAfterMs: 10 }), 1, false],
  ["has no attempt left", failed(), 3, false],
  ["has failed for good", failed({ retryable: false }), 1, false],
])("a step that %s is told of if it is ready", async (_, result, number, isReady) => {
  const { settler, told } = setUp();
  await settler.settle(attempt(result, { attempt: number }));
  expect(told.map(({ ready }) => ready.has("work"))).toEqual([isReady]);
});

it("gives up when it is told to; nobody waits for it any longer", async () => {
  const { settler, log } = setUp(() => {
    throw new FloxyError("DATABASE_UNAVAILABLE", "away");
  });
  const settling = settler.settle(attempt());
  await Promise.resolve();
  settler.giveUp();
  await Promise.all([settling, settler.flushed()]);
  expect(log.lines.at(-1)).toMatchObject({ level: "error" });
});
