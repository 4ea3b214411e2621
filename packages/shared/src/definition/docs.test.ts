import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseDefinition } from "./validate.ts";

const docs = readFileSync(new URL("../../../../docs/definition.md", import.meta.url), "utf8");

describe("docs/definition.md", () => {
  it("shows a definition that is valid", () => {
    const [example] = [...docs.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => text);
    expect(parseDefinition(JSON.parse(example ?? ""))).toMatchObject({ name: "order" });
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
