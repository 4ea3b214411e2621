import { afterAll, beforeAll, inject, it } from "vitest";
import { writeFileSync } from "node:fs";
import type { NodeJson } from "../../definition/model.ts";
import { claim, extend, wakeDue } from "../../store/queue.ts";
import { ringTimers } from "../../store/inbox.ts";
import { sql } from "../../store/testing/database.ts";
import { runDoctor } from "../doctor.ts";
import { noHints } from "../hints.ts";
import { reviewInbox } from "../review.ts";
import { settleAttempts } from "../settle.ts";
import { takeOverExpired } from "../takeover.ts";
import { fork, Stand, task } from "../testing/stand.ts";
import { discardStep, requeueStep, resolveStep, retryCompensation, skipCompensation } from "./dead-letter.ts";
import { reprioritise, resumeInstance } from "./resume.ts";
import { abortInstance, cancelInstance } from "./stop.ts";

let stand: Stand;
beforeAll(async () => { stand = await Stand.open(inject("databaseUrl")); }, 60000);
afterAll(() => stand.close());
const t = (n: string, o = {}) => task(n, { retry: { maxAttempts: 2, delayMs: 20, jitter: 0 }, compensation: { handler: "undo", retry: { maxAttempts: 2, delayMs: 10 } }, ...o } as any);
const f = (name: string, b: any, o: any = {}) => ({ ...fork(name, b), ...o }) as NodeJson;
const human = (name: string, o = {}) => ({ kind: "human", name, timeoutMs: 300, onTimeout: "confirm", ...o }) as NodeJson;
const signal = (name: string, o = {}) => ({ kind: "signal", name, signal: "go", timeoutMs: 400, ...o }) as NodeJson;
const sleep = (name: string) => ({ kind: "sleep", name, durationMs: 60 }) as NodeJson;
const sp = (name: string, o = {}) => ({ kind: "savepoint", name, ...o }) as NodeJson;
const cond = (name: string, when: string, a: NodeJson[], b: NodeJson[] = []) => ({ kind: "condition", name, when, then: a, else: b }) as NodeJson;

