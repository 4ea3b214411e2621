/** Fills a database with what finished long ago: copies of finished instances, row by row as the engine wrote them. */
import pg from "pg";
import { bystander } from "../suite/counters.ts";
import { idAt, single } from "../systems/database.ts";

/** How many instances one statement copies. */
const chunk = 100_000;

/** How many finished instances are copied in turns. */
const templates = 20;

/**
 * Copies instances that have finished until there are so many more of them, with all their rows in all tables. Of the
 * schema it only takes that rows belong to an instance by a column `instance_id`. Vacuums and analyzes the tables at the end.
 */
export const fillHistory = async (url: string, instances: number): Promise<void> => {
  const db = new pg.Client({ connectionString: url, application_name: bystander });
  await db.connect();
  try {
    await db.query(
      `CREATE TEMP TABLE template AS
       SELECT (row_number() OVER (ORDER BY instance_id) - 1)::int AS turn, instance_id FROM floxy.instance
       WHERE finished_at IS NOT NULL ORDER BY instance_id LIMIT ${templates}`,
    );
    const turns = Number(await single<string>(db, "SELECT count(*) AS value FROM template"));
    if (turns === 0) throw new Error("no instance has finished, so there is nothing to copy");
    const tables = await tablesOfInstances(db);
    // A few minutes ago, so that they are in the same partition and yet before all that is measured.
    const begin = Date.now() - 600_000;
    for (let first = 0; first < instances; first += chunk) {
      const last = Math.min(instances, first + chunk) - 1;
      const prefix = idAt(begin + (first / instances) * 60_000);
      for (const table of tables) await db.query(copyOf(table, turns), [first, last, prefix]);
    }
    // As it is with what was written long ago; autovacuum would do it in the middle of what is measured.
    await db.query("VACUUM (ANALYZE)");
  } finally {
    await db.end();
  }
};

interface InstanceTable {
  readonly name: string;
  readonly columns: readonly string[];
}

// Partitions are filled through their parents, and identities are given anew.
const tablesOfInstances = async (db: pg.Client): Promise<readonly InstanceTable[]> => {
  const { rows } = await db.query<InstanceTable>(
    `SELECT c.oid::regclass::text AS name, array_agg(quote_ident(a.attname)::text ORDER BY a.attnum) AS columns
     FROM pg_class c
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attidentity = '' AND a.attgenerated = ''
     WHERE c.relnamespace = 'floxy'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     GROUP BY c.oid HAVING bool_or(a.attname = 'instance_id' AND a.atttypid = 'text'::regtype)`,
  );
  return rows;
};

// The new ids are written in their order, as those of instances that are started one after another.
const copyOf = ({ name, columns }: InstanceTable, turns: number): string => {
  const values = columns.map((column) =>
    column === "instance_id" ? "$3 || lpad(upper(to_hex(n)), 16, '0')" : `source.${column}`,
  );
  return `INSERT INTO ${name} (${columns.join(", ")}) SELECT ${values.join(", ")}
    FROM generate_series($1::int, $2::int) n
    JOIN template ON template.turn = n % ${turns}
    JOIN ${name} source ON source.instance_id = template.instance_id
    ORDER BY n`;
};
