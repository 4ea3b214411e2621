/** The doctor: whether the invariants hold on a database that is in use, and whether its surroundings are as they should be. */
import type { EnvironmentOptions } from "../store/doctor/environment.ts";
import { examineEnvironment } from "../store/doctor/environment.ts";
import type { DoctorReport, ExamineOptions } from "../store/doctor/examine.ts";
import { examine, toReport } from "../store/doctor/examine.ts";
import type { Executor } from "../store/executor.ts";

/** What the doctor looks at. */
export interface DoctorOptions extends ExamineOptions {
  /** The surroundings too: schema, server, clock and notifications. */
  readonly environment?: EnvironmentOptions | undefined;
}

/**
 * Examines a database and its surroundings. Nothing is changed, and nothing waits for it; but checks read whole tables, so
 * it is nothing to do every second. Throws `OPTION_INVALID`, `DATABASE_UNAVAILABLE`.
 */
export const runDoctor = async (db: Executor, options: DoctorOptions = {}): Promise<DoctorReport> => {
  const { environment } = options;
  const around = environment === undefined ? [] : await examineEnvironment(db, environment);
  return toReport([...around, ...(await examine(db, options))]);
};
