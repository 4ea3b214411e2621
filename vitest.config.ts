import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Packages see each other's sources; nothing is built before it is tested.
const conditions = ["@floxy/source", ...defaultServerConditions];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // One PostgreSQL server for all test files; each test creates the databases it needs on it.
    globalSetup: ["test/support/global-setup.ts"],
    pool: "forks",
    // Tests share the server and spawn processes of their own, so more workers than this only make them wait.
    maxWorkers: 2,
    restoreMocks: true,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "examples/*/src/**/*.test.ts", "scripts/**/*.test.mjs"],
          testTimeout: 10_000,
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "types",
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ["packages/*/src/**/*.test-d.ts", "test/**/*.test-d.ts"],
            tsconfig: "tsconfig.typetest.json",
          },
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["packages/shared/src/core/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-d.ts"],
      reporter: ["text", "html"],
      // The core decides what happens to other people's money; it has no line that no test runs.
      thresholds: { statements: 100, branches: 100, functions: 100, lines: 100 },
    },
  },
});
