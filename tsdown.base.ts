import type { UserConfig } from "tsdown";
import { defineConfig } from "tsdown";

/**
 * What every package's build has in common. `unbundle` keeps one output file per source file, so that code which looks
 * for its neighbours with `new URL("./migrations/", import.meta.url)` finds them in `dist` as it does in `src`.
 */
export function packageBuild(options: UserConfig = {}) {
  return defineConfig({
    entry: ["src/index.ts"],
    unbundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    tsconfig: "../../tsconfig.json",
    dts: true,
    sourcemap: true,
    clean: true,
    fixedExtension: false,
    logLevel: "warn",
    ...options,
  });
}
