import type { NodeJson } from "@floxy/shared";
import { beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../client/testing/database.ts";
import { defineCompensation } from "../handler/compensation.ts";
import type { CompensationContext, StepContext } from "../handler/context.ts";
import { defineHandler } from "../handler/contract.ts";
import type { InTransaction } from "../handler/transaction.ts";
import { createSite } from "./testing/service.ts";
import { createLog } from "./testing/steps.ts";

type Context = StepContext & InTransaction;
type Run = (context: Context, attempt: number) => unknown;

const contract = defineHandler<unknown, unknown>({ name: "book" });
const undoContract = defineCompensation({ name: "unbook", of: contract });
const once = { retry: { maxAttempts: 1 } };
const thrice = { retry: { maxAttempts: 3, delayMs: 0 } };
const book = (more: object = {}): NodeJson => ({
  kind: "task",
  name: "book",
  handler: "book",
  compensation: { handler: "unbook", retry: { maxAttempts: 3, delayMs: 0 } },
  ...more,
});

const insert = ({ instanceId, transaction }: Context) =>
  transaction.query("INSERT INTO booking VALUES ($1)", [instanceId]);

/** A site with a table of users' beside Floxy's, and a worker whose handler runs in transactions. */
const open = async (run: Run, options: object = {}) => {
  const site = await createSite();
  await site.query("CREATE TABLE IF NOT EXISTS booking (instance_id text)");
  await site.query("TRUNCATE booking");
  const log = createLog();
  const undone: CompensationContext[] = [];
  const handler = contract.implement((_, context) => run(context, context.attempt), { transactional: true });
  const undo = undoContract.implement(
    async (_, context) => {
      undone.push(context);
      await context.transaction.query("DELETE FROM booking WHERE instance_id = $1", [context.instanceId]);
    },
    { transactional: true },
  );
  const worker = site.makeWorker([handler, undo], { logger: log.logger, ...options });
  await worker.start();
  const bookings = async () => (await site.query("SELECT FROM booking")).length;
  const ended = async (instanceId: string) => {
    await eventually(async () => {
      await site.orchestrate();
      return ["completed", "failed"].includes((await site.client.get(instanceId)).status);
    });
    return site.client.get(instanceId);
  };
  const inTransaction = async () =>
    (
      await site.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'floxy worker%'
         AND xact_start IS NOT NULL`,
      )
    ).length;
  return { ...site, log, undone, worker, bookings, ended, inTransaction };
};

/** A promise with its resolver: what holds a handler until the test lets it go. */
const held = () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { released, release };
};

let hold = held();
beforeEach(() => {
  hold = held();
});

describe("a handler that returns", () => {
  it("has its writes seen when its step is completed, and not before", async () => {
    const { run, bookings, client, inTransaction } = await open(async (context) => {
      await insert(context);
      await hold.released;
      return "booked";
    });
    const instanceId = await run([book()]);
    await eventually(async () => (await inTransaction()) > 0);
    expect(await bookings()).toBe(0);
    hold.release();
    expect(await client.waitForEnd(instanceId)).toMatchObject({ status: "completed", output: "booked" });
    expect(await bookings()).toBe(1);
  });

  it("is adopted, with its writes, when the instance was frozen meanwhile, and undone in a transaction too", async () => {
    const { run, event, undone, ended, bookings, makeWorker, inTransaction } = await open(async (context) => {
      await insert(context);
      await hold.released;
      return "booked";
    });
    const fail = defineHandler<unknown, unknown>({ name: "fail" }).implement(() => Promise.reject(new Error("no")));
    const failing: NodeJson = { kind: "task", name: "fail", handler: "fail", ...once };
    const branches = [
      { name: "a", nodes: [book()] },
      { name: "b", nodes: [failing] },
    ];
    const instanceId = await run([{ kind: "fork", name: "both", branches }]);
    await eventually(async () => (await inTransaction()) > 0);
    await makeWorker([fail]).start();
    await event(instanceId, "instance.rolling_back");
    hold.release();
    await event(instanceId, "step.adopted");
    expect(await bookings()).toBe(1);
    expect((await ended(instanceId)).status).toBe("failed");
    expect(undone).toMatchObject([{ outcome: "happened", output: "booked" }]);
    expect(await bookings()).toBe(0);
  });

  it("keeps its writes when a condition after it cannot be decided: it is undone like any completed step", async () => {
    const { run, undone, ended } = await open(async (context) => void (await insert(context)));
    const condition: NodeJson = { kind: "condition", name: "check", when: "value.no.such > 1", then: [], else: [] };
    const view = await ended(await run([book(), condition]));
    expect(view.status).toBe("failed");
    expect(undone).toMatchObject([{ outcome: "happened" }]);
  });

  it("has started what it started within, and nothing of it when it fails", async () => {
    const { run, client, ended, query } = await open(async ({ transaction }, attempt) => {
      await client.start("other", { attempt }, { transaction });
      if (attempt === 1) throw new Error("not yet");
    });
    await client.register({
      format: 1,
      name: "other",
      version: 1,
      nodes: [{ ...book(), handler: "nobody" } as NodeJson],
    });
    expect((await ended(await run([book(thrice)]))).status).toBe("completed");
    const started = await query("SELECT input FROM floxy.instance WHERE definition_name = 'other'");
    expect(started).toEqual([{ input: { attempt: 2 } }]);
  });
});

describe("a handler that fails", () => {
  it.each(["throws", "is slow", "swallows the error of a statement", "ends the transaction", "breaks a constraint"])(
    "and %s has written nothing, its step has had no effect, and it is not undone",
    async (how) => {
      const { run, query, bookings, undone, ended } = await open(async (context) => {
        const { transaction } = context;
        await insert(context);
        if (how === "throws") throw new Error("no");
        if (how === "is slow") await new Promise(() => {});
        if (how === "swallows the error of a statement") await transaction.query("SELECT 1 / 0").catch(() => {});
        if (how === "ends the transaction") await transaction.query("COMMIT").catch(() => {});
        if (how === "breaks a constraint") await transaction.query("INSERT INTO child VALUES (1)");
      });
      await query(`CREATE TABLE IF NOT EXISTS parent (id int PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`);
      const view = await ended(await run([book({ ...once, timeoutMs: how === "is slow" ? 300 : 10_000 })]));
      expect(view.status).toBe("failed");
      expect(view.steps).toMatchObject([{ status: "failed", outcome: "absent" }]);
      const codes: Record<string, object> = {
        "is slow": { code: "STEP_TIMEOUT" },
        "swallows the error of a statement": { message: "division by zero" },
        "ends the transaction": { code: "HANDLER_NOT_RETRYABLE", message: expect.stringContaining("COMMIT") },
        "breaks a constraint": { message: expect.stringContaining("child_id_fkey") },
      };
      expect(view.steps[0]?.error).toMatchObject(codes[how] ?? {});
      expect(undone).toEqual([]);
      expect(await bookings()).toBe(0);
    },
  );

  it("is called again, and what it writes then stands once", async () => {
    const { run, ended, bookings } = await open(async (context, attempt) => {
      await insert(context);
      if (attempt < 3) throw new Error("not yet");
    });
    expect((await ended(await run([book(thrice)]))).status).toBe("completed");
    expect(await bookings()).toBe(1);
  });

  it("in one statement can go back to a savepoint and go on", async () => {
    const { run, ended, bookings } = await open(async (context) => {
      await context.transaction.query("SAVEPOINT before");
      await context.transaction.query("SELECT 1 / 0").catch(() => {});
      await context.transaction.query("ROLLBACK TO SAVEPOINT before");
      await insert(context);
    });
    expect((await ended(await run([book(once)]))).status).toBe("completed");
    expect(await bookings()).toBe(1);
  });

  it("without waiting for a statement does no harm to the process, and fails", async () => {
    const { run, ended, bookings } = await open((context) => {
      void insert(context);
      void context.transaction.query("SELECT 1 / 0");
    });
    expect((await ended(await run([book(once)]))).steps[0]?.error).toMatchObject({ message: "division by zero" });
    expect(await bookings()).toBe(0);
  });
});

describe("a handler that ignores its signal", () => {
  it("loses its transaction at its timeout, although a statement runs, and can ask nothing more", async () => {
    const codes: unknown[] = [];
    const { run, ended, inTransaction, bookings } = await open(async (context) => {
      await insert(context);
      await context.transaction.query("SELECT pg_sleep(60)").catch(() => {});
      await context.transaction.query("SELECT 1").catch((error) => codes.push(error.code));
    });
    const view = await ended(await run([book({ ...once, timeoutMs: 300 })]));
    expect(view.steps).toMatchObject([{ status: "failed", outcome: "absent", error: { code: "STEP_TIMEOUT" } }]);
    await eventually(async () => codes.length > 0);
    expect(codes).toEqual(["STEP_TIMEOUT"]);
    await eventually(async () => (await inTransaction()) === 0);
    expect(await bookings()).toBe(0);
  });

  it("gives up its locks as soon as its lease is lost: the next attempt writes the same row", async () => {
    const { run, query, client, expireLeases, orchestrate, event } = await open(
      async (context, attempt) => {
        await context.transaction.query("UPDATE account SET balance = balance + 1");
        if (attempt === 1) await hold.released;
      },
      { leaseMs: 300 },
    );
    await query("DROP TABLE IF EXISTS account; CREATE TABLE account AS SELECT 0 AS balance");
    const instanceId = await run([book(thrice)]);
    await eventually(async () => {
      await expireLeases();
      await orchestrate();
      return (await client.get(instanceId)).status === "completed";
    });
    hold.release();
    await event(instanceId, "step.refused");
    expect(await query("SELECT balance FROM account")).toEqual([{ balance: 1 }]);
  });

  it("is rolled back when its step is nobody's any more", async () => {
    const { run, query, event, bookings, log, inTransaction } = await open(async (context) => {
      await insert(context);
      await hold.released;
    });
    const instanceId = await run([book(once)]);
    await eventually(async () => (await inTransaction()) > 0);
    // What an abort does of it, as far as a worker can see.
    await query("UPDATE floxy.instance SET status = 'aborted', finished_at = now() WHERE instance_id = $1", [
      instanceId,
    ]);
    await query("DELETE FROM floxy.queue");
    hold.release();
    await event(instanceId, "step.refused");
    expect(await bookings()).toBe(0);
    await eventually(async () => log.lines.some(({ message }) => message.includes("the lease was lost")));
  });

  it("does not hold up a worker that stops, even while a statement runs", async () => {
    const { run, query, worker, inTransaction, bookings } = await open(async (context) => {
      await insert(context);
      await context.transaction.query("SELECT pg_sleep(60)");
    });
    await run([book(thrice)]);
    await eventually(async () => (await inTransaction()) > 0);
    await worker.stop();
    expect(await query("SELECT state, transactional FROM floxy.queue")).toEqual([
      { state: "ready", transactional: true },
    ]);
    await eventually(async () => (await inTransaction()) === 0);
    expect(await bookings()).toBe(0);
  });
});

describe("what a handler sets", () => {
  it("does not bind Floxy, nor the next handler on the same connection", async () => {
    const seen: unknown[] = [];
    const { run, ended, query } = await open(
      async ({ transaction }) => {
        const text = "SELECT current_setting('work_mem') AS mem, to_regclass('mine') AS mine, pg_backend_pid() AS pid";
        seen.push((await transaction.query(text)).rows[0]);
        await transaction.query("SET work_mem = '7MB'");
        await transaction.query("SET LOCAL statement_timeout = 20");
        await transaction.query("CREATE TEMP TABLE mine (a int)").catch(() => {});
        await transaction.query("SET ROLE pg_read_all_settings");
      },
      { transactionalConcurrency: 1 },
    );
    const [before] = await query<{ mem: string }>("SELECT current_setting('work_mem') AS mem");
    for (let count = 0; count < 2; count++) expect((await ended(await run([book(thrice)]))).status).toBe("completed");
    expect(seen.slice(0, 1)).toMatchObject([{ mem: before?.mem, mine: null }]);
    expect(seen.at(-1)).toEqual(seen[0]);
  });
});

it("no more steps are leased than connections are free, over all transactional handlers", async () => {
  const { query, client, makeWorker } = await createSite();
  let [running, most] = [0, 0];
  const counted = async () => {
    most = Math.max(most, ++running);
    // Until two have met.
    if (running === 2) hold.release();
    await hold.released;
    await query("SELECT 1");
    running--;
  };
  const names = ["a", "b", "c"];
  const handlers = names.map((name) =>
    defineHandler<unknown, unknown>({ name }).implement(counted, { transactional: true }),
  );
  const nodes = names.map((name): NodeJson => ({ kind: "task", name, handler: name }));
  const branches = nodes.map((node, index) => ({ name: names[index] ?? "", nodes: [node] }));
  await client.register({ format: 1, name: "wide", version: 1, nodes: [{ kind: "fork", name: "all", branches }] });
  await Promise.all(Array.from({ length: 10 }, () => client.start("wide", {})));
  await makeWorker(handlers, { transactionalConcurrency: 2, pollIntervalMs: 60_000 }).start();
  let mostLeased = 0;
  await eventually(async () => {
    const [row] = await query<{ leased: number; left: number }>(
      "SELECT count(*) FILTER (WHERE state = 'leased')::int AS leased, count(*)::int AS left FROM floxy.queue",
    );
    mostLeased = Math.max(mostLeased, row?.leased ?? 0);
    return row?.left === 0;
  });
  expect(most).toBe(2);
  expect(mostLeased).toBeLessThanOrEqual(2);
});
