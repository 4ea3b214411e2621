import { defineHandler, defineStep, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { libraries } from "./libraries.ts";

interface Order {
  readonly sku: string;
}

const step = defineStep("book", defineHandler<Order, null>({ name: "book" }));
const definition = workflow<Order>({ name: "book", version: 1 }).step(step).build();

test.each(Object.entries(libraries))("an instance starts in a transaction of %s, or not at all", async (_, connect) => {
  const cluster = await startCluster({ orchestrators: 0, invariants: false });
  const library = connect(cluster.url);
  try {
    const start = (idempotencyKey: string, error?: Error) =>
      library.transaction(async ({ client }) => {
        const options = { transaction: client, idempotencyKey, metadata: { tenant: "ü" } };
        const handle = await cluster.client.start(definition, { sku: "what? $1" }, options);
        if (error !== undefined) throw error;
        return handle.instanceId;
      });
    const instanceId = await start("first");
    await expect(start("second", new Error("no carrier"))).rejects.toThrow("no carrier");
    expect(await start("first")).toBe(instanceId);
    expect(await cluster.sql("SELECT instance_id FROM instance")).toEqual([{ instance_id: instanceId }]);
    expect(await cluster.client.get(instanceId)).toMatchObject({ status: "running", input: { sku: "what? $1" } });
  } finally {
    await library.close();
  }
});
