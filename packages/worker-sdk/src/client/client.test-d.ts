import type { FloxyError, Operated } from "@floxy/shared";
import type pg from "pg";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineHandler } from "../handler/contract.ts";
import { defineStep } from "../workflow/step.ts";
import { workflow } from "../workflow/workflow.ts";
import type { FloxyClient } from "./client.ts";
import type { InstanceHandle } from "./handle.ts";
import type { StartedMany } from "./start-many.ts";

declare const client: FloxyClient;
declare const caller: pg.Client;
declare const pooled: pg.PoolClient;

const charge = defineStep(
  "charge",
  defineHandler<{ id: string; amount?: number | undefined }, { paid: boolean }>({ name: "charge" }),
);
const order = workflow<{ id: string; amount?: number }>({ name: "order", version: 1 }).step(charge).build();
const checked = workflow({
  name: "checked",
  version: 1,
  input: z.object({ id: z.string(), amount: z.number().default(1) }),
})
  .step(charge)
  .build();

describe("acts", () => {
  test("say who, and why where it is needed", () => {
    client.cancel("id", { requestedBy: "ann" });
    // @ts-expect-error requestedBy is missing
    client.cancel("id", { reason: "because" });
    client.discard("id", "step", { requestedBy: "ann", reason: "because" });
    // @ts-expect-error reason is missing
    client.discard("id", "step", { requestedBy: "ann" });
    // @ts-expect-error reason is missing
    client.skipCompensation("id", "step", { requestedBy: "ann", reason: undefined });
    // @ts-expect-error output is missing
    client.resolve("id", "step", { requestedBy: "ann" });
  });

  test("take what is theirs", () => {
    client.decide("id", "step", { kind: "confirm", by: "ann", form: { any: 1 } });
    // @ts-expect-error no such kind
    client.decide("id", "step", { kind: "maybe", by: "ann" });
    // @ts-expect-error no such option
    client.signal("id", "paid", { sentBy: "bank", body: 1 });
    expectTypeOf(client.cancel("id", { requestedBy: "ann" })).resolves.toEqualTypeOf<Operated>();
  });

  test("are on the handle too", async () => {
    const handle = await client.start(order, { id: "o" });
    expectTypeOf(handle.signal("paid", { sentBy: "bank" })).resolves.toEqualTypeOf<Operated>();
    // @ts-expect-error requestedBy is missing
    handle.abort({});
  });
});

describe("start", () => {
  test("knows the output of a workflow", () => {
    expectTypeOf(client.start(order, { id: "o" })).resolves.toEqualTypeOf<InstanceHandle<{ paid: boolean }>>();
    expectTypeOf<Awaited<ReturnType<InstanceHandle<{ paid: boolean }>["result"]>>>().toEqualTypeOf<{ paid: boolean }>();
  });

  test("takes what the workflow's schema takes", () => {
    client.start(checked, { id: "o" });
    // @ts-expect-error amount is a number
    client.start(checked, { id: "o", amount: "5" });
  });

  test("rejects an input of the wrong type", () => {
    // @ts-expect-error id is missing
    client.start(order, {});
    // @ts-expect-error id is text
    client.start(order, { id: 1 });
    // @ts-expect-error there is no input
    client.start(order);
    // @ts-expect-error no such option
    client.start(order, { id: "o" }, { idempotencykey: "k" });
  });

  test("takes any input by name, and an output that the caller knows", () => {
    expectTypeOf(client.start("order", 5)).resolves.toEqualTypeOf<InstanceHandle<unknown>>();
    expectTypeOf(client.start<number>("order", 5)).resolves.toEqualTypeOf<InstanceHandle<number>>();
  });

  test("takes clients of pg as transactions", () => {
    client.start(order, { id: "o" }, { transaction: caller });
    client.start(order, { id: "o" }, { transaction: pooled });
  });
});

describe("startMany", () => {
  test("takes what the workflow takes, of lists and of all that can be walked over", () => {
    expectTypeOf(
      client.startMany(order, [{ input: { id: "o" }, idempotencyKey: "k" }]),
    ).resolves.toEqualTypeOf<StartedMany>();
    const generator = async function* () {
      yield { input: { id: "o", amount: 5 }, priority: 1, deadlineMs: 5, metadata: { from: "file" } };
    };
    client.startMany(order, generator());
    client.startMany(checked, new Set([{ input: { id: "o" } }]), {
      onBatch: (results) => results.map(({ index }) => index),
    });
    client.startMany("order", [{ input: 5 }], { version: 1, transaction: caller });
  });

  test("rejects an item of the wrong type", () => {
    // @ts-expect-error id is missing
    client.startMany(order, [{ input: {} }]);
    // @ts-expect-error amount is a number
    client.startMany(checked, [{ input: { id: "o", amount: "5" } }]);
    // @ts-expect-error there is no input
    client.startMany(order, [{ idempotencyKey: "k" }]);
    // @ts-expect-error no such option
    client.startMany(order, [{ input: { id: "o" }, idempotencykey: "k" }]);
    // @ts-expect-error a transaction is for all items
    client.startMany(order, [{ input: { id: "o" }, transaction: caller }]);
  });

  test("tells results from refusals", () => {
    client.startMany(order, [], {
      onBatch(results) {
        for (const result of results) {
          if (result.error === undefined) expectTypeOf(result.instanceId).toEqualTypeOf<string>();
          else expectTypeOf(result.error).toEqualTypeOf<FloxyError>();
        }
      },
    });
  });
});
