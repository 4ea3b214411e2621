import { workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster } from "../support/cluster.ts";
import { Recorder } from "../support/recorder.ts";

/** What was done for each idempotency key: the ledger of a service that a repeated call does not book twice. */
class Ledger {
  readonly #booked = new Map<string, number>();

  book(key: string): void {
    this.#booked.set(key, (this.#booked.get(key) ?? 0) + 1);
  }

  /** The keys under which anything was booked, each once. */
  get keys(): ReadonlySet<string> {
    return new Set(this.#booked.keys());
  }
}

interface Order {
  readonly fails: boolean;
}

const shop = (calls: Recorder, ledger: Ledger) => {
  const book = (order: Order, { idempotencyKey }: { readonly idempotencyKey: string }): Order => {
    ledger.book(idempotencyKey);
    return order;
  };
  const undo = (_: unknown, { idempotencyKey }: { readonly idempotencyKey: string }) => ledger.book(idempotencyKey);
  // A call may be lost with its connection, and a lost attempt counts.
  const retry = { maxAttempts: 20, delayMs: 5 };
  const many = { undo, retry, undoRetry: retry };
  const charge = calls.step("charge", { ...many, run: book });
  const reserve = calls.step("reserve", { ...many, run: book });
  const pack = calls.step("pack", { ...many, run: book });
  const ship = calls.step("ship", {
    run: (order: { readonly reserve: Order }): Order => {
      if (order.reserve.fails) throw new Error("no carrier");
      return order.reserve;
    },
  });
  const definition = workflow<Order>({ name: "shop", version: 1 })
    .step(charge)
    .parallel("prepare", [reserve, pack])
    .step(ship)
    .build();
  return { definition, services: { payment: [charge], stock: [reserve, pack], shipping: [ship] } };
};

/** Ends every connection of Floxy's to this database, as a failover or an impatient administrator does. */
const terminateAll = async (cluster: Cluster): Promise<number> => {
  const [row] = await cluster.sql<{ count: number }>(
    `SELECT count(pg_terminate_backend(pid))::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND application_name <> 'test'`,
  );
  return row?.count ?? 0;
};

test("all connections are terminated again and again under 100 running instances: all end, each effect once", async () => {
  const [calls, ledger] = [new Recorder(), new Ledger()];
  const { definition, services } = shop(calls, ledger);
  const cluster = await startCluster({ services, orchestrators: 2, worker: { leaseMs: 1_000, concurrency: 20 } });
  const starts = await Promise.all(
    Array.from({ length: 100 }, (_, index) => cluster.start(definition, { fails: index % 4 === 0 })),
  );
  let terminated = 0;
  for (const count of [5, 40, 80]) {
    await calls.begun("charge", count);
    terminated += await terminateAll(cluster);
  }
  expect(terminated).toBeGreaterThan(0);
  const views = await Promise.all(starts.map(({ instanceId }) => cluster.ended(instanceId)));
  const statuses = views.map(({ status }) => status);
  expect(statuses).toEqual(Array.from({ length: 100 }, (_, index) => (index % 4 === 0 ? "failed" : "completed")));
  const expected = starts.flatMap(({ instanceId }, index) =>
    ["charge", "reserve", "pack"].flatMap((step) => [
      `${instanceId}/${step}`,
      ...(index % 4 === 0 ? [`${instanceId}/${step}/compensation`] : []),
    ]),
  );
  expect([...ledger.keys].toSorted()).toEqual(expected.toSorted());
});

test("connections are terminated while instances are being started: each start takes effect once", async () => {
  const [calls, ledger] = [new Recorder(), new Ledger()];
  const { definition, services } = shop(calls, ledger);
  const cluster = await startCluster({ services });
  const starts = Array.from({ length: 60 }, (_, index) =>
    cluster.start(definition, { fails: false }, { idempotencyKey: `order-${index}` }),
  );
  await calls.begun("charge");
  await terminateAll(cluster);
  const handles = await Promise.all(starts);
  expect(new Set(handles.map(({ instanceId }) => instanceId)).size).toBe(60);
  for (const { instanceId } of handles) expect((await cluster.ended(instanceId)).status).toBe("completed");
  expect(await cluster.sql("SELECT count(*)::int FROM instance")).toEqual([{ count: 60 }]);
});
