/** The two stores side by side: whatever is done is done to both, and must answer the same and leave the same behind. */
import type { Database, GraphCache, Hints, LeasedStep, PreparedStart, StartRequest } from "@floxy/shared";
import { createGraphCache, FloxyError, noHints, prepareStart } from "@floxy/shared";
import type { Tables } from "@floxy/shared/memory";
import { createMemoryDatabase, createTables } from "@floxy/shared/memory";
import { expect } from "vitest";
import type { ClockedPostgres } from "./clocked-postgres.ts";
import { normalise, plainValue, rowsInMemory } from "./rows.ts";

/** One of the two stores, with what a worker knows of it. */
export interface Side {
  readonly db: Database;
  readonly graphs: GraphCache;
  /** What was leased, by the name that the test has given the lease; also what is leased no longer. */
  readonly leases: Map<string, LeasedStep>;
  /** Collects the hints of one call. */
  readonly hints: Hints;
}

/** Does the same to both. */
export interface Pair {
  readonly now: number;
  /** What both hold, while they hold the same. */
  readonly tables: Tables;
  /** The names of leases, the oldest first. */
  readonly leases: readonly string[];
  /** Checks and encodes a start, which both then insert with the same id. */
  prepare(request: StartRequest): Promise<PreparedStart>;
  /** Lets time pass. */
  pass(ms: number): void;
  /** Makes a call on both, and compares answers, errors, hints and rows. */
  call(title: string, act: (side: Side) => Promise<unknown>): Promise<void>;
}

/** When time begins. */
const beginning = Date.UTC(2030, 0, 1);

/** Puts an empty store in memory beside PostgreSQL, which is emptied. */
export const createPair = async (postgres: ClockedPostgres): Promise<Pair> => {
  await postgres.clear();
  const tables = createTables();
  const names: string[] = [];
  let now = beginning;
  let calls = 0;
  const sides = [
    { db: createMemoryDatabase({ now: () => now, tables }), rows: async () => rowsInMemory(tables), ...sideState() },
    { db: postgres.db, rows: () => postgres.rows(), ...sideState() },
  ] as const;

  /** Names the leases of an answer, so that the tokens of both stores can be compared. */
  const nameLeases = (side: (typeof sides)[number], answer: unknown): void => {
    for (const leased of leasesOf(answer)) {
      const name = `${calls} ${leased.node}`;
      side.leases.set(name, leased);
      side.tokens.set(leased.token, name);
      if (!names.includes(name)) names.push(name);
    }
  };

  const answerOf = async (side: (typeof sides)[number], act: (side: Side) => Promise<unknown>) => {
    const hints = noHints();
    const answer = await act({ ...side, hints }).catch(errorOf);
    nameLeases(side, answer);
    const nameOf = (token: number): string => side.tokens.get(token) ?? `unknown ${token}`;
    return {
      answer: plainValue("", answer, nameOf),
      hints: plainValue("", hints, nameOf),
      ...(await held(side, nameOf)),
    };
  };

  return {
    tables,
    leases: names,
    get now() {
      return now;
    },
    prepare: (request) => prepareStart(sides[0].db, sides[0].graphs, request),
    pass(ms) {
      now += ms;
      postgres.setNow(now);
    },
    async call(title, act) {
      calls++;
      postgres.setNow(now);
      const inMemory = await answerOf(sides[0], act);
      const inPostgres = await answerOf(sides[1], act);
      expect(inMemory, title).toEqual(inPostgres);
    },
  };
};

const sideState = () => ({
  graphs: createGraphCache(),
  leases: new Map<string, LeasedStep>(),
  tokens: new Map<number, string>(),
});

const held = async (
  side: { readonly rows: () => Promise<Parameters<typeof normalise>[0]> },
  nameOf: (token: number) => string,
) => ({ rows: normalise(await side.rows(), nameOf) });

const leasesOf = (answer: unknown): LeasedStep[] =>
  Array.isArray(answer) ? answer.filter((one) => typeof one === "object" && one !== null && "stepInput" in one) : [];

// Of errors that are not ours only the code is the same: the message is PostgreSQL's.
const errorOf = (error: unknown): unknown => {
  if (error instanceof FloxyError) return { code: error.code, message: error.message, data: error.data };
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code !== "string") throw error;
  return { code };
};
