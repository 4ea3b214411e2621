import type { Database } from "@floxy/shared";
import {
  cancelInstance,
  createGraphCache,
  FloxyError,
  isFloxyError,
  noHints,
  pauseDefinition,
  requeueStep,
  sendSignal,
  unpauseDefinition,
} from "@floxy/shared";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Acting } from "./acting.ts";
import { createActing } from "./acting.ts";
import { FloxyClient } from "./client.ts";
import type { TestDatabase } from "./testing/database.ts";
import { codeOf, createTestDatabase, quiet } from "./testing/database.ts";
import { definitionOf, task } from "./testing/definitions.ts";

let database: TestDatabase;
let client: FloxyClient;
const graphs = createGraphCache();

beforeAll(async () => {
  database = await createTestDatabase();
  client = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
  await client.register(definitionOf("pay", [task("charge"), task("ship")], { onFailure: "dlq" }));
});

afterAll(async () => {
  await client.close();
  await database.drop();
});

const said = { requestedBy: "ops", reason: "INC-7" };
const closing = new FloxyError("SHUTDOWN", "closed");
const lost = () => Object.assign(new Error("Connection terminated unexpectedly"));

/** The database, with something that happens to each transaction. */
const through = (meddle: (send: () => Promise<unknown>) => Promise<unknown>): Database => ({
  ...database.db,
  transaction: async <T>(work: Parameters<Database["transaction"]>[0]) =>
    (await meddle(() => database.db.transaction(work))) as T,
});

const actingOn = (db: Database, timeoutMs = 5_000, onRetry = () => {}) => {
  const hints = noHints();
  const onHints = (more: ReturnType<typeof noHints>): void => {
    for (const handler of more.ready) hints.ready.add(handler);
    for (const instanceId of more.finished) hints.finished.add(instanceId);
  };
  const common = { db, graphs, payloadLimit: undefined, random: () => 0.99, onRetry };
  return { hints, acting: createActing({ ...common, timeoutMs, onHints }) };
};

/** Acting of which the answers to the first so many transactions are lost after they took effect. */
const losing = (count: number, meanwhile: () => Promise<unknown> = async () => {}) => {
  let left = count;
  return actingOn(
    through(async (send) => {
      const result = await send();
      if (left-- <= 0) return result;
      await meanwhile();
      throw lost();
    }),
  );
};

const countOf = async (table: string, instanceId: string): Promise<number> => {
  const rows = await database.query(`SELECT 1 FROM floxy.${table} WHERE instance_id = $1`, [instanceId]);
  return rows.length;
};

/** An instance with a dead letter of a step that has its own handler. */
const deadLetter = async (handler: string): Promise<string> => {
  await client.register(definitionOf(handler, [task(handler)], { onFailure: "dlq" }));
  const { instanceId } = await client.start(handler, 1);
  await database.fail(handler);
  await database.review();
  return instanceId;
};

describe("an act whose answer was lost", () => {
  it("is done once, and answers as if for the first time", async () => {
    const { instanceId } = await client.start("pay", 1);
    const { acting, hints } = losing(2);
    const answer = acting.act(({ db, ...call }) => cancelInstance(db, call.graphs, { ...call, ...said, instanceId }));
    expect(await answer).toEqual({ instanceId, status: "cancelled", changed: true });
    expect(await countOf("audit", instanceId)).toBe(1);
    expect(hints.finished).toEqual(new Set([instanceId]));
  });

  it("is not taken for another that found nothing to do", async () => {
    const instanceId = await deadLetter("once");
    const requeue = (acting: Acting) =>
      acting.act(({ db, ...call }) => requeueStep(db, call.graphs, { ...call, ...said, instanceId, step: "once" }));
    expect(await requeue(losing(1).acting)).toMatchObject({ status: "running", changed: true });
    expect(await codeOf(requeue(losing(0).acting))).toBe("DEAD_LETTER_NOT_FOUND");
    expect(await countOf("audit", instanceId)).toBe(1);
  });

  it("is not done again when what it did was undone meanwhile", async () => {
    const instanceId = await deadLetter("again");
    const { acting } = losing(1, async () => {
      await database.fail("again");
      await database.review();
    });
    const answer = acting.act(({ db, ...call }) =>
      requeueStep(db, call.graphs, { ...call, ...said, instanceId, step: "again" }),
    );
    expect(await answer).toMatchObject({ status: "dlq", changed: true });
    expect(await countOf("queue", instanceId)).toBe(0);

    const pausing = losing(1, () => unpauseDefinition(database.db, { name: "pay", ...said, hints: noHints() }));
    expect(await pausing.acting.act(({ db, ...call }) => pauseDefinition(db, { ...call, ...said, name: "pay" }))).toBe(
      true,
    );
    expect(await database.query("SELECT 1 FROM floxy.pause")).toEqual([]);
  });

  it("sends a signal without an id of its own once", async () => {
    const { instanceId } = await client.start("pay", 1);
    const { acting } = losing(3);
    const signal = { instanceId, name: "s", sentBy: "x" };
    await acting.act(({ db, ...call }) => sendSignal(db, call.graphs, { ...call, ...signal }));
    await acting.act(({ db, ...call }) => sendSignal(db, call.graphs, { ...call, ...signal }));
    expect(await countOf("signal", instanceId)).toBe(2);
  });
});

