// `npm run fix`: formats, sorts imports and applies the safe fixes of the linter.

import "./lib/node-version.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { tool } from "./lib/project.mjs";
import { attach, endLike } from "./lib/run.mjs";

await ensureInstalled();
endLike(await attach(tool("biome"), ["check", "--write", "."]));
