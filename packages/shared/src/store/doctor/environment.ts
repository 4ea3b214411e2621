/** What the doctor looks at around the rows: the schema, the server, its clock, and whether notifications arrive. */
import { newId } from "../../vocabulary/id.ts";
import { parseNotification } from "../channel.ts";
import type { Executor } from "../executor.ts";
import { statement, unquoteIdentifier } from "../executor.ts";
import { historyState } from "../history.ts";
import { openListener } from "../listener.ts";
import { migrationStatus } from "../migration-status.ts";
import { createNotifier } from "../notifier.ts";
import type { Check } from "./check.ts";
import type { Examined } from "./examine.ts";

/** What to look at around the rows. */
export interface EnvironmentOptions {
  /** Where to LISTEN; `false` when polling alone is wanted, and then it is not looked at. */
  readonly listenConnectionString: string | false;
  /** How far this process's clock may be from the database's, in milliseconds. Default 5,000. */
  readonly clockToleranceMs?: number | undefined;
  /** How long a notification may take to come round, in milliseconds. Default 5,000. */
  readonly notifyTimeoutMs?: number | undefined;
  /** This process's clock, in milliseconds since 1970; `Date.now` unless told. */
  readonly now?: (() => number) | undefined;
}

/** What a check of the surroundings is called, and what it means when it finds something. */
export type EnvironmentCheck = Omit<Check, "query">;

/** The lowest major version of PostgreSQL that Floxy is made for. */
const oldestServer = 14;

const migrated: EnvironmentCheck = {
  name: "environment_schema_is_migrated",
  meaning: "The schema lacks migrations of this version, has those of a newer one, or a migration was changed.",
  advice: "Run the migrations of the version that you deploy, or upgrade what is older than the schema.",
};

const server: EnvironmentCheck = {
  name: "environment_server_is_supported",
  meaning: "The server is older than PostgreSQL 14, or is a standby that takes no writes.",
  advice: "Upgrade the server, or connect to the primary.",
};

const clock: EnvironmentCheck = {
  name: "environment_clocks_agree",
  meaning:
    "The clock of this process is far from the database's. Leases go by the database's clock; times in logs do not.",
  advice: "Let both hosts keep their time by NTP.",
};

const notify: EnvironmentCheck = {
  name: "environment_notifications_arrive",
  meaning: "A notification did not come round. All works by polling, but later.",
  advice: "Give listenConnectionString a direct connection: pgbouncer in transaction mode swallows LISTEN.",
};

const history: EnvironmentCheck = {
  name: "environment_history_is_ahead",
  meaning: "The partitions of history end soon, or have ended. What is started then goes into the default partitions.",
  advice: "Start an orchestrator whose FLOXY_HISTORY_INTERVAL_MS is not off, or call floxy.upkeep_history().",
};

/** Every check of the surroundings, in the order of the report. */
export const environmentChecks: readonly EnvironmentCheck[] = [migrated, server, clock, history, notify];

/** Looks at what is around the rows. Throws `DATABASE_UNAVAILABLE`. */
export const examineEnvironment = async (db: Executor, options: EnvironmentOptions): Promise<readonly Examined[]> => [
  await look(migrated, () => schemaOf(db)),
  await look(server, () => serverOf(db)),
  await look(clock, () => clockOf(db, options)),
  await look(history, () => historyOf(db)),
  ...(options.listenConnectionString === false
    ? []
    : [await look(notify, () => notificationOf(db, options.listenConnectionString as string, options))]),
];

/** Makes a check that answers what is wrong, or `null`. */
const look = async (check: EnvironmentCheck, ask: () => Promise<string | null>): Promise<Examined> => {
  const startedAt = performance.now();
  const detail = await ask();
  const { name, meaning, advice } = check;
  const durationMs = Math.round(performance.now() - startedAt);
  const report = { check: name, result: detail === null ? "ok" : "broken", durationMs } as const;
  if (detail === null) return { report };
  return { report, finding: { check: name, meaning, advice, count: 0, instanceIds: [], detail } };
};

const schemaOf = async (db: Executor): Promise<string | null> => {
  const { pending, newer, changed } = await migrationStatus(db);
  const names = (list: readonly { readonly version: number; readonly name: string }[]): string =>
    list.map(({ version, name }) => `${version} ${name}`).join(", ");
  const said = [
    pending.length > 0 && `lacks ${names(pending)}`,
    newer.length > 0 && `has what this version does not know: ${names(newer)}`,
    changed.length > 0 && `was migrated with files that have changed since: ${changed.join(", ")}`,
  ].filter((part) => part !== false);
  return said.length === 0 ? null : `the schema ${said.join("; ")}`;
};

const serverOf = async (db: Executor): Promise<string | null> => {
  const [row] = await db.query<{ version: number; standby: boolean }>(serverStatement);
  const major = Math.floor((row?.version ?? 0) / 10_000);
  if (major < oldestServer) return `the server is PostgreSQL ${major}`;
  return row?.standby === true ? "the server is a standby" : null;
};

// The answer was made between the question and its arrival, so half of that time is not known.
const clockOf = async (db: Executor, { now = Date.now, clockToleranceMs = 5_000 }: EnvironmentOptions) => {
  const before = now();
  const [row] = await db.query<{ ms: number }>(clockStatement);
  const after = now();
  const offsetMs = Math.round((row?.ms ?? before) - (before + after) / 2);
  const knownMs = Math.abs(offsetMs) - (after - before) / 2;
  return knownMs <= clockToleranceMs ? null : `the database's clock is ${offsetMs} ms ahead of this process's`;
};

// There are always two spans ahead; one is enough to notice in time that nobody makes the next.
const historyOf = async (db: Executor): Promise<string | null> => {
  const { aheadUntil, aheadMs, spanMs } = await historyState(db);
  if (aheadUntil !== null && aheadMs > spanMs) return null;
  return aheadUntil === null ? "there are no partitions" : `the last partition ends at ${aheadUntil.toISOString()}`;
};

/** Tells of the end of an instance that nobody has, and waits to hear of it. */
const notificationOf = async (
  db: Executor,
  connectionString: string,
  { notifyTimeoutMs = 5_000 }: EnvironmentOptions,
): Promise<string | null> => {
  const nobody = newId();
  const notifier = createNotifier({ db });
  let answer: (detail: string | null) => void = () => {};
  const heard = new Promise<string | null>((resolve) => {
    answer = resolve;
  });
  const problems: unknown[] = [];
  const listener = openListener({
    connectionString,
    schema: unquoteIdentifier(db.schema),
    channels: ["finished"],
    applicationName: "floxy doctor",
    onNotification(_, payload) {
      if (parseNotification(payload).includes(nobody)) answer(null);
    },
    onResync: () => notifier.notify("finished", [nobody]),
    onError: (error) => problems.push(error),
  });
  const timer = setTimeout(() => {
    const why = problems.length === 0 ? "" : `: ${String(problems.at(-1))}`;
    answer(`nothing came round within ${notifyTimeoutMs} ms${why}`);
  }, notifyTimeoutMs);
  listener.start();
  try {
    return await heard;
  } finally {
    clearTimeout(timer);
    await Promise.all([listener.close(), notifier.close()]);
  }
};

const serverStatement = statement(
  "doctor_server",
  () => `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby`,
);

const clockStatement = statement(
  "doctor_clock",
  () => `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`,
);