describe("acting", () => {
  it("answers DATABASE_UNAVAILABLE with the id of the act when the database stays away", async () => {
    let sent = 0;
    const { acting } = actingOn(
      through(async () => {
        sent += 1;
        throw lost();
      }),
      100,
    );
    const { instanceId } = await client.start("pay", 1);
    const act = acting.act(({ db, ...call }) => cancelInstance(db, call.graphs, { ...call, ...said, instanceId }));
    await expect(act).rejects.toSatisfy(
      (error) => isFloxyError(error, "DATABASE_UNAVAILABLE") && typeof error.data.actId === "string",
    );
    expect(sent).toBeGreaterThan(1);
    expect(await countOf("audit", instanceId)).toBe(0);
  });

  it("does not repeat what stays wrong", async () => {
    let sent = 0;
    const { acting } = actingOn(
      through(async (send) => {
        sent += 1;
        return send();
      }),
    );
    const nobody = "01J9ZC4M8X5N2Q7R3T6V8W0Y1Z";
    const act = acting.act(({ db, ...call }) =>
      cancelInstance(db, call.graphs, { ...call, ...said, instanceId: nobody }),
    );
    expect(await codeOf(act)).toBe("INSTANCE_NOT_FOUND");
    expect(sent).toBe(1);
  });

  it("answers what has gone out when it is closed, and takes nothing more", async () => {
    const { instanceId } = await client.start("pay", 1);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { acting } = actingOn(through((send) => held.then(send)));
    const cancel = () =>
      acting.act(({ db, ...call }) => cancelInstance(db, call.graphs, { ...call, ...said, instanceId }));
    const out = cancel();
    const closed = acting.close(closing);
    release();
    expect(await out).toMatchObject({ status: "cancelled" });
    await closed;
    expect(await codeOf(cancel())).toBe("SHUTDOWN");
    expect(await codeOf(acting.read(async () => 1))).toBe("SHUTDOWN");
  });

  it("rejects with SHUTDOWN what waits for another try when it is closed", async () => {
    let sent = 0;
    let closed: Promise<void> | undefined;
    const { acting } = actingOn(
      through(() => {
        sent += 1;
        return Promise.reject(lost());
      }),
      60_000,
      // Once it is told of, the failed try is over and the next one has not begun.
      () => {
        closed = acting.close(closing);
      },
    );
    const perform = acting.act(({ db, ...call }) => pauseDefinition(db, { ...call, ...said, name: "pay" }));
    expect(await codeOf(perform)).toBe("SHUTDOWN");
    await closed;
    expect(sent).toBe(1);
  });
});

describe("a client that was closed", () => {
  it("takes no acts and reads nothing", async () => {
    const other = new FloxyClient({ connectionString: database.url, listenConnectionString: false, logger: quiet });
    await other.close();
    expect(await codeOf(other.cancel("x", said))).toBe("SHUTDOWN");
    expect(await codeOf(other.audit())).toBe("SHUTDOWN");
  });
});
