/** Branches that arrive at their join: who is not the last says nothing, and the last is always heard. */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { DefinitionJson } from "../definition/model.ts";
import { openDatabase } from "../store/database.ts";
import type { LeasedStep } from "../store/queue.ts";
import { claim } from "../store/queue.ts";
import { settle } from "../store/settle.ts";
import { sql } from "../store/testing/database.ts";
import { registerDefinition } from "./graphs.ts";
import { decideAll, settleAttempts } from "./settle.ts";
import { insertStarts, prepareStart } from "./start.ts";
import { done, failed, fork, Stand, task } from "./testing/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
});

afterAll(() => stand.close());

const notes = async (): Promise<string[]> =>
  (await sql<{ instance_id: string }>(stand.db, "SELECT instance_id FROM {schema}.inbox")).map(
    (row) => row.instance_id,
  );

const plain = fork("f", { a: [task("a")], b: [task("b")], c: [task("c1"), task("c2")] });

describe("a branch that arrives at its join", () => {
  it("is noted when it is the last, whether the others came before it or with it", async () => {
    const id = await stand.start([plain, task("next")]);
    const leased = await stand.lease();
    await stand.settle([leased.get("a"), done], [leased.get("b"), done]);
    expect(await notes()).toEqual([]);
    await stand.settle([leased.get("c1"), done]);
    expect(await notes()).toEqual([]);
    await stand.settle([(await stand.lease()).get("c2"), done]);
    expect(await notes()).toEqual([id]);
    await stand.review();
    expect((await stand.lease()).has("next")).toBe(true);
  });

  it("is noted when what is left of the fork waits for something else than the queue", async () => {
    const id = await stand.start([fork("f", { a: [task("a")], b: [{ kind: "human", name: "h" }] })]);
    await stand.settle([(await stand.lease()).get("a"), done]);
    expect(await notes()).toEqual([id]);
    await stand.review();
    await stand.decide(id, "h", "confirm", { by: "ada" });
    expect((await stand.view(id)).status).toBe("completed");
  });

  it("is noted for the outer join while only an inner fork has steps in the queue, and once that is joined", async () => {
    const inner = fork("inner", { l: [task("l")], r: [task("r")] });
    const id = await stand.start([fork("outer", { a: [task("a")], b: [inner] })]);
    const leased = await stand.lease();
    await stand.settle([leased.get("l"), done]);
    expect(await notes()).toEqual([]);
    await stand.settle([leased.get("a"), done]);
    expect(await notes()).toEqual([id]);
    await stand.review();
    await stand.settle([leased.get("r"), done]);
    await stand.review();
    expect((await stand.view(id)).status).toBe("completed");
  });

  it("is noted while others of the fork are queued, when its instance was frozen meanwhile", async () => {
    const id = await stand.start([plain]);
    const leased = await stand.lease();
    await stand.settle([leased.get("a"), failed()]);
    await stand.review();
    expect(await stand.settle([leased.get("b"), done])).toEqual(["adopted"]);
    expect(await notes()).toEqual([id]);
    await stand.review();
    expect([...(await stand.lease()).keys()].sort()).toEqual(["undo:a", "undo:b"]);
    await stand.abort(id);
  });
});

describe("a branch that arrives where statements of one call share a snapshot", () => {
  it("is always noted, because nobody could know whether it is the last", async () => {
    const options = encodeURIComponent("-c default_transaction_isolation=repeatable\\ read");
    const db = openDatabase({ connectionString: `${stand.url}?options=${options}` });
    const id = await stand.start([plain]);
    const leased = await stand.lease();
    const first = leased.get("a");
    if (first === undefined) throw new Error("a was not leased");
    const graph = await stand.graphs.get(db, first.definitionName, first.definitionVersion);
    const attempts = [{ ...first, graph, result: done }];
    expect(await settleAttempts(db, { attempts, workerId: "w", random: () => 0, hints: stand.hints })).toEqual([
      "settled",
    ]);
    await db.close();
    expect(await notes()).toEqual([id]);
    await stand.abort(id);
    await stand.review();
  });
});

/** How many forks race to their joins. */
const races = Number(process.env.FLOXY_RACES ?? 10_000);
const batch = 100;
const branches = ["a", "b", "c", "d"];

it(`in ${races} races of branches that settle at once, each in a transaction of its own, every join fires`, {
  timeout: 120_000 + races * 30,
}, async () => {
  const node = fork("f", Object.fromEntries(branches.map((name) => [name, [task(name)]])));
  const definition: DefinitionJson = { format: 1, name: "races", version: 1, nodes: [node, task("next")] };
  await registerDefinition(stand.db, definition);
  const graph = await stand.graphs.get(stand.db, "races", 1);
  const leaseAll = () =>
    claim(stand.db, { workerId: "w", handlers: [{ handler: "h", slots: 1_000 }], limit: 1_000, leaseMs: 60_000 });
  const settleAll = async (steps: readonly LeasedStep[], long: boolean): Promise<void> => {
    const attempts = steps.map((step) => ({ ...step, graph, result: done }));
    const params = { attempts, workerId: "w", random: () => 0, hints: stand.hints };
    if (!long) await settleAttempts(stand.db, params);
    else await settle(stand.db, { settlements: await decideAll(stand.db, params), workerId: "w" });
  };
  for (let raced = 0; raced < races; raced += batch) {
    const request = { definitionName: "races", definitionVersion: 1, input: {} };
    const count = Math.min(batch, races - raced);
    const starts = await Promise.all(
      Array.from({ length: count }, () => prepareStart(stand.db, stand.graphs, request)),
    );
    await insertStarts(stand.db, starts, stand.hints);
    const ids = starts.map(({ row }) => row.instanceId).sort();
    const leased = await leaseAll();
    // In every third batch one branch of each goes the long way, which locks and looks in one statement.
    const settling = branches.map((name, index) =>
      settleAll(
        leased.filter((step) => step.node === name),
        index === 0 && (raced / batch) % 3 === 0,
      ),
    );
    await Promise.all(settling);
    expect([...new Set(await notes())].sort()).toEqual(ids);
    await stand.review();
    const next = await leaseAll();
    expect(next.map((step) => step.instanceId).sort()).toEqual(ids);
    await settleAll(next, false);
  }
  const unfinished = await sql<object>(
    stand.db,
    "SELECT FROM {schema}.instance WHERE definition_name = 'races' AND status <> 'completed'",
  );
  expect(unfinished).toEqual([]);
});
