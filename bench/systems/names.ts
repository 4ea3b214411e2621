/** The systems that are measured, Floxy first. Each is a file of this folder, loaded only in the process it is measured in. */
import type { System } from "./system.ts";

/** What loads each of them. */
export const loaders: Readonly<Record<string, () => Promise<{ readonly system: System }>>> = {
  floxy: () => import("./floxy.ts"),
  "pg-boss": () => import("./pg-boss.ts"),
  "graphile-worker": () => import("./graphile-worker.ts"),
  dbos: () => import("./dbos.ts"),
  openworkflow: () => import("./openworkflow.ts"),
  absurd: () => import("./absurd.ts"),
  bullmq: () => import("./bullmq.ts"),
  "bullmq-durable": () => import("./bullmq-durable.ts"),
};

/** Their names, in the order in which they are measured. */
export const systemNames: readonly string[] = Object.keys(loaders);
