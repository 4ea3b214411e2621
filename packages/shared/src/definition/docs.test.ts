import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nodeKinds } from "./outline.ts";
import { nodeFields } from "./schema-nodes.ts";
import { definitionOf } from "./testing/nodes.ts";
import { parseDefinition } from "./validate.ts";

const docs = readFileSync(new URL("../../../../docs/definition.md", import.meta.url), "utf8");

describe("docs/definition.md", () => {
  const examples = [...docs.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]): unknown => JSON.parse(text ?? ""));

  it("shows a definition that is valid", () => {
    expect(parseDefinition(examples[0])).toMatchObject({ name: "order" });
  });

  it("shows nodes that are valid, each by itself", () => {
    const kinds = examples.slice(1).map((example) => {
      const { nodes } = parseDefinition(definitionOf([example].flat()));
      return nodes[0]?.kind;
    });
    expect(kinds).toEqual(["fork", "savepoint", "human", "sleep", "signal", "savepoint"]);
  });

  it("has a section for each kind of node, with every field of it", () => {
    for (const [kind, fields] of Object.entries(nodeFields)) {
      const section = docs.split(`### ${kind}\n`)[1]?.split("\n## ")[0]?.split("\n### ")[0] ?? "";
      expect([kind, ...fields.filter((field) => !section.includes(`\`${field}\``))]).toEqual([kind]);
    }
    expect(Object.keys(nodeFields)).toEqual([...nodeKinds]);
  });

  it("lists every problem code that the code can report", () => {
    const folders = [new URL("./", import.meta.url), new URL("../vocabulary/", import.meta.url)];
    const sources = folders.flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
        .map((file) => readFileSync(new URL(file, folder), "utf8")),
    );
    const pattern = /code: "([a-z_]+)"|(?:report|fault)\([^"`]*"([a-z_]+)"|\? "([a-z_]+_[a-z]+)" : "([a-z_]+_[a-z]+)"/g;
    const codes = new Set(sources.flatMap((text) => [...text.matchAll(pattern)].flatMap((match) => match.slice(1))));
    codes.delete(undefined as unknown as string);
    expect(codes.size).toBeGreaterThan(35);
    expect([...codes].filter((code) => !docs.includes(`\`${code}\``))).toEqual([]);
  });
});
