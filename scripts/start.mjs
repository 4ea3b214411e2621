// `npm start [-- file]`: the order saga of examples/order-saga, on a machine that has nothing but Node.

import "./lib/node-version.mjs";
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { root } from "./lib/project.mjs";
import { attach, endLike } from "./lib/run.mjs";

await ensureInstalled();
const main = join(root, "examples", "order-saga", "src", "main.ts");
endLike(
  await attach(process.execPath, ["--conditions=@floxy/source", "--import", "tsx", main, ...process.argv.slice(2)]),
);
