import { parseDefinition } from "@floxy/shared";
import { describe, expect, it } from "vitest";
import { complaintsAbout } from "./compile.ts";
import type { Block } from "./markdown.ts";
import { blocksOf, pages } from "./markdown.ts";

const blocks = pages().flatMap(blocksOf);
const of = (language: string): readonly Block[] => blocks.filter((block) => block.language === language);
const block = (text: string, name?: string): Block => ({
  page: "docs/made-up.md",
  line: 10,
  language: "ts",
  name,
  text,
});

describe("TypeScript in the documentation", () => {
  it("compiles", () => {
    expect(of("ts").length).toBeGreaterThan(5);
    expect(complaintsAbout(of("ts"))).toEqual([]);
  });

  it("is rejected with page and line when it does not", () => {
    const wrong = block(`import { defineHandler, defineStep, workflow } from "@floxy/worker-sdk";
const pay = defineStep("pay", defineHandler<{ cents: number }, string>({ name: "pay" }));
workflow<{ cents: number }>({ name: "order", version: 1 }).step(pay, { input: ({ input }) => ({ cents: input.cent }) });
`);
    const right = block(
      `import type { Worker } from "@floxy/worker-sdk";\nexport const age = (w: Worker) => w.health();\n`,
    );
    const complaints = complaintsAbout([wrong, right]);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatch(/^docs\/made-up\.md:12: .*'cent' does not exist/);
  });

  it("is rejected when it imports what does not exist", () => {
    const complaints = complaintsAbout([
      block(`import { WorkerPool } from "@floxy/worker-sdk";\nimport { once } from "./guard.ts";\nonce(WorkerPool);\n`),
    ]);
    expect(complaints).toHaveLength(2);
    expect(complaints[0]).toContain("WorkerPool");
    expect(complaints[1]).toContain("./guard.ts");
  });

  it("can import a block with a name from the same page", () => {
    const guard = block("export const once = (key: string): string => key;\n", "guard.ts");
    expect(complaintsAbout([guard, block(`import { once } from "./guard.ts";\nonce("a");\n`)])).toEqual([]);
    expect(complaintsAbout([guard, block(`import { once } from "./guard.ts";\nonce(1);\n`)])).toHaveLength(1);
  });
});

describe("JSON in the documentation", () => {
  it("is JSON, and what looks like a definition is a valid one", () => {
    const definitions = of("json")
      .map(({ text }) => JSON.parse(text) as unknown)
      .filter((value) => typeof value === "object" && value !== null && "nodes" in value);
    expect(definitions.length).toBeGreaterThan(0);
    for (const definition of definitions) expect(() => parseDefinition(definition)).not.toThrow();
  });
});
