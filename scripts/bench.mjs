// `npm run bench -- [options]`: measures Floxy beside its peers. `npm run bench -- <name> [arguments]` runs bench/<name>.ts.

import "./lib/node-version.mjs";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { root } from "./lib/project.mjs";
import { attach, endLike } from "./lib/run.mjs";

const given = process.argv.slice(2);
// What does not begin with a dash is the name of a measurement that stands alone.
const alone = given[0] !== undefined && !given[0].startsWith("-");
const [name, ...args] = alone ? given : ["main", ...given];
const file = join(root, "bench", `${name}.ts`);
if (!existsSync(file)) {
  process.stderr.write(`there is no bench/${name}.ts; npm run bench -- --help says what there is\n`);
  process.exit(2);
}
await ensureInstalled();
endLike(await attach(process.execPath, ["--conditions=@floxy/source", "--import", "tsx", file, ...args]));
