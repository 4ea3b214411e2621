// `npm run build`: builds every package into its dist folder.

import "./lib/node-version.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { tool } from "./lib/project.mjs";
import { attach, endLike } from "./lib/run.mjs";

await ensureInstalled();
endLike(await attach(tool("turbo"), ["run", "build", ...process.argv.slice(2)]));
