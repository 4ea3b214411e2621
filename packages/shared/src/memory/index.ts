export { createMemoryDatabase, type MemoryOptions } from "./database.ts";
export type * from "./rows.ts";
export { createTables, type Tables } from "./tables.ts";
