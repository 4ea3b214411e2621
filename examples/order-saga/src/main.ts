/** `npm start [-- orders.jsonl]`: the order saga across four services, with a proof from their ledgers at the end. */
import { access, constants } from "node:fs/promises";
import { resolve } from "node:path";
import { acquireServer } from "@floxy/embedded-postgres";
import { FloxyClient } from "@floxy/worker-sdk";
import pg from "pg";
import { totalOf } from "./contract/order.ts";
import { orderSaga } from "./contract/workflow.ts";
import { bad, good, money, note, print, strong, table } from "./run/output.ts";
import { type OrdersFile, readOrders } from "./run/orders.ts";
import { sourceFile } from "./run/processes.ts";
import { prove } from "./run/proof.ts";
import { runOrders, type SagaEnd, withDatabase, withProcesses } from "./run/saga.ts";

const help = `Usage: npm start [-- FILE]

Takes the orders of FILE through a saga across four services, each a process of its own, and proves from the ledgers of
the services that every completed order happened exactly once and every failed one left nothing behind.

FILE     orders, one JSON object a line; by default examples/order-saga/orders.jsonl

DATABASE_URL     use this PostgreSQL server; a database is created there and dropped at the end
OUTSIDE_CALL_MS  how long calls to the outside world take, in milliseconds (40)
RUN_TIMEOUT_MS   give up on an order after this long, in milliseconds (120000)

Kill any of the processes while it runs (kill -9 PID): it is started again, and the proof still holds.
Exit code: 0 if the proof holds, 1 if not, 2 if the orders cannot be read.`;

const main = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> => {
  if (args.includes("--help") || args.includes("-h")) {
    print(help);
    return 0;
  }
  // A path is meant from where the command was typed, which npm tells.
  const path = args[0] === undefined ? sourceFile("../orders.jsonl") : resolve(env["INIT_CWD"] ?? ".", args[0]);
  const readable = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (!readable || args.length > 1) {
    print(bad(readable ? "Give one file of orders, or none." : `The orders cannot be read: there is no file ${path}.`));
    print(help);
    return 2;
  }
  const file = await readOrders(path);
  for (const { line, problem } of file.bad) print(note(`line ${line} is skipped: ${problem}`));
  if (file.orders.length === 0) {
    print(bad(`${path} holds no order.`));
    return 2;
  }
  const server = await acquireServer();
  try {
    return await withDatabase(server.url, (url) => run(url, file, Number(env["RUN_TIMEOUT_MS"] ?? 120_000)));
  } finally {
    await server.close();
  }
};

const run = async (url: string, { orders, bad: skipped }: OrdersFile, timeoutMs: number): Promise<number> => {
  const client = new FloxyClient({ connectionString: url });
  try {
    await client.migrate();
    await client.register(orderSaga);
    print(strong(`${orders.length} orders through accept → charge + reserve → insure? → ship → confirm`));
    const list = orders.map(({ order }) => order);
    const ends = await withProcesses(url, () => runOrders(client, list, timeoutMs));
    return await report(url, ends, skipped.length);
  } finally {
    await client.close();
  }
};

const report = async (url: string, ends: readonly SagaEnd[], skipped: number): Promise<number> => {
  const ledgers = new pg.Client({ connectionString: url });
  await ledgers.connect();
  const proof = await prove(
    ledgers,
    ends.map(({ order, instance }) => ({ order, completed: instance.status === "completed" })),
  );
  await ledgers.end();
  const rows = ends.map(({ order, instance, tookMs }) => [
    order.orderId,
    money(totalOf(order)),
    instance.status,
    `${(tookMs / 1_000).toFixed(2)} s`,
    instance.error?.message ?? "",
  ]);
  const completed = ends.filter(({ instance }) => instance.status === "completed").length;
  const unfinished = ends.filter(({ instance }) => instance.status !== "completed" && instance.status !== "failed");
  const violations = [
    ...proof.violations,
    ...unfinished.map(({ order, instance }) => `${order.orderId}: ended ${instance.status}`),
  ];
  print();
  print(table(["order", "total", "ended", "took", "because"], rows, [1, 3]));
  print();
  print(`${completed} completed, ${ends.length - completed} failed and undone, ${skipped} lines skipped`);
  print(`${proof.entries} ledger entries: ${money(proof.chargedCents)} charged and kept, ${proof.shipped} parcels on their way`);
  for (const violation of violations) print(bad(`  ${violation}`));
  print(
    violations.length === 0
      ? good("PROOF HOLDS: every completed order was charged, reserved and shipped exactly once; every failed one left nothing.")
      : bad(`PROOF FAILS: ${violations.length} violations, listed above.`),
  );
  return violations.length === 0 ? 0 : 1;
};

process.exitCode = await main(process.argv.slice(2), process.env).catch((error: unknown) => {
  print(bad(error instanceof Error ? error.message : String(error)));
  return 1;
});
