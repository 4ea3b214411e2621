import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { DefinitionJson } from "../definition/model.ts";
import { openDatabase } from "../store/database.ts";
import type { Database, Executor } from "../store/executor.ts";
import { migrate } from "../store/migrate.ts";
import { claim } from "../store/queue.ts";
import { createGraphCache, registerDefinition } from "./graphs.ts";
import { noHints } from "./hints.ts";
import { requeueStep } from "./operate/dead-letter.ts";
import { sendSignal } from "./operate/signal.ts";
import { settleAttempts } from "./settle.ts";
import { insertStarts, prepareStart } from "./start.ts";
import type { InstanceView } from "./view.ts";
import { viewInstance } from "./view.ts";

const name = `floxy_view_${randomUUID().replaceAll("-", "")}`;
const graphs = createGraphCache();
let db: Database;

const onServer = async (sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: inject("databaseUrl") });
  await client.connect();
  await client.query(sql).finally(() => client.end());
};

beforeAll(async () => {
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(inject("databaseUrl"));
  url.pathname = `/${name}`;
  await migrate({ connectionString: url.href });
  db = openDatabase({ connectionString: url.href });
});

afterAll(async () => {
  await db.close();
  await onServer(`DROP DATABASE ${name} WITH (FORCE)`);
});

const task = (step: string) => ({ kind: "task", name: step, handler: "h" }) as const;

const branchesOf = (...nodes: DefinitionJson["nodes"]) => nodes.map((node) => ({ name: node.name, nodes: [node] }));

const start = async (
  definitionName: string,
  nodes: DefinitionJson["nodes"],
  input: unknown,
  options: Partial<DefinitionJson> = {},
): Promise<string> => {
  await registerDefinition(db, { format: 1, name: definitionName, version: 1, ...options, nodes });
  const prepared = await prepareStart(db, graphs, { definitionName, input });
  await insertStarts(db, [prepared], noHints());
  return prepared.row.instanceId;
};

const lease = async () => {
  const [leased] = await claim(db, {
    workerId: "w1",
    handlers: [{ handler: "h", slots: 1 }],
    limit: 1,
    leaseMs: 60_000,
  });
  if (leased === undefined) throw new Error("nothing is ready");
  return leased;
};

const complete = async (leased: Awaited<ReturnType<typeof lease>>, output: unknown): Promise<void> => {
  const graph = await graphs.get(db, leased.definitionName, leased.definitionVersion);
  const attempts = [{ ...leased, graph, result: { kind: "completed", output: JSON.stringify(output) } as const }];
  await settleAttempts(db, { attempts, workerId: "w1", random: () => 0, hints: noHints() });
};

const fail = async (leased: Awaited<ReturnType<typeof lease>>): Promise<void> => {
  const graph = await graphs.get(db, leased.definitionName, leased.definitionVersion);
  const error = { code: "HANDLER_FAILED", message: "broken" } as const;
  const attempts = [{ ...leased, graph, result: { kind: "failed", error, retryable: true, called: true } as const }];
  await settleAttempts(db, { attempts, workerId: "w1", random: () => 0, hints: noHints() });
};

const view = (instanceId: string): Promise<InstanceView> => viewInstance(db, graphs, instanceId);

