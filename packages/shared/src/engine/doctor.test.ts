import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { checks } from "../store/doctor/checks.ts";
import { environmentChecks } from "../store/doctor/environment.ts";
import type { DoctorReport } from "../store/doctor/examine.ts";
import type { Executor } from "../store/executor.ts";
import { sql } from "../store/testing/database.ts";
import type { DoctorOptions } from "./doctor.ts";
import { runDoctor } from "./doctor.ts";
import { Stand } from "./testing/stand.ts";
import type { Town } from "./testing/town.ts";
import { buildTown } from "./testing/town.ts";

let stand: Stand;
let town: Town;

beforeAll(async () => {
  stand = await Stand.open(inject("databaseUrl"));
  town = await buildTown(stand);
}, 60_000);

afterAll(() => stand.close());

const surroundings = () => ({ listenConnectionString: stand.url });

class Undo extends Error {}

let damageCount = 0;

/** Runs SQL under a name of its own, because texts of one damage begin alike. */
const damage = (tx: Executor, text: string): Promise<object[]> => {
  const name = `damage_${damageCount++}`;
  return tx.query({ name, text: (schema) => text.replaceAll("{schema}", schema) });
};

/** Breaks the town, has it examined, and mends it. `$id` stands for the id of the instance. */
const examined = async (statements: readonly string[], instance: string, options: DoctorOptions = {}) => {
  let report: DoctorReport | undefined;
  const work = async (tx: Executor): Promise<never> => {
    for (const text of statements) await damage(tx, text.replaceAll("$id", `'${town[instance]}'`));
    report = await runDoctor(tx, options);
    throw new Undo("the damage is not kept");
  };
  await stand.db.transaction(work).catch((error: unknown) => {
    if (!(error instanceof Undo)) throw error;
  });
  if (report === undefined) throw new Error("there is no report");
  return report;
};

const queue = "{schema}.queue";
const step = "{schema}.step";
const of = (node: string): string => `instance_id = $id AND node = '${node}'`;
const old = "now() - interval '1 hour'";
const queued = (node: string, lane: string, from = "leased"): string => `
  INSERT INTO ${queue} (instance_id, node, lane, handler, state, priority, key, ready_at, epoch, timeout_ms)
  SELECT i.instance_id, '${node}', '${lane}', 'h', 'ready', 50, 0, now(), i.epoch, 1000 FROM {schema}.instance i
  WHERE i.instance_id = ${from === "leased" ? "$id" : from}`;
const orphan = (table: string, columns: string, values: string): string =>
  `INSERT INTO {schema}.${table} (instance_id, ${columns}) VALUES ('NOBODY', ${values})`;
const unfenced = `ALTER TABLE ${queue} DROP CONSTRAINT queue_check`;
const event = (type: string, node: string): string =>
  `INSERT INTO {schema}.event (instance_id, type, node) VALUES ($id, '${type}', '${node}')`;
const bulk = `INSERT INTO {schema}.bulk (bulk_id, act, filter, requested_by, item_count, created_at)
              VALUES ('B', 'cancel', '{}', 'mayor', 1, ${old})`;

