/** Chains of compensations on PostgreSQL: they go on without a look, and end with every act that changes what follows. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { DefinitionJson, NodeJson } from "../definition/model.ts";
import { sql } from "../store/testing/database.ts";
import { retryCompensation, skipCompensation } from "./operate/dead-letter.ts";
import { reprioritise } from "./operate/resume.ts";
import { abortInstance, cancelInstance } from "./operate/stop.ts";
import { takeOverExpired } from "./takeover.ts";
import { done, failed, Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

const once = { compensation: { handler: "undo", retry: { maxAttempts: 1 } } };
const line = ["a", "b", "c", "d"].map((name) => task(name, once));

/** An instance whose last step has failed, after a look: its first compensation is ready. */
const failLast = async (nodes: readonly NodeJson[] = line, options: Partial<DefinitionJson> = {}): Promise<string> => {
  const id = await stand.start(nodes, {}, options);
  const names = nodes.flatMap(({ kind, name }) => (kind === "task" ? [name] : []));
  for (const name of names) {
    const leased = await stand.lease();
    await stand.settle([leased.get(name), name === names.at(-1) ? failed() : done]);
  }
  await stand.review();
  return id;
};

/** A compensation is called, and comes to this end; nobody looks at the instance. */
const undo = async (node: string, result = done): Promise<void> => {
  const leased = await stand.lease();
  expect([...leased.keys()]).toEqual([`undo:${node}`]);
  await stand.settle([leased.get(`undo:${node}`), result]);
};

/** What is in the queue, and how many notes there are. */
const left = async (id: string): Promise<string[]> => {
  const queued = await sql<{ node: string }>(stand.db, "SELECT node FROM {schema}.queue WHERE instance_id = $1", id);
  const notes = await sql<object>(stand.db, "SELECT FROM {schema}.inbox WHERE instance_id = $1", id);
  return [...queued.map(({ node }) => node), ...notes.map(() => "a note")];
};

/** The compensations that were called, in order. */
const undone = async (id: string): Promise<string[]> =>
  (await stand.story(id)).flatMap((event) => (event.startsWith("step.rolled_back ") ? [event.slice(17)] : []));

