// After a build: every file that a package.json promises is there, and what it exports can be imported by plain Node,
// without the condition that leads to the sources.

import "./lib/node-version.mjs";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./lib/project.mjs";

/** Starts a process when it is imported, so it is looked for but not imported. */
const programs = new Set(["./main"]);
const problems = [];

for (const folder of readdirSync(join(root, "packages"))) {
  const manifestPath = join(root, "packages", folder, "package.json");
  if (!existsSync(manifestPath)) continue;
  const { name, exports = {}, bin = {} } = JSON.parse(readFileSync(manifestPath, "utf8"));
  const promised = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => Object.values(entry))];
  for (const file of promised.filter((path) => !existsSync(join(root, "packages", folder, path)))) {
    problems.push(`${name}: package.json promises ${file}, which the build did not make`);
  }
  // What is not compiled (SQL, programs of plain JavaScript) is found beside the code that reads it, in dist as in src.
  for (const file of readdirSync(join(root, "packages", folder, "src"), { recursive: true, encoding: "utf8" })) {
    if (/\.(sql|mjs)$/.test(file) && !existsSync(join(root, "packages", folder, "dist", file))) {
      problems.push(`${name}: dist/${file} is missing; the copy option of tsdown.config.ts has to name it`);
    }
  }
  for (const [path, { default: file }] of Object.entries(exports)) {
    if (programs.has(path) || !existsSync(join(root, "packages", folder, file))) continue;
    await import(pathToFileURL(join(root, "packages", folder, file)).href).catch((error) => {
      problems.push(`${name}: ${file} cannot be imported: ${error.message}`);
    });
  }
}

for (const problem of problems) process.stdout.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
