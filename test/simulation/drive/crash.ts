/** Processes that die between two statements, or on the way to or from the database. */
import type { Database, Executor } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";

/** Where a process dies: at which of its calls, and whether before it or after. */
export interface CrashPlan {
  readonly at: number;
  readonly when: "before" | "after";
}

/** A process's way to the database, which can be made to break. */
export interface Line {
  readonly db: Database;
  /** From now on the process dies as planned; without a plan it does not. */
  arm(plan: CrashPlan | undefined): void;
  /** Whether it has died since it was armed. */
  readonly isDead: boolean;
  /** How many calls it has made since it was armed. */
  readonly calls: number;
}

/** What the process sees; nobody else does. */
const cut = (): FloxyError => new FloxyError("DATABASE_UNAVAILABLE", "the process died here");

/** Lays a line. Statements count as calls, those in transactions too, and so does each commit. */
export const layLine = (inner: Database): Line => {
  let plan: CrashPlan | undefined;
  let calls = 0;
  let dead = false;

  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) throw cut();
    const here = plan !== undefined && plan.at === calls;
    calls++;
    if (here && plan?.when === "before") {
      dead = true;
      throw cut();
    }
    const result = await work();
    if (!here) return result;
    dead = true;
    throw cut();
  };

  const wrap = (executor: Executor): Executor => {
    const { perform } = executor;
    return {
      schema: executor.schema,
      query: (statement, values) => call(() => executor.query(statement, values)),
      ...(perform !== undefined && { perform: (verb, params) => call(() => perform(verb, params)) }),
    };
  };

  return {
    db: {
      ...wrap(inner),
      // The commit is a call like any other: dying before it takes everything back.
      transaction: async (work) => {
        const [result, isCut] = await inner.transaction(async (tx) => {
          const done = await work(wrap(tx));
          if (dead) throw cut();
          const here = plan !== undefined && plan.at === calls;
          calls++;
          if (here && plan?.when === "before") {
            dead = true;
            throw cut();
          }
          return [done, here] as const;
        });
        if (!isCut) return result;
        dead = true;
        throw cut();
      },
      close: () => inner.close(),
    },
    arm(next) {
      plan = next;
      calls = 0;
      dead = false;
    },
    get isDead() {
      return dead;
    },
    get calls() {
      return calls;
    },
  };
};
