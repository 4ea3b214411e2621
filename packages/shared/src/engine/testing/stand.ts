/** A stand for tests of the engine: a database, definitions, and a worker that does what the test says, step by step. */
import type { DefinitionJson, NodeJson } from "../../definition/model.ts";
import { openDatabase } from "../../store/database.ts";
import type { Database } from "../../store/executor.ts";
import { ringTimers } from "../../store/inbox.ts";
import type { LeasedStep } from "../../store/queue.ts";
import { claim, wakeDue } from "../../store/queue.ts";
import type { SettleResult } from "../../store/settle.ts";
import { createTestDatabase, sql } from "../../store/testing/database.ts";
import type { GraphCache } from "../graphs.ts";
import { createGraphCache, registerDefinition } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import { noHints } from "../hints.ts";
import type { DecideParams } from "../operate/decide.ts";
import { decide } from "../operate/decide.ts";
import type { Operated, OperateParams } from "../operate/operate.ts";
import { sendSignal } from "../operate/signal.ts";
import { abortInstance } from "../operate/stop.ts";
import { reviewInbox } from "../review.ts";
import type { AttemptResult } from "../settle.ts";
import { settleAttempts } from "../settle.ts";
import { insertStarts, prepareStart } from "../start.ts";
import type { InstanceView } from "../view.ts";
import { viewInstance } from "../view.ts";

/** A step of a definition that calls handler `h` and is undone by handler `undo`. */
export const task = (name: string, options: Partial<Extract<NodeJson, { kind: "task" }>> = {}): NodeJson => ({
  kind: "task",
  name,
  handler: "h",
  retry: { maxAttempts: 1 },
  compensation: { handler: "undo" },
  ...options,
});

/** A fork with these branches. */
export const fork = (name: string, branches: Readonly<Record<string, readonly NodeJson[]>>): NodeJson => ({
  kind: "fork",
  name,
  branches: Object.entries(branches).map(([branch, nodes]) => ({ name: branch, nodes })),
});

/** A result in short. */
export const done: AttemptResult = { kind: "completed", output: '"done"' };

/** A result in short. */
export const failed = (message = "broken"): AttemptResult => ({
  kind: "failed",
  error: { code: "HANDLER_FAILED", message },
  retryable: true,
  called: true,
});

/** Drives the engine by hand. */
export class Stand {
  readonly graphs: GraphCache = createGraphCache();
  hints: Hints = noHints();
  #definitions = 0;
  readonly #drop: () => Promise<void>;

  private constructor(
    readonly db: Database,
    /** The database's URL. */
    readonly url: string,
    drop: () => Promise<void>,
  ) {
    this.#drop = drop;
  }

  /** Opens a stand with a database of its own. */
  static async open(serverUrl: string): Promise<Stand> {
    const { url, drop } = await createTestDatabase(serverUrl);
    return new Stand(openDatabase({ connectionString: url }), url, drop);
  }

  async close(): Promise<void> {
    await this.db.close();
    await this.#drop();
  }

  /** Starts an instance of these nodes; answers its id. */
  async start(nodes: readonly NodeJson[], input: unknown = {}, options: Partial<DefinitionJson> = {}): Promise<string> {
    const definition: DefinitionJson = { format: 1, name: `d${++this.#definitions}`, version: 1, ...options, nodes };
    await registerDefinition(this.db, definition);
    const prepared = await prepareStart(this.db, this.graphs, { definitionName: definition.name, input });
    await insertStarts(this.db, [prepared], this.hints);
    return prepared.row.instanceId;
  }

  /** Leases all that is ready, by node. Compensations come as `undo:node`. */
  async lease(leaseMs = 60_000): Promise<Map<string, LeasedStep>> {
    const leased = await this.leaseAll(leaseMs);
    return new Map(leased.map((step) => [step.lane === "compensation" ? `undo:${step.node}` : step.node, step]));
  }

  /** Leases all that is ready. */
  leaseAll(leaseMs = 60_000): Promise<LeasedStep[]> {
    const handlers = ["h", "undo"].map((handler) => ({ handler, slots: 100 }));
    return claim(this.db, { workerId: "w", handlers, limit: 100, leaseMs });
  }

  /** Lets time pass: what is due within it is due now, and is looked at. */
  async pass(ms: number): Promise<void> {
    for (const [table, column] of [
      ["timer", "due_at"],
      ["step", "due_at"],
      ["instance", "deadline_at"],
      ["queue", "ready_at"],
    ]) {
      await sql(this.db, `UPDATE {schema}.${table} SET ${column} = ${column} - $1 * interval '1 ms'`, ms);
    }
    await wakeDue(this.db, 1_000);
    await ringTimers(this.db, 1_000);
    await this.review();
  }

  /** A person votes. */
  decide(
    instanceId: string,
    step: string,
    kind: "confirm" | "reject",
    vote: Pick<DecideParams, "by" | "comment" | "form">,
  ): Promise<Operated> {
    return decide(this.db, this.graphs, { instanceId, step, kind, ...vote, hints: this.hints });
  }

  /** A signal is sent. */
  signal(instanceId: string, name: string, payload: unknown, signalId?: string): Promise<Operated> {
    return sendSignal(this.db, this.graphs, { instanceId, name, payload, signalId, sentBy: "s", hints: this.hints });
  }

  /** An operator's act on an instance. */
  act<P extends OperateParams>(
    perform: (db: Database, graphs: GraphCache, params: P) => Promise<Operated>,
    params: Omit<P, "requestedBy" | "hints"> & Partial<Pick<P, "requestedBy">>,
  ): Promise<Operated> {
    return perform(this.db, this.graphs, { requestedBy: "op", hints: this.hints, ...params } as unknown as P);
  }

  /** An operator ends an instance where it stands. */
  abort(instanceId: string): Promise<Operated> {
    return this.act(abortInstance, { instanceId });
  }

  /** Settles leased steps, all in one statement. */
  async settle(...results: readonly (readonly [LeasedStep | undefined, AttemptResult])[]): Promise<SettleResult[]> {
    const attempts = await Promise.all(
      results.map(async ([leased, result]) => {
        if (leased === undefined) throw new Error("the step was not leased");
        const graph = await this.graphs.get(this.db, leased.definitionName, leased.definitionVersion);
        return { ...leased, graph, result };
      }),
    );
    return settleAttempts(this.db, { attempts, workerId: "w", random: () => 0, hints: this.hints });
  }

  /** Looks at everything in the inbox, as an orchestrator does. */
  async review(): Promise<void> {
    const onPostponed = (_: string, error: unknown): never => {
      throw error;
    };
    while ((await reviewInbox(this.db, this.graphs, { limit: 100, hints: this.hints, onPostponed })) > 0);
  }

  view(instanceId: string): Promise<InstanceView> {
    return viewInstance(this.db, this.graphs, instanceId);
  }

  /** The status of each step that has one worth telling. */
  async statuses(instanceId: string): Promise<Record<string, string>> {
    return Object.fromEntries((await this.view(instanceId)).steps.map(({ step, status }) => [step, status]));
  }

  /** The types of the events of an instance, with their nodes, in order. */
  async story(instanceId: string): Promise<string[]> {
    const text = "SELECT type, node FROM {schema}.event WHERE instance_id = $1 ORDER BY event_id";
    const events = await sql<{ type: string; node: string | null }>(this.db, text, instanceId);
    return events.map(({ type, node }) => (node === null ? type : `${type} ${node}`));
  }
}
