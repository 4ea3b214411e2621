/** The migrations as files: found, read, checked and filled in. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { FloxyError } from "../vocabulary/error.ts";
import {
  instanceStatuses,
  lanes,
  outcomes,
  queueStates,
  stepStatuses,
  terminalStatuses,
} from "../vocabulary/status.ts";

/** One migration, read from its file `NNNN-name.sql`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** The file's name, for messages. */
  readonly file: string;
  /** Whether code of before cannot work with the schema of after: the file starts with `--! breaking`. */
  readonly breaking: boolean;
  /** SHA-256 of the file's text, whatever its line ends. Not of what is sent, so that a schema's name does not matter. */
  readonly checksum: string;
  /** The text with its placeholders. */
  readonly text: string;
}

/** Reads all migrations, in order. Throws `MIGRATION_FAILED` for a file that is named wrong, missing or double. */
export const readMigrations = async (directory = new URL("./migrations/", import.meta.url)): Promise<Migration[]> => {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".sql")).sort();
  const migrations = await Promise.all(
    files.map(async (file) => migrationOf(file, await readFile(new URL(file, directory), "utf8"))),
  );
  for (const [index, { version, file }] of migrations.entries()) {
    if (version !== index + 1) throw invalid(file, `its number should be ${index + 1}; there is a gap or a double one`);
  }
  return migrations;
};

/** A migration's SQL for a schema, which is given as a quoted identifier. */
export const migrationSql = (migration: Migration, schema: string): string =>
  migration.text.replace(/\{\{(\w*)\}\}/g, (placeholder, name: string) => {
    const filled = name === "schema" ? schema : lists.get(name);
    if (filled === undefined) throw invalid(migration.file, `${placeholder} is not known`);
    return filled;
  });

const migrationOf = (file: string, text: string): Migration => {
  const [, number, name] = /^(\d{4})-([a-z0-9-]+)\.sql$/.exec(file) ?? [];
  if (number === undefined || name === undefined) throw invalid(file, "name it like 0002-what-it-does.sql");
  const normal = text.replaceAll("\r\n", "\n");
  return {
    version: Number(number),
    name,
    file,
    breaking: /^(--.*\n)*--! breaking$/m.exec(normal)?.index === 0,
    checksum: createHash("sha256").update(normal).digest("hex"),
    text: normal,
  };
};

const invalid = (file: string, why: string): FloxyError =>
  new FloxyError("MIGRATION_FAILED", `the migration ${file}: ${why}`, { data: { file } });

// The CHECKs of the tables are made of the vocabulary, so there is one table of statuses.
const asList = (values: readonly string[]): string => values.map((value) => `'${value}'`).join(", ");
const lists = new Map([
  ["instance_statuses", asList(instanceStatuses)],
  ["terminal_statuses", asList(terminalStatuses)],
  ["step_statuses", asList(stepStatuses)],
  ["outcomes", asList(outcomes)],
  ["lanes", asList(lanes)],
  ["queue_states", asList(queueStates)],
]);
