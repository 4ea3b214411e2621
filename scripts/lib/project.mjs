import { readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, with no trailing slash. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The path of a tool that `pnpm install` linked into the root's node_modules. */
export function tool(name) {
  return join(root, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name);
}

/** The version of pnpm that the root's package.json pins. */
export function pinnedPnpm() {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const version = /^pnpm@(\d+\.\d+\.\d+)/.exec(packageManager ?? "")?.[1];
  if (version === undefined) {
    throw new Error(`package.json: packageManager is "${packageManager}"; it has to pin pnpm, like "pnpm@10.34.9".`);
  }
  return version;
}

/** The environment of every tool: the tools on the PATH (turbo looks for pnpm there), and nobody phones home. */
export function toolEnvironment(extra = {}) {
  const path = [join(root, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter);
  return {
    ...process.env,
    // Some tools colour what they print even into a file.
    ...(process.stdout.isTTY || process.env.FORCE_COLOR !== undefined ? {} : { NO_COLOR: "1" }),
    PATH: path,
    DO_NOT_TRACK: "1",
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    NO_UPDATE_NOTIFIER: "1",
    ...extra,
  };
}
