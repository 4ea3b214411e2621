import { isFloxyError } from "@floxy/shared";
import { expect, it, vi } from "vitest";
import { defineHandler } from "../handler/contract.ts";
import type { AnyHandlerImplementation } from "../handler/implementation.ts";
import type { WorkerOptions } from "./options.ts";
import { resolveOptions } from "./resolve-options.ts";
import { Worker } from "./worker.ts";

const contract = defineHandler<unknown, unknown>({ name: "work" });
const work = contract.implement(() => null);
const good: WorkerOptions = { connectionString: "postgres://localhost/db", handlers: [work] };

/** Code and problems of what a worker with these options says. */
const refusal = (options: Partial<WorkerOptions>) => {
  try {
    new Worker({ ...good, ...options });
  } catch (error) {
    if (isFloxyError(error))
      return { code: error.code, paths: error.problems.map(({ path }) => path), message: error.message };
    throw error;
  }
  throw new Error("the options were accepted");
};

it("fills in the defaults", () => {
  expect(resolveOptions(good)).toMatchObject({
    concurrency: 100,
    leaseMs: 30_000,
    pollIntervalMs: 1_000,
    schema: "floxy",
  });
  expect(resolveOptions(good).workerId).not.toBe(resolveOptions(good).workerId);
});

it("gives transactional handlers few connections, and no more than there are slots", () => {
  const of = (options: Partial<WorkerOptions>) => resolveOptions({ ...good, ...options }).transactionalConcurrency;
  expect([of({}), of({ concurrency: 2 }), of({ transactionalConcurrency: 20 })]).toEqual([5, 2, 20]);
  const odd = contract.implement(() => null, { transactional: "yes" as unknown as boolean });
  expect(refusal({ transactionalConcurrency: 0, handlers: [odd] }).paths).toEqual([
    "transactionalConcurrency",
    "handlers[0].options.transactional",
  ]);
});

it("says all that is wrong at once", () => {
  const options = {
    connectionString: "",
    concurrency: 0,
    leaseMs: 1.5,
    pollIntervalMs: Number.NaN,
    drainMs: 3e9,
    listenConnectionString: "",
    signals: ["SIGKILL"],
    handlers: [work, work, contract.implement(() => null, { concurrency: 0 })],
  } as const;
  const { code, paths } = refusal(options);
  expect(code).toBe("OPTION_INVALID");
  const handlers = ["handlers[1]", "handlers[2]", "handlers[2].options.concurrency"];
  expect(paths).toEqual(
    expect.arrayContaining([
      "connectionString",
      "concurrency",
      "leaseMs",
      "pollIntervalMs",
      "drainMs",
      "signals",
      ...handlers,
    ]),
  );
});

it("refuses names of handlers that no definition can have", () => {
  const odd = defineHandler<unknown, unknown>({ name: "charge card" }).implement(() => null);
  const refused = refusal({ handlers: [odd] });
  expect(refused).toMatchObject({ code: "NAME_INVALID", paths: ["handlers[0].name"] });
  expect(refused.message).toContain("charge card");
});

it("tells a contract from a handler", () => {
  const handlers = [contract as unknown as AnyHandlerImplementation];
  expect(refusal({ handlers }).message).toContain("contract.implement");
  expect(refusal({ handlers: [] }).paths).toEqual(["handlers"]);
});

it("a logger that throws does no harm", () => {
  const fail = vi.fn(() => {
    throw new Error("disk full");
  });
  const { logger } = resolveOptions({ ...good, logger: { debug: fail, info: fail, warn: fail, error: fail } });
  logger.warn({ error: 1 }, "x");
  logger.error("y");
  expect(fail).toHaveBeenCalledTimes(2);
});
