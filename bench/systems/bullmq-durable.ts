/** BullMQ on a Redis that syncs its log before it answers, as PostgreSQL does. */
import { chainOn } from "./bullmq-chain.ts";
import type { System } from "./system.ts";

/** As durable as the others. */
export const system: System = chainOn("Redis with appendonly yes and appendfsync always");
