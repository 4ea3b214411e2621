/**
 * Completing: the way that nearly every step takes. What `settle` does for any verdict, this does for steps that
 * completed, many of many instances in one call of a function of the database, which is planned once for each connection.
 */
import type { Enqueue } from "../core/model.ts";
import type { Executor, Statement } from "./executor.ts";
import { column, columns, statement, verb } from "./executor.ts";
import { lowestKey } from "./queue.ts";
import { toRow } from "./record.ts";
import type { Settlement, SettleResult } from "./settle.ts";

/** A step that completed. Its verdict is `completed`, and nothing that it leads to has failed. */
export interface Completion extends Settlement {
  /** For each step of its advance, in order: whether this worker would run it at once. */
  readonly take: readonly boolean[];
}

/** The parameters of {@link complete}. */
export interface CompleteParams {
  readonly completions: readonly Completion[];
  readonly workerId: string;
  /** All handlers that the caller has: what it takes must come before all that waits for these, from the key `low` on. */
  readonly handlers: readonly { readonly handler: string; readonly low?: number | undefined }[];
  /** How long the leases of what it takes last, in milliseconds. */
  readonly leaseMs: number;
}

/** A step that was put into the queue leased. */
export interface TakenStep {
  /** Of which completion, and which step of its advance. */
  readonly completion: number;
  readonly place: number;
  /** The fencing token of the lease. */
  readonly token: number;
  readonly priority: number;
  readonly run: number;
  readonly key: number;
}

/** What became of completions. */
export interface CompleteResult {
  /** One for each completion, in order. */
  readonly results: readonly SettleResult[];
  readonly taken: readonly TakenStep[];
  /** Whether an orchestrator has something to look at. */
  readonly noted: boolean;
  /** The handlers of compensations that have become ready by the chains of those before them, each once. */
  readonly ready: readonly string[];
}

/** Whether a settlement can be written by {@link complete}. */
export const isPlain = ({ verdict, advance }: Settlement): boolean =>
  verdict === "completed" && !advance?.records.some(({ error }) => error !== null);

/**
 * Writes completed steps and all that follows from them. Send it only once: when the answer was lost, {@link settle} says
 * what had become of them.
 */
export const complete = verb("complete", async (db: Executor, params: CompleteParams): Promise<CompleteResult> => {
  const { completions, workerId, handlers, leaseMs } = params;
  // In the order of their instances, in which the function locks them.
  const order = completions.map((_, index) => index).sort((a, b) => compare(completions[a], completions[b]));
  const steps = order.map((index) => completions[index] as Completion);
  const records: object[] = [];
  const enqueued: Enqueued[] = [];
  for (const [index, { instanceId, advance, take }] of steps.entries()) {
    if (advance === null) continue;
    for (const record of advance.records) records.push({ parent: index + 1, ...toRow(record) });
    for (const [place, step] of advance.enqueue.entries()) {
      enqueued.push({ parent: index + 1, instanceId, place, step, take: take[place] ?? false });
    }
  }
  const answers = await db.query<Answer>(completeStatement, [
    workerId,
    ...columns(steps, ["instanceId", "node", "token"]),
    `[${steps.map(({ output }) => output ?? "null").join(",")}]`,
    column(steps, ({ advance }) => advance?.review ?? false),
    column(steps, ({ advance }) => advance?.joins),
    column(steps, ({ advance }) => advance?.finished != null),
    column(steps, ({ advance }) => advance?.finished?.outputFrom),
    ...columns(records as Record<string, unknown>[], recordKeys),
    ...columns(enqueued, ["parent", "instanceId", "take"]),
    column(enqueued, ({ step }) => step.node),
    column(enqueued, ({ step }) => step.handler),
    column(enqueued, ({ step }) => step.priority),
    column(enqueued, ({ step }) => step.delayMs),
    column(enqueued, ({ step }) => step.timeoutMs),
    column(enqueued, ({ step }) => step.inputFrom),
    column(enqueued, ({ step }) => step.fork),
    column(handlers, ({ handler }) => handler),
    column(handlers, ({ low }) => low ?? lowestKey),
    leaseMs,
  ]);
  const results = completions.map((): SettleResult => "settled");
  const taken: TakenStep[] = [];
  const ready: string[] = [];
  let noted = false;
  for (const { result, place, ...lease } of answers) {
    const step = enqueued[place - 1];
    if (result === "noted") noted = true;
    else if (isReady(result)) ready.push(result.slice(readyPrefix.length));
    else if (result !== "taken") results[order[place - 1] as number] = result;
    else if (step !== undefined) {
      taken.push({ completion: order[step.parent - 1] as number, place: step.place, ...lease });
    }
  }
  return { results, taken, noted, ready };
});

const recordKeys = ["parent", "node", "status", "side", "inputFrom", "dueInMs", "dueAt"];

interface Enqueued {
  /** Which step it follows, counted from 1, and its place among those that do. */
  readonly parent: number;
  readonly place: number;
  readonly instanceId: string;
  readonly step: Enqueue;
  readonly take: boolean;
}

const compare = (a: Completion | undefined, b: Completion | undefined): number =>
  (a?.instanceId ?? "") < (b?.instanceId ?? "") ? -1 : 1;

/** A handler of which a compensation has become ready. */
type Ready = `${typeof readyPrefix}${string}`;

const readyPrefix = "ready ";

const isReady = (result: Answer["result"]): result is Ready => result.startsWith(readyPrefix);

interface Answer {
  readonly result: SettleResult | "taken" | "noted" | Ready;
  readonly place: number;
  readonly token: number;
  readonly priority: number;
  readonly run: number;
  readonly key: number;
}

const completeStatement: Statement = statement(
  "complete",
  (schema) => `
SELECT * FROM ${schema}.complete(
  $1, $2::text[], $3::text[], $4::bigint[], $5::json, $6::boolean[], $7::text[], $8::boolean[], $9::text[],
  $10::int[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::timestamptz[],
  $17::int[], $18::text[], $19::boolean[], $20::text[], $21::text[], $22::int[], $23::bigint[], $24::bigint[], $25::text[],
  $26::text[], $27::text[], $28::bigint[], $29)`,
);