/** The check that finds it, the instance, and the damage. */
const damages: readonly (readonly [check: string, instance: string, ...statements: string[]])[] = [
  ["invariant_1_instance_waits_for_something", "ready", `DELETE FROM ${queue} WHERE instance_id = $id`],
  [
    "invariant_1_instance_waits_for_something",
    "undoing",
    `DELETE FROM ${queue} WHERE instance_id = $id`,
    `UPDATE ${step} SET status = 'rolled_back' WHERE ${of("b")}`,
  ],
  [
    "invariant_1_instance_waits_for_something",
    "joining",
    `DELETE FROM ${queue} WHERE instance_id = $id`,
    `UPDATE ${step} SET status = 'completed' WHERE ${of("y")}`,
  ],
  ["invariant_1_dlq_has_a_dead_letter", "dead", "DELETE FROM {schema}.dead_letter WHERE instance_id = $id"],
  [
    "invariant_1_dlq_has_a_dead_letter",
    "dead",
    "UPDATE {schema}.instance SET paused_from = NULL WHERE instance_id = $id",
  ],
  ["invariant_1_ended_has_nothing_queued", "completed", queued("z", "forward")],
  ["invariant_1_ended_has_no_open_step", "completed", `UPDATE ${step} SET status = 'waiting' WHERE ${of("both")}`],
  [
    "invariant_1_ended_has_no_dead_letter",
    "failed",
    `INSERT INTO {schema}.dead_letter (instance_id, node, kind, error, attempt) VALUES ($id, 'b', 'forward', '{}', 1)`,
  ],
  [
    "invariant_1_ended_has_no_timer",
    "aborted",
    "INSERT INTO {schema}.timer VALUES ($id, 'a', now() + interval '1 day')",
  ],
  [
    "invariant_1_ended_has_its_time",
    "completed",
    "UPDATE {schema}.instance SET finished_at = NULL WHERE instance_id = $id",
  ],
  [
    "invariant_1_ended_has_its_time",
    "asleep",
    "UPDATE {schema}.instance SET finished_at = now() WHERE instance_id = $id",
  ],
  ["invariant_2_completed_has_no_failure", "completed", `UPDATE ${step} SET status = 'failed' WHERE ${of("a")}`],
  ["invariant_3_undone_to_the_boundary", "failed", `UPDATE ${step} SET status = 'completed' WHERE ${of("a")}`],
  ["invariant_3_undone_to_the_boundary", "kept", `UPDATE ${step} SET status = 'completed' WHERE ${of("x")}`],
  ["invariant_3_undone_to_the_boundary", "cancelled", `UPDATE ${step} SET status = 'completed' WHERE ${of("a")}`],
  ["invariant_3_failed_step_is_undone", "failed", `UPDATE ${step} SET status = 'failed' WHERE ${of("b")}`],
  ["invariant_3_nothing_starts_after_an_abort", "aborted", event("step.leased", "b")],
  ["invariant_4_attempts_are_bounded", "completed", `UPDATE ${step} SET attempt = 2 WHERE ${of("a")}`],
  ["invariant_4_attempts_are_bounded", "failed", `UPDATE ${step} SET compensation_attempt = 11 WHERE ${of("a")}`],
  ["invariant_4_attempts_are_bounded", "leased", `UPDATE ${queue} SET attempt = 2 WHERE instance_id = $id`],
  [
    "invariant_5_compensation_has_a_reason",
    "undoing",
    "UPDATE {schema}.instance SET status = 'running' WHERE instance_id = $id",
  ],
  ["invariant_5_step_is_undone_once", "failed", event("step.rolled_back", "a")],
  ["invariant_6_node_completes_once", "completed", event("step.completed", "both")],
  ["invariant_8_input_is_kept", "cancelling", `UPDATE ${queue} SET input_from = 'lost' WHERE instance_id = $id`],
  [
    "invariant_8_output_is_kept",
    "completed",
    "UPDATE {schema}.instance SET output_from = 'lost' WHERE instance_id = $id",
  ],
  [
    "invariant_8_instance_can_be_reviewed",
    "joining",
    "INSERT INTO {schema}.inbox (instance_id, attempt, visible_at) VALUES ($id, 3, now() + interval '1 minute')",
  ],
  ["invariant_9_wait_has_a_timer", "asleep", "DELETE FROM {schema}.timer WHERE instance_id = $id"],
  ["invariant_9_deadline_has_a_timer", "overdue", "DELETE FROM {schema}.timer WHERE instance_id = $id"],
  [
    "invariant_9_note_is_looked_at",
    "ready",
    `INSERT INTO {schema}.inbox (instance_id, visible_at) VALUES ($id, ${old})`,
  ],
  ["invariant_9_timer_rings", "asleep", `UPDATE {schema}.timer SET due_at = ${old} WHERE instance_id = $id`],
  ["invariant_9_delayed_step_wakes", "delayed", `UPDATE ${queue} SET ready_at = ${old} WHERE instance_id = $id`],
  ["invariant_9_lease_ends", "leased", `UPDATE ${queue} SET lease_until = ${old} WHERE instance_id = $id`],
  [
    "queue_has_an_instance",
    "nobody",
    queued("a", "forward", "'x'").replace(
      /SELECT[\s\S]*/,
      `
    VALUES ('NOBODY', 'a', 'forward', 'h', 'ready', 50, 0, now(), 0, 1000)`,
    ),
  ],
  ["step_has_an_instance", "nobody", orphan("step", "node, status", "'a', 'completed'")],
  ["inbox_has_an_instance", "nobody", orphan("inbox", "visible_at", "now() - interval '61 seconds'")],
  ["timer_has_an_instance", "nobody", orphan("timer", "node, due_at", "'', now() + interval '1 day'")],
  [
    "dead_letter_has_an_instance",
    "nobody",
    orphan("dead_letter", "node, kind, error, attempt", "'a', 'forward', '{}', 1"),
  ],
  ["vote_has_an_instance", "nobody", orphan("vote", "node, voter, kind", "'a', 'mayor', 'confirm'")],
  ["signal_has_an_instance", "nobody", orphan("signal", "signal_id, name, payload", "'s', 'go', '{}'")],
  ["instance_has_a_definition", "asleep", "DELETE FROM {schema}.definition WHERE name = 'asleep'"],
  [
    "step_is_queued_or_settled",
    "leased",
    `INSERT INTO ${step} (instance_id, node, status, outcome) VALUES ($id, 'a', 'completed', 'happened')`,
  ],
  ["compensation_is_queued_for_a_step", "undoing", `UPDATE ${step} SET status = 'failed' WHERE ${of("b")}`],
  ["compensating_step_is_queued", "undoing", `UPDATE ${step} SET status = 'compensating' WHERE ${of("a")}`],
  ["invariant_4_lease_is_fenced", "leased", unfenced, `UPDATE ${queue} SET token = NULL WHERE instance_id = $id`],
  ["invariant_4_lease_is_fenced", "leased", `UPDATE ${queue} SET worker_id = NULL WHERE instance_id = $id`],
  ["queued_step_is_of_this_epoch", "ready", `UPDATE ${queue} SET epoch = epoch + 1 WHERE instance_id = $id`],
  ["frozen_instance_goes_nowhere", "undoing", queued("z", "forward")],
  ["dead_letter_has_a_paused_step", "unresolved", `UPDATE ${step} SET status = 'rolled_back' WHERE ${of("a")}`],
  ["paused_step_has_a_dead_letter", "ailing", "DELETE FROM {schema}.dead_letter WHERE instance_id = $id"],
  ["held_step_has_a_pause", "held", "DELETE FROM {schema}.pause"],
  [
    "history_default_is_empty",
    "nobody",
    `INSERT INTO {schema}.event (instance_id, type, created_at) VALUES ('NOBODY', 'instance.started', ${old})`,
  ],
  [
    "bulk_goes_on",
    "ready",
    bulk,
    "INSERT INTO {schema}.bulk_item (bulk_id, position, instance_id) VALUES ('B', 1, $id)",
  ],
];

