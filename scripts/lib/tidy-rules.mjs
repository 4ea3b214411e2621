// Style as a test. A rule looks at one file, or at all of them, and says where it is broken and what to do about it.
// There are no exception lists: a rule that needs one is the wrong rule.

const source = /\.(ts|tsx|mjs|js|sql|css)$/;
const code = /\.(ts|tsx|mjs|js)$/;
const testFile = /\.test\.(ts|tsx|mjs)$/;
const pure = /^packages\/shared\/src\/(core|definition)\/(?!.*\.test\.ts$)/;

const maxLines = 400;
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;

/** Libraries that could be replaced one day, so each is known to one file. Types of theirs may go further. */
const behindOneFile = ["pg", "pg-listen", "ulid", "p-limit", "prom-client", "@marcbachmann/cel-js"];

/** What no line may contain. `where` chooses files by path; comments count only where `comments` is true. */
const lineRules = [
  {
    where: testFile,
    pattern: /\b(it|test|describe|suite|context|ctx)(\.\w+)*\.(only|skip|todo)\b/,
    what: "a test that is switched off, or switches the others off",
    todo: "make it pass or delete it",
  },
  {
    where: source,
    comments: true,
    pattern: /\b(TO[D]O|FIX[M]E)\b/,
    what: "a note to do something later",
    todo: "do it now, or open an issue",
  },
  {
    where: code,
    comments: true,
    pattern: /@ts-(ignore|nocheck)\b/,
    what: "a silenced compiler",
    todo: "fix the type; a test of a type error uses @ts-expect-error",
  },
  {
    where: /\.tsx?$/,
    pattern: /(\bas|:|<|,|\|)\s*any\s*([;,)=|&\]}>[]|$)/,
    what: "the type any",
    todo: "use unknown and narrow it, or a type parameter",
  },
  {
    where: source,
    comments: true,
    pattern: /cancel[e]d/i,
    what: "cancelled spelt with one l",
    todo: "write cancelled, everywhere",
  },
  {
    where: pure,
    pattern:
      /\b(Math\.random|Date\.now|performance\.now|randomUUID|setTimeout|setInterval)\b|\bnew Date\(\s*\)|\bprocess\./,
    what: "a clock, chance or the environment in pure code",
    todo: "take the value as an argument; the engine reads it at the edge",
  },
  {
    where: testFile,
    pattern: /\bsetTimeout\(|["'](node:)?timers\/promises["']/,
    unless: /\bvi\.useFakeTimers\(/,
    what: "a sleep in a test",
    todo: "wait on a signal, or on a condition with a deadline (test/support/eventually.ts)",
  },
];

/**
 * @typedef {{ path: string; text: string }} File a path relative to the root, with slashes
 * @typedef {{ path: string; line: number; what: string; todo: string }} Finding
 */

/**
 * Every breach of a rule in these files, in the order of their paths.
 *
 * @param {readonly File[]} files
 * @returns {Finding[]}
 */
export function findings(files) {
  const found = [...files.flatMap((file) => [...nameFindings(file), ...sizeFindings(file), ...lineFindings(file)])];
  found.push(...behindOneFile.flatMap((library) => libraryFindings(library, files)));
  return found.sort((a, b) => compare(a.path, b.path) || a.line - b.line);
}

function nameFindings({ path }) {
  if (!source.test(path)) return [];
  const odd = path.split("/").find((part) => !kebabCase.test(part.replace(/^\./, "")));
  if (odd === undefined) return [];
  return [{ path, line: 1, what: `"${odd}" is not kebab-case`, todo: "rename it, like lease-sweep.ts" }];
}

function sizeFindings({ path, text }) {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  if (!source.test(path) || lines <= maxLines) return [];
  return [
    { path, line: maxLines + 1, what: `${lines} lines; ${maxLines} is the most`, todo: "split it by responsibility" },
  ];
}

function lineFindings({ path, text }) {
  const rules = lineRules.filter((rule) => rule.where.test(path) && !rule.unless?.test(text));
  if (rules.length === 0) return [];
  return text.split("\n").flatMap((content, index) => {
    const comment = /^\s*(\/\/|\/\*|\*|--)/.test(content);
    return rules
      .filter((rule) => (rule.comments === true || !comment) && rule.pattern.test(content))
      .map(({ what, todo }) => ({ path, line: index + 1, what, todo }));
  });
}

/** Each file but the first that imports values of the library. What ships counts; tests and what helps them does not. */
function libraryFindings(library, files) {
  const imports = new RegExp(
    `^\\s*(?:import|export)(?!\\s+type\\b)[^"']*["']${library}["']|\\bimport\\(["']${library}["']`,
    "m",
  );
  const importers = files.filter(
    ({ path, text }) =>
      /^packages\/(?!embedded-postgres\/)[^/]+\/src\/(?!.*\btesting\/)/.test(path) &&
      code.test(path) &&
      !testFile.test(path) &&
      imports.test(text),
  );
  return importers.slice(1).map(({ path, text }) => ({
    path,
    line: text.slice(0, text.search(imports)).split("\n").length,
    what: `"${library}" is imported here and in ${importers[0]?.path}`,
    todo: "use it through that one file; import type is fine",
  }));
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
