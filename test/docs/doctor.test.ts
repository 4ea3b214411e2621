import { readFileSync } from "node:fs";
import { checks, environmentChecks } from "@floxy/shared";
import { expect, test } from "vitest";
import { root } from "./markdown.ts";

const path = `${root}docs/doctor.md`;
const all = [...environmentChecks, ...checks];

test("docs/doctor.md lists every check with its meaning; `npm test -- docs/doctor -u` writes the table anew", async () => {
  const page = readFileSync(path, "utf8");
  const rows = all.map(({ name, meaning, advice }) => `| \`${name}\` | ${meaning} | ${advice} |`);
  const table = ["| check | what it finds | what to do |", "|---|---|---|", ...rows].join("\n");
  const place = /(<!-- checks -->\n)[\s\S]*(<!-- \/checks -->)/;
  expect(page).toMatch(place);
  await expect(page.replace(place, (_, start: string, end: string) => `${start}${table}\n${end}`)).toMatchFileSnapshot(
    path,
  );
});

test("every check has a name of its own, and says in sentences what it means and what to do", () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  for (const { name, meaning, advice } of all) {
    expect(name).toMatch(/^[a-z0-9_]{1,50}$/);
    expect(meaning).toMatch(/^\p{Lu}.*\.$/u);
    expect(advice).toMatch(/^\p{Lu}.*\.$/u);
  }
});
