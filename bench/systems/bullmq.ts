/** BullMQ on a Redis as it comes: what was acknowledged is lost with the process. */
import { chainOn } from "./bullmq-chain.ts";
import type { System } from "./system.ts";

/** Fast, and not durable. */
export const system: System = chainOn("Redis without persistence");
