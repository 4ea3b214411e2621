/**
 * How the store talks to PostgreSQL: verbs take an executor, which is a pool, one transaction, or the caller's own
 * client. Nothing here imports the driver.
 */

/** A statement of the store: SQL text that is made once for each schema name. */
export interface Statement {
  /** Short and unique; names the prepared statement where those are used. */
  readonly name: string;
  /** The text for a schema, given as a quoted identifier. */
  text(schema: string): string;
}

/** Makes a statement. The text is built once for each schema and kept. */
export const statement = (name: string, build: (schema: string) => string): Statement => {
  const texts = new Map<string, string>();
  return {
    name,
    text(schema) {
      let text = texts.get(schema);
      if (text === undefined) {
        text = build(schema);
        texts.set(schema, text);
      }
      return text;
    },
  };
};

/** Runs statements: on a pool, inside one transaction, or on a client that the caller brought. */
export interface Executor {
  /** The schema that the tables are in, as a quoted identifier. */
  readonly schema: string;
  /** Runs one statement and gives its rows. */
  query<Row extends object>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
  /** Carries out a verb in place of its SQL: what an executor has that is not on PostgreSQL. See `memory/`. */
  readonly perform?: ((verb: string, params: readonly unknown[]) => Promise<unknown>) | undefined;
}

/** A verb of the store. It is known by its name and its parameters, so that another store can carry it out. */
export interface Verb<Name extends string, Params extends readonly unknown[], Result> {
  (db: Executor, ...params: Params): Promise<Result>;
  readonly verb: Name;
}

/** Makes a verb; `run` is how PostgreSQL does it. That a twin answers of the same type is seen to by `memory/verbs.ts`. */
export const verb = <Name extends string, Params extends readonly unknown[], Result>(
  name: Name,
  run: (db: Executor, ...params: Params) => Promise<Result>,
): Verb<Name, Params, Result> =>
  Object.assign(
    (db: Executor, ...params: Params) =>
      db.perform === undefined ? run(db, ...params) : (db.perform(name, params) as Promise<Result>),
    { verb: name },
  );

/** A database with connections of its own. */
export interface Database extends Executor {
  /** Runs `work` in one transaction; rolls back if it throws. Keep it short, and free of user code. */
  transaction<T>(work: (tx: Executor) => Promise<T>): Promise<T>;
  /** Ends all connections once they are idle. */
  close(): Promise<void>;
}

/** Turns rows into one array a column, in the order of `keys`: the shape that `unnest` takes. */
export const columns = <Row extends object>(rows: readonly Row[], keys: readonly (keyof Row)[]): string[] =>
  keys.map((key) => arrayText(rows.map((row) => row[key])));

/** One column of rows, made of each by `pick`. */
export const column = <Row>(rows: readonly Row[], pick: (row: Row) => unknown): string => arrayText(rows.map(pick));

/**
 * A list as PostgreSQL reads arrays. The driver can do this too, for lists of anything; with some twenty columns for each
 * step that is most of what a worker does, so here it is done for what our columns hold, several times as fast.
 */
const arrayText = (values: readonly unknown[]): string => {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ",";
    text += elementText(values[index]);
  }
  return `${text}}`;
};

const elementText = (value: unknown): string => {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "string")
    return special.test(value) ? `"${value.replaceAll(eachSpecial, "\\$&")}"` : `"${value}"`;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof Date) return `"${value.toISOString()}"`;
  throw new TypeError(`a column cannot hold a value of type ${typeof value}`);
};

const special = /["\\]/;
const eachSpecial = /["\\]/g;

/** Quotes an identifier for SQL. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The name that a quoted identifier stands for. */
export const unquoteIdentifier = (identifier: string): string => identifier.slice(1, -1).replaceAll('""', '"');
