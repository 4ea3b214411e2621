/**
 * Examining a database: every check is asked, each in one statement that sees one moment, so a system that runs gives no
 * false alarm. Nothing is locked and nothing is changed.
 */
import { FloxyError, isFloxyError } from "../../vocabulary/error.ts";
import type { Executor, Statement } from "../executor.ts";
import { statement } from "../executor.ts";
import type { Check } from "./check.ts";
import { checks } from "./checks.ts";

/** What to look at. */
export interface ExamineOptions {
  /** How late may be what an orchestrator does soon, such as looking at a note, in milliseconds. Default 60,000. */
  readonly graceMs?: number | undefined;
  /** How far back instances are looked at that have ended, in milliseconds. Default a day. */
  readonly historyMs?: number | undefined;
  /** The most ids of a finding. Default 20. */
  readonly limit?: number | undefined;
}

/** Something that is wrong. */
export interface Finding {
  /** The name of the check that found it. */
  readonly check: string;
  readonly meaning: string;
  readonly advice: string;
  /** How many instances it concerns; 0 when it concerns none in particular. */
  readonly count: number;
  /** Their ids, the first so many. */
  readonly instanceIds: readonly string[];
  /** What was found, where ids do not say it. */
  readonly detail?: string;
}

/** A check that was made. */
export interface CheckReport {
  readonly check: string;
  /** `unanswered`: the database refused the question or took too long, so nothing is known. */
  readonly result: "ok" | "broken" | "unanswered";
  readonly durationMs: number;
  /** Why it was not answered. */
  readonly error?: string;
}

/** What was found, and by what. */
export interface DoctorReport {
  /** Whether every check was answered and found nothing. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly checks: readonly CheckReport[];
}

/** One check's part of a report. */
export interface Examined {
  readonly report: CheckReport;
  readonly finding?: Finding;
}

/** Puts the parts of a report together. */
export const toReport = (examined: readonly Examined[]): DoctorReport => ({
  ok: examined.every(({ report }) => report.result === "ok"),
  findings: examined.flatMap(({ finding }) => (finding === undefined ? [] : [finding])),
  checks: examined.map(({ report }) => report),
});

/** Asks every check, one after another. Throws `OPTION_INVALID`, and `DATABASE_UNAVAILABLE`, after which none could answer. */
export const examine = async (db: Executor, options: ExamineOptions = {}): Promise<readonly Examined[]> => {
  const { graceMs = 60_000, historyMs = 86_400_000, limit = 20 } = options;
  for (const [name, value] of Object.entries({ graceMs, historyMs, limit })) assertCount(name, value);
  const examined: Examined[] = [];
  for (const check of checks) examined.push(await ask(db, check, [graceMs, historyMs, limit]));
  return examined;
};

const assertCount = (name: string, value: number): void => {
  if (Number.isInteger(value) && value >= 0 && value <= 1_000_000_000_000) return;
  throw new FloxyError("OPTION_INVALID", `${name} must be an integer from 0 to 10^12, not ${String(value)}`);
};

const ask = async (db: Executor, { name, meaning, advice, query }: Check, values: unknown[]): Promise<Examined> => {
  const startedAt = performance.now();
  const report = (result: CheckReport["result"]) => ({
    check: name,
    result,
    durationMs: Math.round(performance.now() - startedAt),
  });
  try {
    const [row] = await db.query<{ count: number; ids: string[] }>(statementOf(name, query), values);
    const { count = 0, ids = [] } = row ?? {};
    if (count === 0) return { report: report("ok") };
    return { report: report("broken"), finding: { check: name, meaning, advice, count, instanceIds: ids } };
  } catch (error) {
    if (isFloxyError(error, "SHUTDOWN")) throw error;
    // Whether only this question took too long, or nobody answers any more; then this throws.
    if (isFloxyError(error, "DATABASE_UNAVAILABLE")) await db.query(pingStatement);
    return { report: { ...report("unanswered"), error: error instanceof Error ? error.message : String(error) } };
  }
};

const pingStatement = statement("doctor_ping", () => "SELECT 1 AS one");

const statements = new Map<string, Statement>();

const statementOf = (name: string, query: Check["query"]): Statement => {
  const known = statements.get(name) ?? statement(`doctor_${name}`, (schema) => wrap(query(schema)));
  statements.set(name, known);
  return known;
};

const wrap = (query: string): string => `
WITH bound AS (
  SELECT statement_timestamp() - $1::bigint * interval '1 ms' AS late,
         statement_timestamp() - $2::bigint * interval '1 ms' AS since
),
found AS MATERIALIZED (SELECT DISTINCT instance_id FROM (${query}) AS f)
SELECT (SELECT count(*)::int FROM found) AS count,
       array(SELECT instance_id::text FROM found ORDER BY instance_id LIMIT $3::int) AS ids`;
