/** The pages of the documentation, and what stands in them between fences. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's root, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A page. */
export interface Page {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** What stands between two fences. */
export interface Block {
  readonly page: string;
  /** The line of the page on which its first line stands, from 1. */
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: the name under which other blocks of the page can import it. */
  readonly name: string | undefined;
  readonly text: string;
}

/** The pages of the root, of `docs`, and the README of each package. */
export const pages = (): readonly Page[] => {
  const markdown = (folder: string): string[] =>
    readdirSync(root + folder)
      .filter((file) => file.endsWith(".md"))
      .map((file) => folder + file);
  const packages = readdirSync(`${root}packages`).flatMap((name) => markdown(`packages/${name}/`));
  return [...markdown(""), ...markdown("docs/"), ...packages].map((path) => ({
    path,
    text: readFileSync(root + path, "utf8"),
  }));
};

/** The fenced blocks of a page. */
export const blocksOf = ({ path, text }: Page): readonly Block[] =>
  [...text.matchAll(/^```(\w+)(?: +(\S+))?\n([\s\S]*?)^```$/gm)].map(
    ({ index, 1: language = "", 2: name, 3: body = "" }) => ({
      page: path,
      line: text.slice(0, index).split("\n").length + 1,
      language,
      name,
      text: body,
    }),
  );
