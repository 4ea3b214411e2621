/**
 * Mutations: what keeps Floxy's promises, taken out one at a time. `npm run mutate` shows for each which tests catch it; one
 * that nothing catches is a hole in the net.
 */

/** A change of one place in the source, made when the module is loaded and never on disk. */
export interface Mutation {
  readonly name: string;
  /** What is taken out, as a sentence. */
  readonly removes: string;
  /** The end of the module's path. */
  readonly file: string;
  /** Stands exactly once in the module. */
  readonly find: string;
  readonly replace: string;
  /** Where to look for a test that catches it: filters of test files. */
  readonly tests: readonly string[];
}

/** A change of the function that completes steps: of the text of its migration, as it is read. */
const ofComplete = (find: string, replace: string) => ({
  file: "packages/shared/src/store/migration-file.ts",
  find: "text: normal,",
  replace: `text: normal.replaceAll(${JSON.stringify(find)}, ${JSON.stringify(replace)}),`,
});

/** All of them. */
export const mutations: readonly Mutation[] = [
  {
    name: "fence",
    removes: "a result is accepted without the current token",
    file: "packages/shared/src/store/settle.ts",
    find: "AND q.node = l.node AND q.token = l.token",
    replace: "AND q.node = l.node",
    tests: ["packages/shared/src/engine/settle.test.ts", "test/conformance/contract"],
  },
  {
    name: "epoch",
    removes: "a step that was queued before a freeze, or in a branch that has lost, goes on in the graph",
    file: "packages/shared/src/store/settle.ts",
    find: "(l.status = 'running' AND l.epoch = q.epoch) AS live",
    replace: "(l.status IN ('running', 'rolling_back', 'cancelling')) AS live",
    tests: ["packages/shared/src/engine/operate", "test/conformance/contract"],
  },
  {
    name: "adoption",
    removes: "a step that completes after the freeze is dropped instead of being undone",
    file: "packages/shared/src/store/settle.ts",
    find: "CASE WHEN known = 'happened' THEN 'completed' WHEN pauses",
    replace:
      "CASE WHEN known = 'happened' AND NOT live THEN 'skipped' WHEN known = 'happened' THEN 'completed' WHEN pauses",
    tests: ["test/conformance/contract"],
  },
  {
    name: "fence-short",
    removes: "a result is accepted without the current token, the short way",
    ...ofComplete("AND q.token = s.token", ""),
    tests: ["test/conformance/contract/complete.test.ts"],
  },
  {
    name: "epoch-short",
    removes: "a step that was queued before a freeze goes on in the graph, the short way",
    ...ofComplete("(s.running AND q.epoch = s.epoch)", "s.epoch IS NOT NULL"),
    tests: ["test/conformance/contract/complete.test.ts"],
  },
  {
    name: "quiet-fork",
    removes: "the last branch that arrives is not noted while anything else of its instance is queued",
    ...ofComplete("AND q.fork = s.joins", ""),
    tests: ["test/conformance/contract/complete.test.ts"],
  },
  {
    name: "causal-order",
    removes: "a step is undone before what came after it",
    file: "packages/shared/src/core/rollback.ts",
    find: 'if (clearance !== "clear") return clearance;\n  }\n  return "clear";',
    replace: 'if (clearance === "boundary") return clearance;\n  }\n  return "clear";',
    tests: ["packages/shared/src/core/rollback.test.ts", "test/simulation/even-seeds"],
  },
  {
    name: "join-once",
    removes: "a join fires again at each look",
    file: "packages/shared/src/core/join.ts",
    find: 'if (status !== "waiting" || node?.kind !== "fork") continue;',
    replace: 'if ((status !== "waiting" && status !== "completed") || node?.kind !== "fork") continue;',
    tests: ["packages/shared/src/core/join.test.ts", "test/simulation/even-seeds"],
  },
];
