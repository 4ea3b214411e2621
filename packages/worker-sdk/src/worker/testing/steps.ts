/** Leased steps and databases that were never near PostgreSQL, for tests of one part of the worker. */
import type { Database, LeasedStep, NodeJson, ResolvedStep, Statement } from "@floxy/shared";
import { buildGraph } from "@floxy/shared";
import type { Logger } from "../../handler/context.ts";
import type { AnyHandlerImplementation } from "../../handler/implementation.ts";
import { Attempt } from "../attempt.ts";

/** A task called `work`, as a definition has it. */
export const task = (more: object = {}): NodeJson => ({ kind: "task", name: "work", handler: "work", ...more });

/** A lease of the step `work`. */
export const leasedStep = (more: Partial<LeasedStep> = {}): LeasedStep => ({
  instanceId: "instance",
  node: "work",
  lane: "forward",
  handler: "work",
  token: 1,
  attempt: 1,
  priority: 50,
  definitionName: "test",
  definitionVersion: 1,
  metadata: {},
  inputFrom: null,
  value: "null",
  input: null,
  stepInput: null,
  run: 0,
  output: null,
  outcome: null,
  cause: null,
  key: 0,
  ...more,
});

/** A leased step with its input. */
export const resolvedStep = (more: Partial<ResolvedStep> & { readonly node?: NodeJson } = {}): ResolvedStep => ({
  leased: leasedStep(),
  graph: buildGraph({ format: 1, name: "test", version: 1, nodes: [more.node ?? task()] }),
  input: { value: null },
  ...more,
});

/** An attempt whose lease lasts a minute. */
export const attemptOf = (
  handler: AnyHandlerImplementation,
  step: ResolvedStep = resolvedStep(),
  options: { readonly logger?: Logger; readonly payloadLimit?: number } = {},
): Attempt => {
  const { logger = createLog().logger, payloadLimit } = options;
  return new Attempt(step, handler, { logger, payloadLimit }, performance.now() + 60_000);
};

/** A line that was logged. */
export interface Line {
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
}

/** A logger that keeps its lines. */
export const createLog = (): { readonly logger: Logger; readonly lines: Line[] } => {
  const lines: Line[] = [];
  const method = (level: keyof Logger) => (first: object | string, message?: string) =>
    void lines.push(
      typeof first === "string"
        ? { level, fields: {}, message: first }
        : { level, fields: first, message: message ?? "" },
    );
  return {
    lines,
    logger: { debug: method("debug"), info: method("info"), warn: method("warn"), error: method("error") },
  };
};

/** Answers a statement, or throws. */
export type Answer = (values: readonly unknown[]) => readonly object[] | Promise<readonly object[]>;

/** A database that answers as it is told, by the name of the statement or `*`, and keeps what it is asked. */
export const fakeDatabase = (answers: Readonly<Record<string, Answer>>) => {
  const asked: { readonly name: string; readonly values: readonly unknown[] }[] = [];
  const query = async <Row extends object>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> => {
    const lists = values.map(listOf);
    asked.push({ name: statement.name, values: lists });
    const answer = answers[statement.name] ?? answers["*"];
    if (answer === undefined) throw new Error(`nobody said what ${statement.name} answers`);
    return [...(await answer(lists))] as Row[];
  };
  const db: Database = { schema: "floxy", query, transaction: (work) => work(db), close: async () => {} };
  return { db, asked };
};

/** A parameter that is an array as PostgreSQL reads it, as a list; any other as it is. */
const listOf = (value: unknown): unknown =>
  typeof value === "string" && /^\{.*\}$/s.test(value)
    ? JSON.parse(`[${value.slice(1, -1).replaceAll("NULL", "null")}]`)
    : value;

/** Lets everything happen that needs no time. */
export const turns = async (count = 5): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
};
