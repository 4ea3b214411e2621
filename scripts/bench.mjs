// `npm run bench -- <name> [arguments]`: runs bench/<name>.ts and shows what it measures.

import "./lib/node-version.mjs";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { root } from "./lib/project.mjs";
import { attach, endLike } from "./lib/run.mjs";

const [name, ...args] = process.argv.slice(2);
const file = name && join(root, "bench", `${name}.ts`);
if (!file || name === "--help" || !existsSync(file)) {
  const wrong = file && name !== "--help";
  const usage = "npm run bench -- <name> [arguments]\n\nbench/README.md says what there is.\n";
  (wrong ? process.stderr : process.stdout).write(wrong ? `there is no bench/${name}.ts\n\n${usage}` : usage);
  process.exit(wrong ? 2 : 0);
}
await ensureInstalled();
endLike(await attach(process.execPath, ["--conditions=@floxy/source", "--import", "tsx", file, ...args]));
