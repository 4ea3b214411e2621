import { defineHandler, defineStep, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import { z } from "zod";
import { startCluster, stepOf } from "../support/cluster.ts";

test("S24, S34 an error before the handler is called counts as an attempt, and nothing spins", async () => {
  let calls = 0;
  // A check that throws where it should answer, as code around a handler may.
  const input = z.unknown().transform((): unknown => {
    throw new Error("the check is broken");
  });
  const contract = defineHandler({ name: "guarded", input });
  const implementation = contract.implement(() => {
    calls++;
    return null;
  });
  const step = defineStep("guarded", contract, { retry: { maxAttempts: 3, delayMs: 1, jitter: 0 } });
  const definition = workflow<object>({ name: "guarded", version: 1 }).step(step).build();
  const cluster = await startCluster({ services: { one: [implementation] } });
  const view = await cluster.run(definition, {});
  expect(view.status).toBe("failed");
  expect(stepOf(view, "guarded")).toMatchObject({ error: { message: expect.stringContaining("broken") } });
  expect(stepOf(view, "guarded").attempt).toBe(3);
  expect(calls).toBe(0);
});