describe("the doctor", () => {
  it("finds nothing in a healthy town, and nothing wrong around it", async () => {
    const statuses = await sql<{ status: string }>(stand.db, "SELECT DISTINCT status FROM {schema}.instance");
    expect(statuses.map(({ status }) => status).sort()).toEqual(
      ["aborted", "cancelled", "cancelling", "completed", "dlq", "failed", "rolling_back", "running"].sort(),
    );
    const report = await runDoctor(stand.db, { environment: surroundings() });
    expect(report.findings).toEqual([]);
    expect(report.checks.filter(({ result }) => result !== "ok")).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ check }) => check)).toEqual([...environmentChecks, ...checks].map(({ name }) => name));
  });

  it.each(damages)(
    "%s finds damage to the instance that is %s, and no other check does",
    async (check, name, ...statements) => {
      const { findings, ok } = await examined(statements, name);
      const found = findings.map((finding) => ({
        check: finding.check,
        count: finding.count,
        ids: finding.instanceIds,
      }));
      expect(found).toEqual([{ check, count: 1, ids: [town[name] ?? "NOBODY"] }]);
      expect(ok).toBe(false);
    },
  );

  it("has a damage for each of its checks", () => {
    const found = new Set(damages.map(([check]) => check));
    expect(checks.map(({ name }) => name).filter((name) => !found.has(name))).toEqual([]);
  });

  it("names the first ids and counts all", async () => {
    const { findings } = await examined([`DELETE FROM ${queue} WHERE lane = 'forward'`], "ready", { limit: 2 });
    const [finding] = findings;
    expect(finding).toMatchObject({ check: "invariant_1_instance_waits_for_something" });
    expect(finding?.instanceIds).toHaveLength(2);
    expect(finding?.count).toBeGreaterThan(2);
  });

  it("allows for what is normally done soon, for as long as it is told", async () => {
    const note = `INSERT INTO {schema}.inbox (instance_id, visible_at) VALUES ($id, now() - interval '10 seconds')`;
    expect((await examined([note], "ready")).findings).toEqual([]);
    expect((await examined([note], "ready", { graceMs: 5_000 })).findings).toHaveLength(1);
  });

  it("does not look at what ended long ago", async () => {
    const statements = [
      `UPDATE ${step} SET status = 'completed' WHERE ${of("a")}`,
      "UPDATE {schema}.instance SET finished_at = now() - interval '2 days' WHERE instance_id = $id",
    ];
    expect((await examined(statements, "failed")).findings).toEqual([]);
    expect((await examined(statements, "failed", { historyMs: 3 * 86_400_000 })).findings).toHaveLength(1);
  });

  it("says of a question that the database refuses that it was not answered", async () => {
    await sql(stand.db, "ALTER TABLE {schema}.vote RENAME TO ballot");
    try {
      const { ok, findings, checks: made } = await runDoctor(stand.db);
      expect({ ok, findings }).toEqual({ ok: false, findings: [] });
      expect(made.filter(({ result }) => result !== "ok")).toMatchObject([
        { check: "vote_has_an_instance", result: "unanswered", error: expect.stringContaining("vote") },
      ]);
    } finally {
      await sql(stand.db, "ALTER TABLE {schema}.ballot RENAME TO vote");
    }
  });

  it.each(["graceMs", "historyMs", "limit"])("refuses a %s that is no count", async (option) => {
    await expect(runDoctor(stand.db, { [option]: -1 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("the doctor's look around", () => {
  const found = async (environment: DoctorOptions["environment"]) => {
    const { findings } = await runDoctor(stand.db, { environment });
    return findings.map(({ check, detail }) => [check, detail]);
  };

  it("finds a clock that is wrong", async () => {
    const [finding] = await found({ listenConnectionString: false, now: () => Date.now() - 60_000 });
    expect(finding?.[0]).toBe("environment_clocks_agree");
    expect(finding?.[1]).toMatch(/(59|60)\d{3} ms ahead/);
  });

  it("finds partitions of history that end soon", async () => {
    const dropAhead = `DO $$ DECLARE p record; BEGIN
      FOR p IN SELECT * FROM {schema}.history_partition WHERE lower > {schema}.id_at(now())
      LOOP EXECUTE format('DROP TABLE %s, %s', p.step_table, p.event_table); END LOOP; END $$`;
    const { findings } = await examined([dropAhead], "ready", { environment: { listenConnectionString: false } });
    expect(findings).toMatchObject([
      { check: "environment_history_is_ahead", detail: expect.stringContaining("the last partition ends at") },
    ]);
  });

  it("finds notifications that do not arrive", async () => {
    const nowhere = "postgres://nobody@127.0.0.1:1/none";
    expect(await found({ listenConnectionString: nowhere, notifyTimeoutMs: 200 })).toEqual([
      ["environment_notifications_arrive", expect.stringContaining("within 200 ms")],
    ]);
  });

  it("finds a schema that newer code has migrated", async () => {
    const { findings } = await examined(
      ["INSERT INTO {schema}.migration (version, name, checksum, breaking) VALUES (999, 'future', 'x', false)"],
      "ready",
      { environment: { listenConnectionString: false } },
    );
    expect(findings).toMatchObject([
      { check: "environment_schema_is_migrated", detail: expect.stringContaining("999 future") },
    ]);
  });
});
