/** What all services of the example have in common: a ledger, a worker, and a word on what they do. */
import { setTimeout as wait } from "node:timers/promises";
import type { AnyHandlerImplementation, Logger, StepContext } from "@floxy/worker-sdk";
import { Worker } from "@floxy/worker-sdk";
import { messageOf, warning } from "../run/log-line.ts";
import { orderLine, print } from "../run/output.ts";
import type { Ledger } from "./ledger.ts";
import { openLedger } from "./ledger.ts";

/** What a service's handlers work with. */
export interface ServiceTools {
  readonly ledger: Ledger;
  /** Says one line about an order to whoever runs the service. */
  say(context: StepContext, orderId: string, text: string): void;
  /** Takes as long as a call to the outside world would; ends early when the attempt is over. */
  outsideWorld(context: StepContext): Promise<void>;
}

/** A service: its name, which is also its schema, and the handlers that only it has. */
export interface Service {
  readonly name: string;
  /** Called once before the worker starts. */
  prepare?(connectionString: string): Promise<void>;
  handlers(tools: ServiceTools): AnyHandlerImplementation[];
}

/** Runs a service until SIGTERM. One that cannot start says why and ends. */
export const runService = async (service: Service, env: NodeJS.ProcessEnv): Promise<void> => {
  try {
    await start(service, env);
    print("ready");
  } catch (error) {
    print(warning(`cannot start: ${messageOf(error)}`));
    process.exit(1);
  }
};

const start = async (service: Service, env: NodeJS.ProcessEnv): Promise<void> => {
  const connectionString = env["DATABASE_URL"];
  if (!connectionString) throw new Error("DATABASE_URL is not set");
  const callMs = Number(env["OUTSIDE_CALL_MS"] ?? 40);
  const ledger = await openLedger(connectionString, service.name);
  await service.prepare?.(connectionString);
  const worker = new Worker({
    name: service.name,
    connectionString,
    concurrency: 4,
    // Short, so that you see the work of a service that was killed being taken over.
    leaseMs: 2_000,
    drainMs: 5_000,
    logger,
    handlers: service.handlers({
      ledger,
      say: ({ attempt, lane }, orderId, text) => {
        const again = attempt > 1 ? ` (attempt ${attempt})` : "";
        print(orderLine(lane === "compensation" ? "↩" : " ", orderId, text + again));
      },
      outsideWorld: (context) => wait(callMs * (0.5 + Math.random()), undefined, { signal: context.signal }),
    }),
  });
  await worker.start();
};

const warn = (fields: object | string, message?: string): void => {
  if (typeof fields === "string") print(warning(fields));
  else print(warning(message ?? "", "error" in fields ? fields.error : undefined));
};

/** Warnings and errors in one line each. A real service would hand in its own logger, such as pino. */
const logger: Logger = { debug: () => {}, info: () => {}, warn, error: warn };
