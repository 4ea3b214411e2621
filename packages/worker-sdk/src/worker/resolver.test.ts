import { createGraphCache, FloxyError } from "@floxy/shared";
import { expect, it } from "vitest";
import { resolveLeased } from "./resolver.ts";
import { createLog, fakeDatabase, leasedStep, task } from "./testing/steps.ts";

const body = JSON.stringify({ format: 1, name: "test", version: 1, nodes: [task()] });
const away = new FloxyError("DATABASE_UNAVAILABLE", "away");

/** A database whose definition `test` can be read after some failures. */
const setUp = (failures = 0) => {
  let left = failures;
  const { db, asked } = fakeDatabase({
    get_definition: ([name]) => {
      if (left-- > 0) throw away;
      return name === "test" ? [{ name, version: 1, fingerprint: "", body }] : [];
    },
  });
  const options = { db, graphs: createGraphCache(), logger: createLog().logger, random: () => 0 };
  const stop = new AbortController();
  const resolve = (leased: Parameters<typeof resolveLeased>[1], lastsMs = 60_000) =>
    resolveLeased(options, leased, { leaseUntil: performance.now() + lastsMs, signal: stop.signal });
  return { resolve, stop, asked };
};

it("loads again what the database did not answer: the steps are leased already", async () => {
  const { resolve } = setUp(3);
  const { steps, returned } = await resolve([leasedStep({ value: '{"n":1}' })]);
  expect(steps.map(({ input }) => input)).toEqual([{ value: { n: 1 } }]);
  expect(returned).toEqual([]);
});

it("gives the steps back when the worker stops meanwhile", async () => {
  const { resolve, stop } = setUp(Number.POSITIVE_INFINITY);
  const resolving = resolve([leasedStep()]);
  stop.abort(new FloxyError("SHUTDOWN", "stop"));
  expect(await resolving).toMatchObject({ steps: [], returned: [{ result: { kind: "released" } }] });
});

it("lets go of them when their lease has run out meanwhile", async () => {
  const { resolve } = setUp(Number.POSITIVE_INFINITY);
  expect(await resolve([leasedStep()], 20)).toEqual({ steps: [], returned: [] });
});

it("gives them back uncalled when the answer to the claim came after their lease had run out", async () => {
  const { resolve } = setUp();
  expect(await resolve([leasedStep()], -1)).toMatchObject({ steps: [], returned: [{ result: { kind: "released" } }] });
});

it("a step whose definition cannot be read fails its attempt alone; the others run", async () => {
  const { resolve } = setUp();
  const broken = [leasedStep({ definitionName: "gone" }), leasedStep({ node: "other" })];
  const { steps, returned } = await resolve([leasedStep(), ...broken]);
  expect(steps.map(({ leased }) => leased.node)).toEqual(["work"]);
  expect(returned.map(({ leased, result }) => [leased, result])).toEqual([
    [broken[0], expect.objectContaining({ kind: "failed", retryable: true, called: false })],
    [broken[1], expect.objectContaining({ kind: "failed", retryable: true, called: false })],
  ]);
});
