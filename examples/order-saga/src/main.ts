/** `npm start [-- orders.jsonl]`: the order saga across four services, with a proof from their ledgers at the end. */
import { acquireServer } from "@floxy/embedded-postgres";
import { FloxyClient } from "@floxy/worker-sdk";
import pg from "pg";
import { orderSaga } from "./contract/workflow.ts";
import { withProcesses } from "./run/cast.ts";
import type { RunDatabase } from "./run/database.ts";
import { withDatabase } from "./run/database.ts";
import { headerOf } from "./run/header.ts";
import { Interrupted, untilInterrupted } from "./run/interruption.ts";
import { messageOf } from "./run/log-line.ts";
import type { OrdersFile } from "./run/orders.ts";
import { readOrders } from "./run/orders.ts";
import { bad, note, print, printEnd } from "./run/output.ts";
import { prove } from "./run/proof.ts";
import { reportOf } from "./run/report.ts";
import type { SagaEnd } from "./run/saga.ts";
import { runOrders } from "./run/saga.ts";
import type { Settings } from "./run/settings.ts";
import { help, readSettings, UsageError } from "./run/settings.ts";

const main = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> => {
  const settings = readSettings(args, env);
  if (settings === undefined) {
    print(help);
    return 0;
  }
  const file = await read(settings.path);
  const signal = untilInterrupted();
  signal.addEventListener("abort", () => print(note(`${messageOf(signal.reason)}; what is running comes to its end`)));
  print("Starting PostgreSQL, the orchestrator and four services …");
  const server = await acquireServer();
  try {
    signal.throwIfAborted();
    const say = (text: string): void => print(note(text));
    return await withDatabase(server.url, say, (database) => run(database, file, settings, signal));
  } finally {
    await server.close();
  }
};

const read = async (path: string): Promise<OrdersFile> => {
  const file = await readOrders(path).catch((error: unknown) => {
    throw new UsageError(`The orders cannot be read: ${messageOf(error)}`);
  });
  for (const { line, problem } of file.bad) print(note(`line ${line} is skipped: ${problem}`));
  if (file.orders.length === 0) throw new UsageError(`There is no order in ${path}.`);
  return file;
};

const run = async (
  database: RunDatabase,
  { orders, bad: skipped }: OrdersFile,
  { outsideCallMs, timeoutMs }: Settings,
  signal: AbortSignal,
): Promise<number> => {
  const client = new FloxyClient({ connectionString: database.url });
  try {
    await client.migrate();
    await client.register(orderSaga);
    const ends = await withProcesses({ databaseUrl: database.url, outsideCallMs, signal }, (members) => {
      for (const line of headerOf(orders.length, database.name, members)) print(line);
      return runOrders(client, orders, { timeoutMs, signal, onEnd: tell });
    });
    const { lines, exitCode } = await proveFrom(database.url, ends, skipped.length);
    for (const line of lines) print(line);
    return exitCode;
  } finally {
    await client.close();
  }
};

const tell = ({ order, status, because, tookMs }: SagaEnd): void => {
  const text = `${status} in ${(tookMs / 1_000).toFixed(1)} s`;
  printEnd(order.orderId, status === "completed", because === "" ? text : `${text}: ${because}`);
};

const proveFrom = async (url: string, ends: readonly SagaEnd[], skipped: number) => {
  const ledgers = new pg.Client({ connectionString: url });
  await ledgers.connect();
  try {
    const ended = ends.map(({ order, status }) => ({ order, completed: status === "completed" }));
    return reportOf(ends, await prove(ledgers, ended), skipped);
  } finally {
    await ledgers.end();
  }
};

process.exitCode = await main(process.argv.slice(2), process.env).catch((error: unknown) => {
  print(bad(messageOf(error)));
  if (error instanceof Interrupted) return error.exitCode;
  if (!(error instanceof UsageError)) return 1;
  print("See npm start -- --help.");
  return 2;
});
