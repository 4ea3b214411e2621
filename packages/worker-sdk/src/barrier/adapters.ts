/**
 * Transactions of other libraries as `barrier` takes them, and `start` of the client. A client of `pg` fits as it is.
 * None of these libraries is imported; each adapter knows of its library only the documented way to send SQL with
 * parameters.
 */
import type { ForeignClient } from "@floxy/shared";

/** A transaction of Drizzle, as far as it is used. */
export interface DrizzleTransaction<Query> {
  execute(query: Query): PromiseLike<unknown>;
}

/** Drizzle's `sql`, as far as it is used. */
export interface DrizzleSql<Query> {
  raw(text: string): Query;
  param(value: unknown): unknown;
  join(parts: never[]): Query;
}

/** A transaction of Drizzle on PostgreSQL: `barrier(fromDrizzle(tx, sql), …)` with the `sql` of `drizzle-orm`. */
export const fromDrizzle = <Query>(tx: DrizzleTransaction<Query>, sql: DrizzleSql<Query>): ForeignClient => ({
  async query(text, values = []) {
    const parts = splitParameters(text).map((part) =>
      typeof part === "string" ? sql.raw(part) : sql.param(values[part - 1]),
    );
    return { rows: rowsOf(await tx.execute(sql.join(parts as never[]))) };
  },
});

/** A transaction of Kysely, as far as it is used. */
export interface KyselyTransaction<Query> {
  executeQuery(query: Query): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Kysely's `CompiledQuery`, as far as it is used. */
export interface KyselyCompiledQuery<Query> {
  raw(text: string, parameters: unknown[]): Query;
}

/** A transaction of Kysely: `barrier(fromKysely(trx, CompiledQuery), …)` with the `CompiledQuery` of `kysely`. */
export const fromKysely = <Query>(
  trx: KyselyTransaction<Query>,
  compiled: KyselyCompiledQuery<Query>,
): ForeignClient => ({
  async query(text, values = []) {
    const { rows } = await trx.executeQuery(compiled.raw(text, values));
    return { rows: [...rows] };
  },
});

/** A transaction of Knex, as far as it is used. */
export interface KnexTransaction {
  raw(text: string, bindings: never): PromiseLike<unknown>;
}

/** A transaction of Knex with its client `pg`: `barrier(fromKnex(trx), …)`. */
export const fromKnex = (trx: KnexTransaction): ForeignClient => ({
  async query(text, values = []) {
    const parts = splitParameters(text);
    const bindings = parts.flatMap((part) => (typeof part === "string" ? [] : [values[part - 1] ?? null]));
    // A question mark that stands for no value has a backslash before it.
    const sql = parts.map((part) => (typeof part === "string" ? part.replaceAll("?", "\\?") : "?")).join("");
    return { rows: rowsOf(await trx.raw(sql, bindings as never)) };
  },
});

/** An interactive transaction of Prisma, as far as it is used. */
export interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
}

/** An interactive transaction of Prisma, the `tx` of `prisma.$transaction(async (tx) => …)`: `barrier(fromPrisma(tx), …)`. */
export const fromPrisma = (tx: PrismaTransaction): ForeignClient => ({
  async query(text, values = []) {
    return { rows: rowsOf(await tx.$queryRawUnsafe(text, ...values)) };
  },
});

/**
 * SQL cut at its parameters: `$3` becomes 3, the rest stays text. What stands in quotes is text, whatever it looks like.
 */
export const splitParameters = (text: string): readonly (string | number)[] => {
  const parts: (string | number)[] = [];
  let from = 0;
  for (const { index, 0: found, 1: number } of text.matchAll(/"[^"]*"|'[^']*'|\$(\d+)/g)) {
    if (number === undefined) continue;
    parts.push(text.slice(from, index), Number(number));
    from = index + found.length;
  }
  parts.push(text.slice(from));
  return parts;
};

// Drivers answer with the rows, or with an object that has them.
const rowsOf = (answer: unknown): unknown[] => {
  if (Array.isArray(answer)) return answer;
  const { rows } = (answer ?? {}) as { readonly rows?: unknown };
  return Array.isArray(rows) ? rows : [];
};
