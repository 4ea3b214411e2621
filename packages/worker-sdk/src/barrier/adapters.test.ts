import { expect, it } from "vitest";
import { fromKnex, splitParameters } from "./adapters.ts";

it("cuts SQL at its parameters, and not in what is quoted", () => {
  expect(splitParameters("SELECT $1::text, $12")).toEqual(["SELECT ", 1, "::text, ", 12, ""]);
  expect(splitParameters(`SELECT '$1 ''$2''', "a$3""$4" WHERE $2 = $2`)).toEqual([
    `SELECT '$1 ''$2''', "a$3""$4" WHERE `,
    2,
    " = ",
    2,
    "",
  ]);
});

it("gives Knex each value at its place, and its own question marks back", async () => {
  const asked: unknown[] = [];
  const trx = { raw: async (...all: unknown[]) => void asked.push(all) };
  expect(await fromKnex(trx).query("SELECT '{}'::jsonb ? $2, $1, $2, $3", ["a", "b", undefined])).toEqual({ rows: [] });
  expect(asked).toEqual([["SELECT '{}'::jsonb \\? ?, ?, ?, ?", ["b", "a", "b", null]]]);
});
