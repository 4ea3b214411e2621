// Who may import whom. `packages` and the layers of packages/shared are listed once, low to high; the rules follow.

const sharedLayers = ["vocabulary", "definition", "core", "store", "memory", "engine"];
const production = "packages/(?!embedded-postgres/)";
const several = "^(test|bench|examples)/";

/** A layer imports nothing that stands above it. */
const layerRules = sharedLayers.slice(0, -1).map((layer, index) => ({
  name: `shared-${layer}-imports-only-lower-layers`,
  comment: `packages/shared/src: ${sharedLayers.join(" < ")}. Move what is needed down, or the importing code up.`,
  severity: "error",
  from: { path: `^packages/shared/src/${layer}(/|\\.ts$)` },
  to: { path: `^packages/shared/src/((${sharedLayers.slice(index + 1).join("|")})(/|\\.ts$)|index\\.ts$)` },
}));

export default {
  forbidden: [
    {
      name: "no-cycles",
      comment: "Files that import each other cannot be understood one at a time. Move the shared part to a third file.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "imports-resolve",
      comment: "An import that leads nowhere: a typing error, or a dependency missing in package.json.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared-dependencies",
      comment: "What ships imports only what its own package.json declares under dependencies.",
      severity: "error",
      from: { path: "^packages/", pathNot: "\\.(test|test-d)\\.ts$|/testing/|/tsdown\\.config\\.ts$" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
    ...layerRules,
    {
      name: "layers-do-not-import-the-index",
      comment: "Inside packages/shared import the file itself; the index is for other packages.",
      severity: "error",
      from: { path: "^packages/shared/src/.+/" },
      to: { path: "^packages/shared/src/index\\.ts$" },
    },
    {
      name: "core-is-pure",
      comment: "packages/shared/src/core decides; it reads no clock, file, socket or database. Hand values in.",
      severity: "error",
      from: { path: "^packages/shared/src/core/", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core", "npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg"] },
    },
    {
      name: "production-packages-import-only-shared",
      comment:
        "worker-sdk, orchestrator, console and cli import @floxy/shared and never each other; shared imports none of them.",
      severity: "error",
      from: { path: `^${production}([^/]+)/` },
      to: { path: "^packages/", pathNot: "^packages/($1|shared)/" },
    },
    {
      name: "embedded-postgres-stands-alone",
      comment: "packages/embedded-postgres imports no other package of ours.",
      severity: "error",
      from: { path: "^packages/embedded-postgres/" },
      to: { path: "^packages/", pathNot: "^packages/embedded-postgres/" },
    },
    {
      name: "only-the-outside-sees-the-outside",
      comment: "What ships imports neither tests, benchmarks nor examples.",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: several },
    },
    {
      name: "packages-are-imported-by-name",
      comment: 'Import another package by its name ("@floxy/shared"), so that only what its index exports is used.',
      severity: "error",
      from: { path: "^(packages/[^/]+|test|examples/[^/]+|bench)/" },
      to: { path: "^(packages|examples)/[^/]+/", pathNot: "^$1/", dependencyTypes: ["local"] },
    },
    {
      name: "tests-are-not-imported",
      comment: "A test file is nobody's dependency. Put what is shared into a file of its own.",
      severity: "error",
      from: {},
      to: { path: "\\.(test|test-d)\\.ts$" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|coverage|\\.turbo)/|\\.must-fail\\.ts$" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@floxy/source", "import", "node", "default", "types"],
      extensions: [".ts", ".mjs", ".js", ".d.ts", ".json"],
    },
  },
};
