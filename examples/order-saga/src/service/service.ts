/** What all services of the example have in common: a ledger, a worker, and a word on what they do. */
import { setTimeout as wait } from "node:timers/promises";
import { type AnyHandlerImplementation, type StepContext, Worker } from "@floxy/worker-sdk";
import { type Ledger, openLedger } from "./ledger.ts";

/** What a service's handlers work with. */
export interface ServiceTools {
  readonly ledger: Ledger;
  /** Says one line to whoever runs the service. */
  say(context: StepContext, text: string): void;
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

/** Runs a service until SIGTERM. */
export const runService = async (service: Service, env: NodeJS.ProcessEnv): Promise<void> => {
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
    handlers: service.handlers({
      ledger,
      say: (context, text) => {
        const again = context.attempt > 1 ? ` (attempt ${context.attempt})` : "";
        const undoing = context.lane === "compensation" ? "↩ " : "";
        process.stdout.write(`${undoing}${text}${again}\n`);
      },
      outsideWorld: (context) => wait(callMs * (0.5 + Math.random()), undefined, { signal: context.signal }),
    }),
  });
  await worker.start();
  process.stdout.write("ready\n");
};
