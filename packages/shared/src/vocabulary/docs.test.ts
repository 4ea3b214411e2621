/** The pages of docs/ that list what the vocabulary holds: nothing is missing there, and nothing stands there too much. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "./error.ts";
import { errorCodes, FloxyError } from "./error.ts";
import { eventTypes } from "./event.ts";
import { instanceTransitions, stepTransitions, terminalStatuses } from "./status.ts";

const pathOf = (page: string): URL => new URL(`../../../../docs/${page}`, import.meta.url);
const read = (page: string): string => readFileSync(pathOf(page), "utf8");

/** The sections of a page at one level: what stands under each heading, by the heading. */
const sectionsOf = (text: string, level: string): Map<string, string> => {
  const parts = text.split(new RegExp(`^${level} (.+)$`, "m"));
  const sections = new Map<string, string>();
  // A section ends where the next one begins, or one of a higher level.
  const before = (end: RegExp, part = ""): string => part.split(end)[0] ?? "";
  for (let index = 1; index < parts.length; index += 2) {
    sections.set(parts[index] ?? "", before(/^##? /m, parts[index + 1]));
  }
  return sections;
};

describe("docs/errors.md", () => {
  const sections = sectionsOf(read("errors.md"), "##");

  it("has a section for each code, in the order of the table, and no other", () => {
    expect([...sections.keys()]).toEqual(Object.keys(errorCodes));
  });

  it.each(Object.entries(errorCodes))("says kind and status of %s, and then what it is", (code, { kind, http }) => {
    const [facts, ...text] = (sections.get(code) ?? "").trim().split("\n");
    expect(facts).toBe(`\`${kind}\`, HTTP ${http}`);
    expect(text.join("").length).toBeGreaterThan(40);
  });

  it("has the anchor that each error names", () => {
    // As GitHub makes anchors of headings without punctuation: in lower case.
    const anchors = [...sections.keys()].map((heading) => `docs/errors.md#${heading.toLowerCase()}`);
    const named = (Object.keys(errorCodes) as ErrorCode[]).map((code) => new FloxyError(code, "wrong").docs);
    expect(anchors).toEqual(named);
  });
});

describe("docs/events.md", () => {
  const sections = sectionsOf(read("events.md"), "###");

  it("has a section for each event, in the order of the table, and no other", () => {
    expect([...sections.keys()]).toEqual(eventTypes);
  });

  it.each(eventTypes)("says when there is %s", (type) => {
    expect(sections.get(type)?.trim()).toMatch(/^\p{Lu}.*\.$/su);
  });
});

describe("docs/lifecycle.md", () => {
  it("shows the transitions of the tables; `npm test -- vocabulary/docs -u` writes them anew", async () => {
    const page = read("lifecycle.md");
    const instance = diagramOf(instanceTransitions, terminalStatuses);
    const wanted = withDiagram(withDiagram(page, "instance", instance), "step", diagramOf(stepTransitions, []));
    await expect(wanted).toMatchFileSnapshot(fileURLToPath(pathOf("lifecycle.md")));
  });

  it("explains every status", () => {
    const { instances, steps } = tablesOf(read("lifecycle.md"));
    expect(instances.toSorted()).toEqual(Object.keys(instanceTransitions).toSorted());
    expect(steps.toSorted()).toEqual(Object.keys(stepTransitions).toSorted());
  });
});

/** A state diagram in Mermaid. */
const diagramOf = (
  transitions: Readonly<Record<string, readonly string[]>>,
  ends: readonly string[],
): readonly string[] => [
  "stateDiagram-v2",
  ...Object.entries(transitions).flatMap(([from, to]) => to.map((next) => `  ${from} --> ${next}`)),
  ...ends.map((end) => `  ${end} --> [*]`),
];

const withDiagram = (page: string, name: string, diagram: readonly string[]): string => {
  const block = new RegExp(`(<!-- ${name} -->\n\`\`\`mermaid\n)[^\`]*(\`\`\`)`);
  if (!block.test(page)) throw new Error(`docs/lifecycle.md has no diagram after <!-- ${name} -->`);
  return page.replace(block, (_, start: string, end: string) => `${start}${diagram.join("\n")}\n${end}`);
};

/** The statuses in the first column of the two tables. */
const tablesOf = (page: string): { readonly instances: string[]; readonly steps: string[] } => {
  const [, instances = "", steps = ""] = page.split(/^## (?:Instances|Steps)$/m);
  const statuses = (part: string) =>
    [...part.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => `${name}`),
    );
  return { instances: statuses(instances), steps: statuses(steps) };
};
