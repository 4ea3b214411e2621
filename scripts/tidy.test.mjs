import { describe, expect, it } from "vitest";
import { findings } from "./lib/tidy-rules.mjs";

const report = (path, text) => findings([{ path, text }]).map(({ line, what }) => `${line}: ${what}`);

/** Written in pieces, so that this file keeps the rules that it tests. */
const join = (...parts) => parts.join("");

describe("tidy", () => {
  it.each([
    ["packages/shared/src/engine/leaseSweep.ts", "export {};\n", '1: "leaseSweep.ts" is not kebab-case'],
    ["packages/shared/src/store/a.sql", "select 1;\n".repeat(401), "401: 401 lines; 400 is the most"],
    ["test/a.test.ts", join("x\nit.", "only('a')\n"), "2: a test that is switched off, or switches the others off"],
    [
      "test/a.test.ts",
      join("describe.concurrent", ".skip('a')\n"),
      "1: a test that is switched off, or switches the others off",
    ],
    ["test/a.ts", join("// TO", "DO: later\n"), "1: a note to do something later"],
    ["test/a.ts", join("// @ts-", "ignore\n"), "1: a silenced compiler"],
    ["test/a.ts", join("const a = b as ", "any;\n"), "1: the type any"],
    ["test/a.ts", join("function a(b: ", "any, c: string)\n"), "1: the type any"],
    ["test/a.ts", join("let a: Record<string, ", "any>;\n"), "1: the type any"],
    ["test/a.ts", join("const isCancel", "ed = 1;\n"), "1: cancelled spelt with one l"],
    ["packages/shared/src/core/a.ts", join("Date.", "now();\n"), "1: a clock, chance or the environment in pure code"],
    ["packages/shared/src/definition/a.ts", "new Date();\n", "1: a clock, chance or the environment in pure code"],
    ["test/a.test.ts", join("await new Promise((r) => set", "Timeout(r, 9));\n"), "1: a sleep in a test"],
  ])("reports %s", (path, text, expected) => {
    expect(report(path, text)).toEqual([expected]);
  });

  it.each([
    ["packages/shared/src/store/lease-sweep.ts", "export {};\n".repeat(400)],
    ["test/a.ts", "// a sidecar: any number of copies\n// select.for update skip locked\n"],
    ["test/a.ts", "const a = { cancelled: true, company: anyone };\n"],
    ["packages/shared/src/core/a.ts", "const at = new Date(input.now);\n// never Date.now()\n"],
    ["packages/shared/src/engine/a.ts", "Date.now();\n"],
    ["test/a.test.ts", join("vi.useFakeTimers();\nset", "Timeout(f, 5);\n")],
    ["test/support/eventually.ts", join("set", "Timeout(f, 5);\n")],
  ])("is content with %s", (path, text) => {
    expect(report(path, text)).toEqual([]);
  });

  it("allows each library in one file only, apart from types and tests", () => {
    const found = findings([
      { path: "packages/shared/src/store/pool.ts", text: 'import { Pool } from "pg";\n' },
      { path: "packages/shared/src/store/types.ts", text: 'import type { Pool } from "pg";\n' },
      { path: "packages/shared/src/store/pool.test.ts", text: 'import { Pool } from "pg";\n' },
      { path: "packages/embedded-postgres/src/server.ts", text: 'import { Client } from "pg";\n' },
      { path: "packages/worker-sdk/src/other.ts", text: '// two\nimport {\n  Client,\n} from "pg";\n' },
    ]);
    expect(found).toEqual([
      expect.objectContaining({
        path: "packages/worker-sdk/src/other.ts",
        line: 2,
        what: expect.stringContaining("pool.ts"),
      }),
    ]);
  });
});