describe("a chain of compensations", () => {
  it("goes on without a look, and tells the same as looks would", async () => {
    const id = await failLast([
      task("a"),
      { kind: "savepoint", name: "s" },
      task("b"),
      task("log", { compensation: undefined } as never),
      task("c"),
    ]);
    await stand.act(cancelInstance, { instanceId: id });
    await undo("c");
    expect(await left(id)).toEqual(["a note"]);
    await stand.review();
    await undo("b");
    expect(await left(id)).toEqual(["a"]);
    expect(await stand.statuses(id)).toEqual({
      a: "compensating",
      s: "rolled_back",
      b: "rolled_back",
      log: "rolled_back",
      c: "rolled_back",
    });
    expect((await stand.story(id)).slice(-3)).toEqual([
      "step.rolled_back b",
      "step.rolled_back s",
      "compensation.queued a",
    ]);
    expect(stand.hints.ready.has("undo")).toBe(true);
    await undo("a");
    expect(await left(id)).toEqual(["a note"]);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "cancelled" });
  });

  it("is kept through attempts that fail, that are given back, and that are lost", async () => {
    const id = await failLast(
      ["a", "b", "c"].map((name) =>
        task(name, { compensation: { handler: "undo", retry: { maxAttempts: 3, delayMs: 0 } } }),
      ),
    );
    await undo("c", failed());
    await undo("c", { kind: "released" });
    await stand.lease(1);
    const params = { limit: 10, workerId: "o", hints: stand.hints, onNotTakenOver: () => {} };
    await expect.poll(() => takeOverExpired(stand.db, stand.graphs, params)).toBe(1);
    await undo("c");
    await undo("b");
    expect(await left(id)).toEqual(["a"]);
    await undo("a");
    await stand.review();
    expect([(await stand.view(id)).status, await undone(id)]).toEqual(["failed", ["c", "b", "a"]]);
  });

  it("is followed in strict order where branches were undone one after another", async () => {
    const branches = ["l", "r"].map((name) => ({ name, nodes: [task(name, once)] }));
    const id = await stand.start(
      [{ kind: "fork", name: "f", branches }, task("z", once)],
      {},
      { compensate: "sequential" },
    );
    for (const name of ["r", "l"]) {
      const leased = await stand.lease();
      await stand.settle([leased.get(name), done]);
      // The other one's lease is given back.
      const other = leased.get(name === "r" ? "l" : "r");
      if (other !== undefined) await stand.settle([other, { kind: "released" }]);
    }
    await stand.review();
    await stand.settle([(await stand.lease()).get("z"), failed()]);
    await stand.review();
    for (const name of ["z", "l", "r"]) await undo(name);
    expect(await left(id)).toEqual(["a note"]);
    await stand.review();
    expect([(await stand.view(id)).status, await undone(id)]).toEqual(["failed", ["z", "l", "r", "f"]]);
  });

  it("ends when the instance is cancelled, which goes on behind the savepoint", async () => {
    const id = await failLast([task("a", once), { kind: "savepoint", name: "s" }, ...line.slice(1)]);
    await undo("d");
    expect(await left(id)).toEqual(["c"]);
    await stand.act(cancelInstance, { instanceId: id });
    await undo("c");
    expect(await left(id)).toEqual(["a note"]);
    await stand.review();
    for (const name of ["b", "a"]) await undo(name);
    await stand.review();
    expect([(await stand.view(id)).status, await undone(id)]).toEqual(["cancelled", ["d", "c", "b", "s", "a"]]);
  });

  it("ends when the instance is aborted: nothing more is called", async () => {
    const id = await failLast();
    await undo("d");
    const leased = await stand.lease();
    await stand.act(abortInstance, { instanceId: id });
    expect(await stand.settle([leased.get("undo:c"), done])).toEqual(["lost"]);
    expect([(await stand.view(id)).status, await left(id), await undone(id)]).toEqual(["aborted", [], ["d"]]);
  });

  it("ends when the deadline passes while a compensation runs", async () => {
    const id = await failLast([task("a", once), { kind: "savepoint", name: "s" }, ...line.slice(1)], {
      deadlineMs: 1_000_000,
    });
    await undo("d");
    const leased = await stand.lease();
    await stand.pass(2_000_000);
    await stand.settle([leased.get("undo:c"), done]);
    expect(await left(id)).toEqual(["a note"]);
    await stand.review();
    for (const name of ["b", "a"]) await undo(name);
    await stand.review();
    expect(await stand.view(id)).toMatchObject({ status: "cancelled", savepoint: null });
  });

  it.each([
    ["retried", retryCompensation, ["d", "c", "b", "a"]],
    ["skipped", skipCompensation, ["d", "b", "a"]],
  ] as const)(
    "ends with a compensation that has failed for good, and is made anew when that is %s",
    async (_what, act, all) => {
      const id = await failLast();
      await undo("d");
      await undo("c", failed());
      expect(await left(id)).toEqual(["a note"]);
      await stand.review();
      expect((await stand.view(id)).status).toBe("dlq");
      await stand.act(act, { instanceId: id, step: "c", reason: "by hand" } as never);
      if (act === retryCompensation) {
        await undo("c");
        await stand.review();
      }
      await undo("b");
      expect(await left(id)).toEqual(["a"]);
      await undo("a");
      await stand.review();
      expect([(await stand.view(id)).status, await undone(id)]).toEqual(["failed", all]);
    },
  );

  it("gives what follows the priority that the instance has then", async () => {
    const id = await failLast();
    await stand.act(reprioritise, { instanceId: id, priority: 99 });
    await undo("d");
    const [row] = await sql<{ priority: number }>(
      stand.db,
      "SELECT priority FROM {schema}.queue WHERE instance_id = $1",
      id,
    );
    expect(row?.priority).toBe(99);
    for (const name of ["c", "b", "a"]) await undo(name);
    await stand.review();
    expect((await stand.view(id)).status).toBe("failed");
  });

  it("is left alone by looks in its midst", async () => {
    const id = await failLast();
    await undo("d");
    for (let looks = 0; looks < 3; looks++) {
      await sql(stand.db, "INSERT INTO {schema}.inbox (instance_id) VALUES ($1)", id);
      await stand.review();
      expect(await left(id)).toEqual([["c", "b", "a"][looks]]);
      await undo(["c", "b", "a"][looks] ?? "");
    }
    await stand.review();
    expect([(await stand.view(id)).status, await undone(id)]).toEqual(["failed", ["d", "c", "b", "a"]]);
  });
});
