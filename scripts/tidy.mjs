// `npm run check` and `npm test` run this: the house style, as far as a machine can see it (scripts/lib/tidy-rules.mjs).

import "./lib/node-version.mjs";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/project.mjs";
import { findings } from "./lib/tidy-rules.mjs";

const generated = new Set(["node_modules", "dist", "coverage", ".turbo", ".git"]);

/** The files of the repository that are written by hand, as paths relative to the root. */
function* paths(folder = "") {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory() && !generated.has(entry.name)) yield* paths(path);
    else if (entry.isFile() && /\.(ts|tsx|mjs|js|sql|css)$/.test(entry.name)) yield path;
  }
}

const files = [...paths()].map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
const found = findings(files);
for (const { path, line, what, todo } of found) process.stdout.write(`${path}:${line}: ${what}; ${todo}\n`);
process.stdout.write(`${files.length} files, ${found.length} findings\n`);
process.exitCode = found.length === 0 ? 0 : 1;
