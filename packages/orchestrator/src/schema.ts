/** The schema before anything is done with it: brought up to date, or only checked. */
import type { Database } from "@floxy/shared";
import { assertMigrated, migrate } from "@floxy/shared";
import type { Logger } from "./log.ts";
import type { OrchestratorOptions } from "./options.ts";

/**
 * Migrates the schema unless it may not, and makes sure that this code can work with it. Throws `SCHEMA_OUTDATED`,
 * `MIGRATION_FAILED`, or `DATABASE_UNAVAILABLE`. Any number of processes may do this at once.
 */
export const prepareSchema = async (db: Database, options: OrchestratorOptions, log: Logger): Promise<void> => {
  if (options.migrate ?? true) {
    const { connectionString, schema } = options;
    const { applied, version } = await migrate({ connectionString, schema, applicationName: "floxy migrations" });
    if (applied.length > 0) log.info({ version, applied: applied.map(({ name }) => name) }, "the schema was migrated");
  }
  await assertMigrated(db);
};
