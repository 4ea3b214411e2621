/** The shape of nodes, kind by kind: their fields and the types of these. Rules about several fields stand elsewhere. */
import { z } from "zod";
import { errorMessageLimit } from "../vocabulary/limit.ts";
import {
  deciderCountLimit,
  deciderLengthLimit,
  descriptionLimit,
  durationLimitMs,
  maxAttemptsLimit,
  priorityLimit,
} from "./limit.ts";

/** A time span in milliseconds, from the least that makes sense. */
export const duration = (least: number) => z.number().min(least).max(durationLimitMs);

/** A name. Names are checked by rules of their own, which say more than a pattern could. */
export const name = z.string();

/** A priority. */
export const priority = z.int().min(0).max(priorityLimit);

/** An object of which only its being plain JSON matters here: metadata, and JSON Schemas. */
export const object = z.record(z.string(), z.json());

/** Text for people. */
export const description = z.string().max(descriptionLimit);

const mapping = z.json();
const expression = z.string();

const retry = z.strictObject({
  maxAttempts: z.int().min(1).max(maxAttemptsLimit).optional(),
  strategy: z.enum(["fixed", "linear", "exponential"]).optional(),
  delayMs: duration(0).optional(),
  maxDelayMs: duration(0).optional(),
  jitter: z.number().min(0).max(1).optional(),
});

const compensation = z.strictObject({
  handler: name,
  input: mapping.optional(),
  retry: retry.optional(),
  timeoutMs: duration(1).optional(),
});

const task = z.strictObject({
  kind: z.literal("task"),
  name,
  handler: name,
  input: mapping.optional(),
  retry: retry.optional(),
  timeoutMs: duration(1).optional(),
  delayMs: duration(0).optional(),
  priority: priority.optional(),
  idempotent: z.boolean().optional(),
  metadata: object.optional(),
  compensation: compensation.optional(),
  compensateOn: z.enum(["started", "completed"]).optional(),
  inputSchema: object.optional(),
});

const savepoint = z.strictObject({ kind: z.literal("savepoint"), name, retry: retry.optional() });

const branch = z.strictObject({
  name,
  get nodes() {
    return sequence;
  },
});

/** How a join can be written. How many branches there are to count is the business of a rule. */
const join = z.union([z.enum(["all", "any"]), z.strictObject({ atLeast: z.int().min(1) })]);

const fork = z.strictObject({
  kind: z.literal("fork"),
  name,
  branches: z.array(branch),
  join: join.optional(),
  losers: z.enum(["cancel", "compensate", "wait"]).optional(),
});

const condition = z.strictObject({
  kind: z.literal("condition"),
  name,
  when: expression,
  get then() {
    return sequence;
  },
  get else() {
    return sequence;
  },
});

const people = z.array(z.string().min(1).max(deciderLengthLimit)).min(1).max(deciderCountLimit);

const human = z.strictObject({
  kind: z.literal("human"),
  name,
  input: mapping.optional(),
  description: description.optional(),
  deciders: people.optional(),
  approvals: z.int().min(1).max(deciderCountLimit).optional(),
  formSchema: object.optional(),
  timeoutMs: duration(1).optional(),
  onTimeout: z.enum(["confirm", "reject", "escalate"]).optional(),
  escalateTo: people.optional(),
  onReject: z.enum(["rollback", "abort", "continue"]).optional(),
  metadata: object.optional(),
});

const sleep = z.strictObject({
  kind: z.literal("sleep"),
  name,
  durationMs: duration(0).optional(),
  until: expression.optional(),
});

const signal = z.strictObject({
  kind: z.literal("signal"),
  name,
  signal: name.optional(),
  timeoutMs: duration(1).optional(),
});

const end = z.strictObject({
  kind: z.literal("end"),
  name,
  how: z.enum(["complete", "fail", "rollbackTo"]),
  message: z.string().min(1).max(errorMessageLimit).optional(),
  savepoint: name.optional(),
});

const nodes = [task, fork, condition, savepoint, human, sleep, signal, end] as const;

/** A list of nodes. */
export const sequence: z.ZodType = z.array(z.lazy(() => z.discriminatedUnion("kind", nodes)));

/** The fields of each kind of node; what documents them is held to it. */
export const nodeFields: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  nodes.map(({ shape }) => [
    shape.kind.value,
    Object.keys(shape).filter((field) => field !== "kind" && field !== "name"),
  ]),
);
