import type { Plugin } from "vite";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { mutating } from "./test/mutations/plugin.ts";

/** Packages see each other's sources, in tests as in the global setup; nothing is built before it is tested. */
const packagesFromSource: Plugin = {
  name: "floxy:packages-from-source",
  configEnvironment: () => ({ resolve: { conditions: ["@floxy/source", ...defaultServerConditions] } }),
};

const plugins = [packagesFromSource, mutating(process.env.FLOXY_MUTATION)];

const common = { restoreMocks: true, unstubEnvs: true, unstubGlobals: true } as const;

export default defineConfig({
  plugins: [packagesFromSource],
  test: {
    // One PostgreSQL server for all test files; each test creates the databases it needs on it. It stands here and not in
    // a project, because a project that inherits it would start it once more.
    globalSetup: ["test/support/global-setup.ts"],
    // Tests share the server and spawn processes of their own, so more workers than this only make them wait.
    maxWorkers: 2,
    projects: [
      {
        plugins,
        test: {
          ...common,
          name: "unit",
          include: [
            "packages/*/src/**/*.test.ts",
            "examples/*/src/**/*.test.ts",
            "bench/**/*.test.ts",
            "scripts/**/*.test.mjs",
          ],
          testTimeout: 10_000,
          hookTimeout: 30_000,
        },
      },
      {
        plugins,
        test: {
          ...common,
          name: "system",
          include: ["test/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "types",
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            // What they import is compiled by the check of types.
            ignoreSourceErrors: true,
            include: ["packages/*/src/**/*.test-d.ts", "test/**/*.test-d.ts"],
            tsconfig: "tsconfig.typetest.json",
          },
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["packages/shared/src/core/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-d.ts", "**/testing/**"],
      reporter: ["text", "html"],
      // The core decides what happens to other people's money; it has no line that no test runs.
      thresholds: { statements: 100, branches: 100, functions: 100, lines: 100 },
    },
  },
});
