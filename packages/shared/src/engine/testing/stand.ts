/** A stand for tests of the engine: a database, definitions, and a worker that does what the test says, step by step. */
import type { DefinitionJson, NodeJson } from "../../definition/model.ts";
import { openDatabase } from "../../store/database.ts";
import type { Database } from "../../store/executor.ts";
import type { LeasedStep } from "../../store/queue.ts";
import { claim } from "../../store/queue.ts";
import type { SettleResult } from "../../store/settle.ts";
import { createTestDatabase, sql } from "../../store/testing/database.ts";
import type { GraphCache } from "../graphs.ts";
import { createGraphCache, registerDefinition } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import { noHints } from "../hints.ts";
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
    drop: () => Promise<void>,
  ) {
    this.#drop = drop;
  }

  /** Opens a stand with a database of its own. */
  static async open(serverUrl: string): Promise<Stand> {
    const { url, drop } = await createTestDatabase(serverUrl);
    return new Stand(openDatabase({ connectionString: url }), drop);
  }

  async close(): Promise<void> {
    await this.db.close();
    await this.#drop();
  }

  /** Starts an instance of these nodes; answers its id. */
  async start(nodes: readonly NodeJson[], input: unknown = {}): Promise<string> {
    const definition: DefinitionJson = { format: 1, name: `d${++this.#definitions}`, version: 1, nodes };
    await registerDefinition(this.db, definition);
    const prepared = await prepareStart(this.db, this.graphs, { definitionName: definition.name, input });
    await insertStarts(this.db, [prepared], this.hints);
    return prepared.row.instanceId;
  }

  /** Leases all that is ready, by node. Compensations come as `undo:node`. */
  async lease(leaseMs = 60_000): Promise<Map<string, LeasedStep>> {
    const handlers = ["h", "undo"].map((handler) => ({ handler, slots: 100 }));
    const leased = await claim(this.db, { workerId: "w", handlers, limit: 100, leaseMs });
    return new Map(leased.map((step) => [step.lane === "compensation" ? `undo:${step.node}` : step.node, step]));
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