it("stress", async () => {
  const problems: string[] = [];
  const note = (what: string) => (e: unknown) => { const c = (e as any)?.code; if (!["INSTANCE_TERMINAL","DEAD_LETTER_NOT_FOUND","INSTANCE_NOT_FAILED","DECISION_NOT_OPEN","DECISION_CONFLICT","STEP_NOT_FOUND"].includes(c)) problems.push(`${what}: ${c} ${(e as Error).message} ${(e as any).detail ?? ""}`); };
  const shapes: (() => [NodeJson[], any])[] = [
    () => [[t("a"), f("F", { x: [t("x1"), f("G", { p: [t("p")], q: [t("q"), human("h")] }, { join: "any", losers: "compensate" })], y: [t("y1"), t("y2")] }), t("z")], {}],
    () => [[t("a"), sp("s", { retry: { maxAttempts: 2, delayMs: 20, jitter: 0 } }), f("F", { x: [f("G", { p: [t("p"), t("p2")], q: [signal("sig"), t("q")] })], y: [sleep("sl"), t("y")] , w: [t("w")] }, { join: { atLeast: 2 }, losers: "cancel" }), t("z")], {}],
    () => [[t("a"), f("F", { x: [t("x1"), cond("c", "input.n > 1", [t("x2")])], y: [t("y1"), f("G", { p: [t("p")], q: [t("q")] }, { join: "any", losers: "wait" })], w: [signal("sig")] }), t("z")], { onFailure: "dlq" }],
    () => [[f("F", { x: [t("x1"), t("x2")], y: [t("y1"), human("h")] }, { join: "any", losers: "compensate" }), sp("s"), t("b"), cond("c", "input.n > 1", [sp("s2"), t("d")], [t("e")]), t("z")], { onFailure: "dlq" }],
    () => [[t("a"), f("F", { x: [t("x1"), t("x2")], y: [t("y1")] }), t("z")], { compensate: "sequential", deadlineMs: 2500 }],
    () => [[t("a"), f("F", { x: [t("x1"), cond("c", "input.n > 1", [{ kind: "end", name: "no", how: "fail" } as NodeJson])], y: [t("y1"), t("y2")] }), t("z")], { onFailure: "dlq" }],
  ];
  const called = new Map<string, number>(); const undone = new Map<string, number>(); const completed = new Set<string>(); const refusedUndo = new Map<string, number>();
  const skipped = new Set<string>();
  const ids: string[] = []; let over = false; let pick = 777;
  const rnd = () => { pick = (pick * 48271) % 2147483647; return pick / 2147483647; };
  const one = <T,>(l: readonly T[]): T => l[Math.floor(rnd() * l.length)] as T;
  let failing = 0.12;
  const worker = async (workerId: string) => {
    while (!over) try {
      const leased = await claim(stand.db, { workerId, handlers: ["h", "undo"].map((handler) => ({ handler, slots: 6 })), limit: 1 + Math.floor(rnd() * 6), leaseMs: 400 });
      if (leased.length === 0) { await new Promise((r) => setTimeout(r, 15)); continue; }
      const attempts = [];
      for (const s of leased) {
        const key = `${s.instanceId} ${s.node} ${s.run}`; const r = rnd();
        const graph = await stand.graphs.get(stand.db, s.definitionName, s.definitionVersion);
        if (r < 0.05) { attempts.push({ ...s, graph, result: { kind: "released" } as const }); continue; }
        if (s.lane === "forward") called.set(key, (called.get(key) ?? 0) + 1);
        if (r < 0.08) continue; // lost
        if (r < 0.08 + failing) attempts.push({ ...s, graph, result: { kind: "failed", error: { code: "HANDLER_FAILED", message: `${s.lane} ${s.node}` }, retryable: rnd() > 0.3, called: true } as const });
        else attempts.push({ ...s, graph, result: { kind: "completed", output: '{"n":1}' } as const });
      }
      if (rnd() < 0.3) await extend(stand.db, { leases: leased, leaseMs: 400 });
      if (rnd() < 0.5) await new Promise((r) => setTimeout(r, rnd() * 40));
      const res = await settleAttempts(stand.db, { attempts, workerId, random: rnd, hints: noHints() });
      for (const [i, a] of attempts.entries()) if (a.lane === "compensation" && a.result.kind === "completed" && res[i] !== "lost") { const key = `${a.instanceId} ${a.node} ${a.run}`; undone.set(key, (undone.get(key) ?? 0) + 1); }
    } catch (e) { note("worker")(e); }
  };
  const reviewer = async () => { while (!over) { try {
    const n = await reviewInbox(stand.db, stand.graphs, { limit: 20, hints: noHints(), onPostponed: (_, e) => note("postponed")(e) });
    await wakeDue(stand.db, 100); await ringTimers(stand.db, 100);
    await takeOverExpired(stand.db, stand.graphs, { limit: 20, workerId: "o", hints: noHints(), onNotTakenOver: (_, e) => note("takeover")(e) });
    if (n === 0) await new Promise((r) => setTimeout(r, 10)); } catch (e) { note("review")(e); } } };
  let calm = false;
  const operator = async () => { while (!over) { await new Promise((r) => setTimeout(r, 8)); if (ids.length === 0) continue; const instanceId = one(ids);
    const letters = await sql<{ instance_id: string; node: string; kind: string }>(stand.db, "SELECT instance_id, node, kind FROM {schema}.dead_letter");
    const r = rnd();
    try {
      if (letters.length > 0 && (calm || r < 0.6)) { const l = one(letters); const p = { instanceId: l.instance_id, step: l.node };
        if (l.kind === "compensation") { if (rnd() < 0.6) await stand.act(retryCompensation, p); else { await stand.act(skipCompensation, { ...p, reason: "x" } as any); skipped.add(`${p.instanceId} ${p.step}`); } }
        else { const q = rnd(); if (q < 0.5) await stand.act(requeueStep, p); else if (q < 0.7) await stand.act(resolveStep, { ...p, output: true } as any); else await stand.act(discardStep, { ...p, reason: "x" } as any); } }
      else if (calm) continue;
      else if (r < 0.8) await stand.act(cancelInstance, { instanceId });
      else if (r < 0.82) await stand.act(abortInstance, { instanceId });
      else if (r < 0.88) await stand.signal(instanceId, "go", 1);
      else if (r < 0.88) await stand.decide(instanceId, "h", rnd() < 0.7 ? "confirm" : "reject", { by: "p" });
      else if (r < 0.92) await stand.act(reprioritise, { instanceId, priority: 70 });
      else await stand.act(resumeInstance, { instanceId });
    } catch (e) { note("act")(e); } } };
  const all = [worker("w1"), worker("w2"), worker("w3"), reviewer(), reviewer(), operator(), operator()];
  const until = Date.now() + 45000;
  while (Date.now() < until) { if (ids.length < 700) { const [n, o] = one(shapes)(); ids.push(await stand.start(n, { n: Math.floor(rnd() * 4) }, o)); } await new Promise((r) => setTimeout(r, 30)); }
  calm = true; failing = 0.05;
  const drain = Date.now() + 45000; let live = 1;
  while (Date.now() < drain && live > 0) { await new Promise((r) => setTimeout(r, 300)); live = (await sql<{ n: number }>(stand.db, "SELECT count(*)::int AS n FROM {schema}.instance WHERE finished_at IS NULL"))[0]?.n ?? 0; }
  over = true; await Promise.all(all);
  const out: string[] = [];
  const rows = await sql<any>(stand.db, "SELECT instance_id, status, boundary, run, paused_from, definition_name FROM {schema}.instance");
  const counts: Record<string, number> = {}; for (const r of rows) counts[r.status] = (counts[r.status] ?? 0) + 1;
  out.push(JSON.stringify({ counts, live, problems: problems.length, called: called.size, undone: undone.size }));
  for (const [k, n] of undone) if (n > 1) out.push(`undone twice ${k}`);
  for (const r of rows) {
    if (r.finished_at === null) out.push(`live ${JSON.stringify(r)}`);
    if (r.status === "cancelled" || (r.status === "failed" && r.boundary === null)) {
      for (const k of called.keys()) if (k.startsWith(r.instance_id) && !undone.has(k) && !skipped.has(k.split(" ").slice(0, 2).join(" "))) {
        out.push(`NOT UNDONE ${k} in ${JSON.stringify(r)}\n${(await stand.story(r.instance_id)).join("; ")}`);
      }
    }
  }
  const report = await runDoctor(stand.db, { graceMs: 1 });
  out.push(JSON.stringify(report.findings, null, 1), [...new Set(problems)].join("\n"));
  writeFileSync("/tmp/rv_stress.txt", out.join("\n"));
}, 150000);
