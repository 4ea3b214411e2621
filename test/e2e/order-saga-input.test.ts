/** `npm start -- FILE`: what becomes of files that are not what they should be. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { SagaRun } from "./saga-run.ts";
import { startSaga } from "./saga-run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "floxy-e2e-orders-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const order = (orderId: string, changes = {}): string =>
  JSON.stringify({
    orderId,
    customer: "Ada",
    card: "4242424242424242",
    country: "DE",
    lines: [{ sku: "lamp-arc", quantity: 1, unitCents: 15_900 }],
    ...changes,
  });

const runWith = async (name: string, content: string): Promise<SagaRun> => {
  const path = join(folder, name);
  await writeFile(path, content);
  return startSaga({ DATABASE_URL: inject("databaseUrl") }, [path]);
};

describe("a file of orders", { timeout: 120_000 }, () => {
  it("with bad lines is processed but for those, which are named with their numbers", async () => {
    const lines = [
      `\uFEFF${order("G-1")}\r`,
      "this is not JSON",
      "",
      order("G-2", { card: "4000000000000002" }),
      order("B-5", { lines: [{ sku: "lamp-arc", quantity: "many", unitCents: 1 }] }),
      order("G-1", { customer: "Twin" }),
      "   \r",
      order("B-8", { customer: "x".repeat(5_000_000) }),
      order("B-9", { customer: "\u0000\u001b[2J" }),
      order("G-3"),
      '{"orderId": "B-11", ',
    ];
    const run = await runWith("mixed.jsonl", lines.join("\n"));
    expect(await run.ended).toEqual({ code: 0, signal: null });
    const output = run.output();
    const skipped = [...output.matchAll(/^line (\d+) is skipped: (.*)$/gm)].map(([, line, why]) => [Number(line), why]);
    expect(skipped).toEqual([
      [2, expect.stringMatching(/^not JSON: .*this is not/)],
      [5, expect.stringMatching(/^lines\.0\.quantity: /)],
      [6, "order 'G-1' was given before, in line 1"],
      [8, expect.stringMatching(/^too long: 5\d{6} bytes, and 65536 are the most$/)],
      [9, "customer: must hold only whole, printable characters"],
      [11, expect.stringMatching(/^not JSON: /)],
    ]);
    for (const id of ["G-1", "G-3"]) expect(run.count(new RegExp(`✓ ${id} +completed`))).toBe(1);
    expect(output).toMatch(/✗ G-2 +failed in .* the card was declined/);
    expect(output).toContain("2 completed, 1 failed and undone, 6 lines skipped");
    expect(output).toContain("PROOF HOLDS");
  });

  it.each([
    ["empty", "", "There is no order in "],
    ["blank", "\n \r\n\n", "There is no order in "],
    ["nothing-but-bad", "{}\n", "line 1 is skipped: "],
  ])("that is %s ends the run with 2 and says so", async (name, content, message) => {
    const run = await runWith(`${name}.jsonl`, content);
    expect(await run.ended).toEqual({ code: 2, signal: null });
    expect(run.output()).toContain(message);
    expect(run.output()).toContain("There is no order in ");
  });

  it("that cannot be read ends the run with 2 and says why", async () => {
    const missing = startSaga({}, [join(folder, "missing.jsonl")]);
    expect(await missing.ended).toEqual({ code: 2, signal: null });
    expect(missing.output()).toMatch(/^The orders cannot be read: .*no such file.*missing\.jsonl/);
    const directory = startSaga({}, [folder]);
    expect(await directory.ended).toEqual({ code: 2, signal: null });
    expect(directory.output()).toMatch(/^The orders cannot be read: .*directory/);
  });
});

describe("the command", () => {
  it("explains itself", async () => {
    const run = startSaga({}, ["--help"]);
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.output()).toMatch(/^Usage: npm start/);
  });

  it("says which setting is wrong, and ends with 2", async () => {
    const run = startSaga({ OUTSIDE_CALL_MS: "soon" });
    expect(await run.ended).toEqual({ code: 2, signal: null });
    expect(run.output()).toMatch(/^OUTSIDE_CALL_MS must be a whole number of milliseconds, not 'soon'\./);
  });
});
