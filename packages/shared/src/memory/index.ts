export { createMemoryDatabase, type MemoryDatabase, type MemoryOptions } from "./database.ts";
