/** absurd: a function with a checkpoint after each step. Its tables come with its command-line tool, not with its SDK. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Absurd } from "absurd-sdk";
import pg from "pg";
import { openPool, single } from "./database.ts";
import type { Client, Payload, Session, Site, System } from "./system.ts";
import { io, payloadOf } from "./system.ts";

const queueName = "bench";

/** How many workflows run beside each other, how many are claimed at once, and with how many connections. */
const concurrency = 100;
const batchSize = 100;
const connections = 20;
const pollIntervalSeconds = 0.02;

/** How many single spawns are under way; there is no way to spawn many at once. */
const callers = 50;

const quiet = { log: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const connect = (url: string, max: number): { readonly app: Absurd; close(): Promise<void> } => {
  const pool = new pg.Pool({ connectionString: url, max });
  const app = new Absurd({ db: pool, queueName, log: quiet });
  return {
    app,
    async close() {
      await app.close();
      await pool.end();
    },
  };
};

/** Runs its tool, which needs Python and psql: the one on the PATH, or the one that uvx fetches. */
const initialize = async (url: string): Promise<void> => {
  const run = promisify(execFile);
  const tries = [
    ["absurdctl", "init", "-d", url],
    ["uvx", "absurdctl==0.5.1", "init", "-d", url],
  ] as const;
  const reasons: string[] = [];
  for (const [command, ...given] of tries) {
    try {
      await run(command, given);
      return;
    } catch (error) {
      reasons.push(`${command}: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`);
    }
  }
  throw new Error(`its tables need absurdctl 0.5.1 of PyPI (${reasons.join("; ")})`);
};

const clientOf = ({ url, scenario }: Site): Client => {
  const { app, close } = connect(url, connections);
  const startOne = (id: number, key?: string) =>
    app.spawn("sequence", payloadOf(id, scenario.payloadBytes), {
      queue: queueName,
      ...(key !== undefined && { idempotencyKey: key }),
    });
  return {
    startOne,
    async enqueue(first, count) {
      let next = first;
      const caller = async (): Promise<void> => {
        for (let id = next++; id < first + count; id = next++) await startOne(id);
      };
      await Promise.all(Array.from({ length: callers }, caller));
    },
    close,
  };
};

const open = (site: Site): Session => {
  const pool = openPool(site.url);
  const { probe, scenario } = site;
  return {
    async setUp() {
      await initialize(site.url);
      const { app, close } = connect(site.url, 1);
      await app.createQueue(queueName);
      await close();
    },
    openClient: () => Promise.resolve(clientOf(site)),
    async startWorker() {
      const { app, close } = connect(site.url, connections);
      app.registerTask<Payload, Payload>({ name: "sequence" }, async (input, context) => {
        let value = input;
        for (let step = 0; step < scenario.width; step++) {
          value = await context.step(`s${step}`, async () => {
            probe.began(input.id, step);
            await io(scenario.ioMs);
            probe.ended(input.id, step);
            return value;
          });
        }
        return value;
      });
      await app.startWorker({ concurrency, batchSize, pollInterval: pollIntervalSeconds });
      return { stop: close };
    },
    unfinished: () =>
      single<boolean>(
        pool,
        "SELECT EXISTS (SELECT FROM absurd.t_bench WHERE state IN ('pending', 'running', 'sleeping')) AS value",
      ),
    async tally() {
      const ended = await single<string>(
        pool,
        "SELECT count(*) AS value FROM absurd.t_bench WHERE state = 'completed'",
      );
      const steps = await single<string>(pool, "SELECT count(*) AS value FROM absurd.c_bench");
      return { ended: Number(ended), steps: Number(steps) };
    },
    close: () => pool.end(),
  };
};

/** absurd with many tasks beside each other. */
export const system: System = {
  configuration: `concurrency ${concurrency}, batchSize ${batchSize}, pollInterval ${pollIntervalSeconds} s, ${connections} connections`,
  warmUp: 200,
  open,
};
