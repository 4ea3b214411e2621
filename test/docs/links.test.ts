import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import type { Page } from "./markdown.ts";
import { pages, root } from "./markdown.ts";

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .trim()
    .replaceAll(/\s/g, "-");

const anchorsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));

/** The links of a page that lead nowhere. Those to other sites are not looked at. */
const brokenLinks = ({ path, text }: Page): readonly string[] =>
  [...text.matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([, file = "", anchor]) => {
    const target = file === "" ? path : posix.join(posix.dirname(path), file);
    if (!existsSync(root + target)) return [`${path}: ${target} does not exist`];
    if (anchor === undefined) return [];
    const linked = target === path ? text : readFileSync(root + target, "utf8");
    if (anchorsOf(linked).includes(anchor)) return [];
    return [`${path}: ${target} has no heading #${anchor}`];
  });

test("every link between pages leads to a file, and its anchor to a heading", () => {
  expect(pages().flatMap(brokenLinks)).toEqual([]);
});

test("a link that leads nowhere is found", () => {
  const text = "[a](nowhere.md) [b](#there-is-none) [c](#a-heading) [d](https://example.com/x.md)\n\n## A heading\n";
  expect(brokenLinks({ path: "docs/errors.md", text })).toEqual([
    "docs/errors.md: docs/nowhere.md does not exist",
    "docs/errors.md: docs/errors.md has no heading #there-is-none",
  ]);
});
