import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { pinnedPnpm, root } from "./project.mjs";
import { capture, endLike, interruptedBy } from "./run.mjs";

const stampFile = join(root, "node_modules", ".floxy-installed");

/**
 * Makes node_modules what pnpm-lock.yaml says, with the pinned pnpm through npx when that is not on the PATH. Costs a
 * few milliseconds when nothing changed since the last time. Ends the process with a sentence when it does not succeed.
 */
export async function ensureInstalled() {
  const wanted = fingerprint();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) return;

  // Gone until the end, so that an install that is cut off is not taken for a finished one.
  rmSync(stampFile, { force: true });
  const startedAt = performance.now();
  process.stdout.write("Installing dependencies (once)…");
  const [command, ...prefix] = await pnpmCommand();
  const { code, output } = await capture(command, [...prefix, "install", "--frozen-lockfile"], {
    // As in CI: no questions, no progress bars.
    env: { CI: "true", ...writableHome() },
  });
  if (interruptedBy() !== null) return endLike({ code: null, signal: interruptedBy() });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  if (code !== 0) {
    process.stdout.write(" failed\n");
    process.stderr.write(`\n${output}\n${advice(output)}\n`);
    process.exit(1);
  }
  writeFileSync(stampFile, wanted);
  process.stdout.write(` ${seconds} s\n`);
}

/** What node_modules depends on: the lockfile, every manifest, and the platform that optional packages are chosen by. */
function fingerprint() {
  const hash = createHash("sha256");
  hash.update(`${process.platform} ${process.arch} ${process.versions.modules}\n`);
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...manifests()]) {
    const path = join(root, file);
    hash.update(`${file}\n`);
    hash.update(existsSync(path) ? readFileSync(path) : "missing");
  }
  return hash.digest("hex");
}

/** The package.json files of the packages that pnpm-workspace.yaml lists, as `folder` or `folder/*`. */
function manifests() {
  const workspace = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  const [, list = ""] = /^packages:\n((?: +- .*\n)+)/m.exec(workspace) ?? [];
  const patterns = [...list.matchAll(/- +["']?([^"'\s]+)/g)].map(([, pattern]) => pattern);
  return patterns
    .flatMap((pattern) => (pattern.endsWith("/*") ? childFolders(pattern.slice(0, -2)) : [pattern]))
    .map((folder) => `${folder}/package.json`)
    .sort();
}

function childFolders(folder) {
  const path = join(root, folder);
  return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name}`) : [];
}

/** The pinned pnpm: the one on the PATH if it is exactly that one, otherwise npx fetches it. */
async function pnpmCommand() {
  const version = pinnedPnpm();
  const onPath = await capture("pnpm", ["--version"], {
    env: { COREPACK_ENABLE_DOWNLOAD_PROMPT: "0", COREPACK_ENABLE_NETWORK: "0" },
  });
  if (onPath.code === 0 && onPath.output.trim() === version) return ["pnpm"];
  return ["npx", "--yes", `pnpm@${version}`];
}

/** npm and pnpm keep their caches under HOME. An account without a usable one (`nobody`) gets one in the temp folder. */
function writableHome() {
  try {
    mkdirSync(homedir(), { recursive: true });
    accessSync(homedir(), constants.W_OK);
    return {};
  } catch {
    const home = join(tmpdir(), `floxy-home-${process.getuid?.() ?? 0}`);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return { HOME: home, npm_config_cache: join(home, ".npm") };
  }
}

function advice(output) {
  if (/ERR_PNPM_OUTDATED_LOCKFILE/.test(output)) {
    return "A package.json changed without the lockfile. Run `npx pnpm install` and commit pnpm-lock.yaml.";
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ERR_PNPM_META_FETCH_FAIL/.test(output)) {
    return "The npm registry could not be reached. Check the network, or `npm config get registry`, and run it again.";
  }
  if (/EACCES|EPERM|EROFS/.test(output)) {
    return `${root} cannot be written by this user. Clone the repository as the user who runs it.`;
  }
  return "The dependencies could not be installed; the lines above are what pnpm said.";
}
