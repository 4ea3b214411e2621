/**
 * A stage on a real PostgreSQL. Its clock cannot be moved, so all that waits for a time is moved towards now instead:
 * the simulated time is that of the database plus what was passed.
 */
import type { Database, Statement } from "@floxy/shared";
import { migrate, openDatabase } from "@floxy/shared";
import { eventsText } from "@floxy/shared/store";
import { createTestDatabase } from "../../support/database.ts";
import type { EventFact, Facts, QueueFact, SignalFact, Stage, StepFact, VoteFact } from "./stage.ts";

interface Row extends Omit<Facts, "steps" | "queue" | "deadLetters" | "timers"> {
  readonly steps: readonly StepFact[];
  readonly queue: readonly QueueFact[];
  readonly deadLetters: readonly { readonly node: string; readonly kind: string }[];
  readonly timers: readonly { readonly node: string; readonly dueAt: number }[];
  readonly notes: readonly number[];
  readonly votes: readonly VoteFact[];
  readonly signals: readonly SignalFact[];
  readonly events: readonly EventFact[];
}

/** Opens a stage with a database of its own. */
export const openPostgresStage = async (serverUrl: string): Promise<Stage> => {
  const { url, drop } = await createTestDatabase(serverUrl);
  await migrate({ connectionString: url });
  const db = openDatabase({ connectionString: url });
  let passed = 0;
  return {
    db,
    now: () => Date.now() + passed,
    async pass(ms) {
      await db.query(passStatement, [ms]);
      passed += ms;
    },
    look: (wanted) => look(db, wanted, passed),
    async close() {
      await db.close();
      await drop();
    },
  };
};

const look = async (
  db: Database,
  wanted: readonly { readonly instanceId: string; readonly after: number }[],
  passed: number,
): Promise<readonly Facts[]> => {
  const values = [wanted.map(({ instanceId }) => instanceId), wanted.map(({ after }) => after)];
  const rows = await db.query<{ facts: Row }>(lookStatement, values);
  const later = <T extends number | null>(time: T) => (time === null ? null : time + passed) as T;
  return rows.map(({ facts }) => ({
    ...facts,
    deadlineAt: later(facts.deadlineAt),
    steps: new Map(
      facts.steps.map((step) => [step.node, { ...step, output: step.output ?? undefined, dueAt: later(step.dueAt) }]),
    ),
    queue: new Map(
      facts.queue.map((row) => [row.node, { ...row, readyAt: later(row.readyAt), leaseUntil: later(row.leaseUntil) }]),
    ),
    deadLetters: new Map(facts.deadLetters.map(({ node, kind }) => [node, kind])),
    timers: new Map(facts.timers.map(({ node, dueAt }) => [node, later(dueAt)])),
    notes: facts.notes.map(later),
  }));
};

const moved = (schema: string, table: string, columns: readonly string[]): string =>
  `UPDATE ${schema}.${table} SET ${columns.map((column) => `${column} = ${column} - $1::bigint * interval '1 ms'`).join(", ")}`;

const passStatement: Statement = {
  name: "simulation_pass",
  text: (schema) => `
WITH q AS (${moved(schema, "queue", ["ready_at", "leased_at", "lease_until"])}),
s AS (${moved(schema, "step", ["due_at"])}),
t AS (${moved(schema, "timer", ["due_at"])}),
n AS (${moved(schema, "inbox", ["visible_at"])})
${moved(schema, "instance", ["deadline_at"])} WHERE deadline_at IS NOT NULL`,
};

const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

const list = (schema: string, table: string, fields: string, order: string): string =>
  `coalesce((SELECT json_agg(json_build_object(${fields}) ORDER BY ${order}) FROM ${schema}.${table} x
             WHERE x.instance_id = i.instance_id), '[]')`;

const eventFields =
  "'eventId', event_id, 'type', type, 'node', node, 'attempt', attempt, 'workerId', worker_id, 'data', data";

const lookStatement: Statement = {
  name: "simulation_look",
  text: (schema) => `
SELECT jsonb_build_object(
  'instanceId', i.instance_id, 'status', i.status, 'epoch', i.epoch, 'run', i.run, 'boundary', i.boundary,
  'pausedFrom', i.paused_from, 'cause', i.cause, 'outputFrom', i.output_from, 'deadlineAt', ${ms("i.deadline_at")},
  'steps', ${list(schema, "step", `'node', node, 'status', status, 'outcome', outcome, 'side', side, 'attempt', attempt, 'compensationAttempt', compensation_attempt, 'output', output, 'error', error, 'run', run, 'dueAt', ${ms("due_at")}, 'winners', winners`, "finished_at, node")},
  'queue', ${list(schema, "queue", `'node', node, 'lane', lane, 'state', state, 'attempt', attempt, 'token', token, 'readyAt', ${ms("ready_at")}, 'leaseUntil', ${ms("lease_until")}, 'run', run`, "node")},
  'deadLetters', ${list(schema, "dead_letter", "'node', node, 'kind', kind", "node")},
  'timers', ${list(schema, "timer", `'node', node, 'dueAt', ${ms("due_at")}`, "node")},
  'notes', coalesce((SELECT json_agg(${ms("visible_at")}) FROM ${schema}.inbox x WHERE x.instance_id = i.instance_id), '[]'),
  'votes', ${list(schema, "vote", "'node', node, 'voter', voter, 'kind', kind", "created_at")},
  'signals', ${list(schema, "signal", "'signalId', signal_id, 'name', name, 'payload', payload, 'node', node", "position")},
  'events', coalesce((SELECT json_agg(json_build_object(${eventFields}) ORDER BY event_id)
                      FROM ${eventsText(schema, "instance_id = i.instance_id")} x WHERE x.event_id > w.after), '[]')
) AS facts
FROM unnest($1::text[], $2::bigint[]) AS w(instance_id, after) JOIN ${schema}.instance i USING (instance_id)`,
};
