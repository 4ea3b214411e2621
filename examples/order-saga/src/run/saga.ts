/** The run itself: a database of its own, the processes, the orders through the saga, and the proof. */
import { randomBytes } from "node:crypto";
import { FloxyClient, type InstanceSummary, isFloxyError } from "@floxy/worker-sdk";
import pg from "pg";
import type { Order } from "../contract/order.ts";
import { orderSaga } from "../contract/workflow.ts";
import { bad, good, note, print, printFrom } from "./output.ts";
import { Processes, type Program, sourceFile } from "./processes.ts";

/** An order that came to its end. */
export interface SagaEnd {
  readonly order: Order;
  readonly instance: InstanceSummary;
  /** From start to end, in milliseconds. */
  readonly tookMs: number;
}

/** Creates a database on the server, lends it to `use`, and drops it in the end. */
export const withDatabase = async <T>(serverUrl: string, use: (url: string) => Promise<T>): Promise<T> => {
  const name = `floxy_order_saga_${randomBytes(4).toString("hex")}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  // The server may go away before us when everything is being stopped.
  admin.on("error", () => {});
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  try {
    return await use(url.href);
  } finally {
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await admin.end();
  }
};

const services: readonly Program[] = ["orders", "payment", "inventory", "shipping"].map((name) => ({
  name,
  args: [sourceFile(`service/${name === "orders" ? "order" : name}.ts`)],
  isReady: (line) => line === "ready",
}));

const orchestrator = (main: string): Program => ({
  name: "orchestrator",
  args: [main],
  isReady: (line) => line.includes('"the orchestrator runs"'),
});

/** Runs `work` while the orchestrator and the services run, each in a process of its own. */
export const withProcesses = async <T>(databaseUrl: string, work: () => Promise<T>): Promise<T> => {
  let giveUp: (error: Error) => void = () => {};
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const processes = new Processes({
    env: { ...process.env, DATABASE_URL: databaseUrl, FLOXY_HTTP_PORT: "0", FLOXY_MIGRATE: "false" },
    onLine: (name, pid, line) => printFrom(name, pid, readable(line)),
    onDeath: (name, pid, how) => printFrom(name, pid, note(`${how}; starting it again`)),
    onGivenUp: (name, how) => giveUp(new Error(`${name} ${how} again and again; its output is above`)),
  });
  const main = import.meta.resolve("@floxy/orchestrator/main").replace("file://", "");
  try {
    const programs = [orchestrator(main), ...services];
    const ready = Promise.all(programs.map((program) => processes.start(program)));
    await Promise.race([givenUp, ready, late(30_000, "the services were not ready after 30 s")]);
    return await Promise.race([givenUp, work()]);
  } finally {
    await processes.stop();
  }
};

/** A line of a log in JSON as a person reads it; any other line as it is. */
const readable = (line: string): string => {
  if (!line.startsWith("{")) return line;
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === "string" ? msg : line;
  } catch {
    return line;
  }
};

const late = (ms: number, message: string): Promise<never> =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(message)), ms).unref();
  });

/** Takes orders through the saga; resolves when each has come to its end. */
export const runOrders = async (client: FloxyClient, orders: readonly Order[], timeoutMs: number): Promise<SagaEnd[]> =>
  Promise.all(
    orders.map(async (order) => {
      const startedAt = performance.now();
      const handle = await client.start(orderSaga, order, {
        idempotencyKey: order.orderId,
        metadata: { customer: order.customer },
      });
      const instance = await handle.waitForEnd({ timeoutMs }).catch((error: unknown) => {
        if (!isFloxyError(error, "WAIT_TIMEOUT")) throw error;
        throw new Error(`order ${order.orderId} has not come to its end in ${timeoutMs / 1_000} s: ${error.message}`);
      });
      const tookMs = performance.now() - startedAt;
      const took = `${(tookMs / 1_000).toFixed(1)} s`;
      if (instance.status === "completed") print(good(`✓ order ${order.orderId} completed in ${took}`));
      else print(bad(`✗ order ${order.orderId} ${instance.status} in ${took}: ${instance.error?.message ?? ""}`));
      return { order, instance, tookMs };
    }),
  );
