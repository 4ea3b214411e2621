import { acquireServer } from "@floxy/embedded-postgres";
// Without an import of "vitest" the compiler does not find the module that is augmented below.
import type {} from "vitest";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** The PostgreSQL server of this run; a superuser's URL. Tests create and drop databases of their own there. */
    databaseUrl: string;
  }
}

/** Starts the one PostgreSQL server that all test files of a run share, or uses the one that DATABASE_URL names. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await acquireServer();
  project.provide("databaseUrl", server.url);
  return () => server.close();
}