describe("viewInstance", () => {
  it("shows every node of the definition, reached or not, from the start to the end", async () => {
    const instanceId = await start("two", [task("a"), { kind: "savepoint", name: "sp" }, task("b")], { n: 1 });
    const fresh = await view(instanceId);
    expect(fresh).toMatchObject({ status: "running", input: { n: 1 }, output: undefined, finishedAt: null });
    expect(fresh.steps.map(({ step, status }) => [step, status])).toEqual([
      ["a", "pending"],
      ["sp", "pending"],
      ["b", "pending"],
    ]);
    expect(fresh.steps[0]?.readyAt).toBeInstanceOf(Date);

    const leased = await lease();
    const [running] = (await view(instanceId)).steps;
    expect(running).toMatchObject({ status: "running", attempt: 1, workerId: "w1", finishedAt: null });
    expect(running?.startedAt).toBeInstanceOf(Date);

    await complete(leased, { out: "a" });
    await complete(await lease(), [2]);
    const ended = await view(instanceId);
    expect(ended).toMatchObject({ status: "completed", output: [2], error: null, savepoint: null });
    expect(ended.finishedAt).toBeInstanceOf(Date);
    expect(ended.steps).toMatchObject([
      { step: "a", status: "completed", outcome: "happened", output: { out: "a" }, workerId: "w1", readyAt: null },
      { step: "sp", status: "completed", output: undefined },
      { step: "b", status: "completed", output: [2] },
    ]);
    expect(Math.abs(Date.now() - Number(ended.createdAt))).toBeLessThan(60_000);
  });

  it("answers the input of an instance without tasks as its output", async () => {
    const instanceId = await start("empty", [{ kind: "savepoint", name: "sp" }], { same: true });
    expect(await view(instanceId)).toMatchObject({ status: "completed", output: { same: true } });
  });

  it("reads all of an instance in one statement, so that it is of one moment", async () => {
    const instanceId = await start("single", [task("a")], null);
    await view(instanceId);
    const statements: string[] = [];
    const counting: Executor = {
      schema: db.schema,
      query: (statement, values) => {
        statements.push(statement.name);
        return db.query(statement, values);
      },
    };
    await viewInstance(counting, graphs, instanceId);
    expect(statements).toEqual(["read_snapshot"]);
    await complete(await lease(), null);
  });

  it("never sees a step in two places or in none while it is settled", async () => {
    const steps = Array.from({ length: 60 }, (_, n) => task(`s${n}`));
    const instanceId = await start("long", steps, null);
    const seen: InstanceView[] = [];
    let over = false;
    const looking = (async () => {
      while (!over) seen.push(await view(instanceId));
    })();
    for (const _ of steps) await complete(await lease(), 1);
    over = true;
    await looking;
    expect(seen.length).toBeGreaterThan(5);
    for (const one of seen) {
      const done = one.steps.filter(({ status }) => status === "completed").length;
      const queued = one.steps.filter(({ readyAt }) => readyAt !== null);
      const next = one.status === "completed" ? [] : [`s${done}`];
      expect(queued.map(({ step }) => step)).toEqual(next);
    }
  });
});

describe("what a person must decide about", () => {
  const steps = async (instanceId: string) =>
    new Map((await view(instanceId)).steps.map((step) => [step.step, step] as const));

  it("has its input: what was passed to it, what its mapping makes of the data, or what a person gave it", async () => {
    const passed = { kind: "human", name: "passed" } as const;
    const mapped = { kind: "human", name: "mapped", input: { total: { $: "input.n + 1" } } } as const;
    const bothAsk = await start("ask", [{ kind: "fork", name: "f", branches: branchesOf(passed, mapped) }], { n: 1 });
    const asked = await steps(bothAsk);
    expect([asked.get("passed")?.input, asked.get("mapped")?.input]).toEqual([{ n: 1 }, { total: 2 }]);
    expect(asked.get("f")).toMatchObject({ status: "waiting", input: undefined, decision: null, winners: null });

    const fragile = { ...task("a"), input: { n: { $: "input.n" } }, retry: { maxAttempts: 1 } };
    const instanceId = await start("fragile", [fragile], { n: 5 }, { onFailure: "dlq" });
    await fail(await lease());
    expect((await steps(instanceId)).get("a")).toMatchObject({ status: "paused", input: { n: 5 } });
    const params = { instanceId, step: "a", input: "given", requestedBy: "ops", hints: noHints() };
    await requeueStep(db, graphs, params);
    await fail(await lease());
    expect((await steps(instanceId)).get("a")).toMatchObject({ status: "paused", input: "given" });
  });

  it("has no input where it is the mapping that failed, but the error that says so", async () => {
    const broken = { kind: "human", name: "broken", input: { $: "input.missing" } } as const;
    const instanceId = await start("broken", [broken], { n: 1 }, { onFailure: "dlq" });
    const found = (await steps(instanceId)).get("broken");
    expect(found).toMatchObject({ status: "paused", input: undefined, error: { code: "EXPRESSION_FAILED" } });
    expect(found?.deadLetter).toMatchObject({ kind: "forward", attempt: 0, error: { code: "EXPRESSION_FAILED" } });
  });
});

describe("what waits for time", () => {
  it("says until when, and has not finished", async () => {
    const instanceId = await start("nap", [{ kind: "sleep", name: "nap", durationMs: 60_000 }], null);
    const [nap] = (await view(instanceId)).steps;
    expect(nap).toMatchObject({ status: "waiting", finishedAt: null, signal: null });
    expect(Math.abs(Number(nap?.dueAt) - Date.now() - 60_000)).toBeLessThan(30_000);
  });
});

describe("signals that are kept", () => {
  it("show in the order in which they arrived, at most 100 of them", async () => {
    const instanceId = await start("many", [{ kind: "signal", name: "last" }], null);
    for (let n = 0; n < 101; n += 1) {
      await sendSignal(db, graphs, { instanceId, name: `s${n}`, sentBy: "x", hints: noHints() });
    }
    const { signals } = await view(instanceId);
    expect(signals.map(({ name }) => name)).toEqual(Array.from({ length: 100 }, (_, n) => `s${n}`));
  });
});
