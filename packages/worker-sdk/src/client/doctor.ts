/** Examining a database with what a client knows of it. */
import type { DoctorReport, Executor } from "@floxy/shared";
import { runDoctor } from "@floxy/shared";
import { assertOptions } from "./act-options.ts";

/** What the doctor looks at. */
export interface ClientDoctorOptions {
  /** How late may be what an orchestrator does soon, such as looking at a note, in milliseconds. Default 60,000. */
  readonly graceMs?: number | undefined;
  /** How far back instances are looked at that have ended, in milliseconds. Default a day. */
  readonly historyMs?: number | undefined;
  /** The most ids of a finding. Default 20. */
  readonly limit?: number | undefined;
  /** `false` looks at rows only, not at schema, server, clock and notifications. Default `true`. */
  readonly environment?: boolean | undefined;
}

/** Examines a database. Throws `OPTION_INVALID`. */
export const examineDatabase = (
  db: Executor,
  listenConnectionString: string | false,
  options: ClientDoctorOptions,
): Promise<DoctorReport> => {
  assertOptions("doctor", options);
  const { environment = true, ...rest } = options;
  return runDoctor(db, { ...rest, ...(environment && { environment: { listenConnectionString } }) });
};
