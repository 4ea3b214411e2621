/** What the compiler says of mistakes, and what it costs to ask it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const mistakes = readFileSync(new URL("sentences.must-fail.ts", import.meta.url), "utf8");

interface Complaint {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

interface Compiled {
  readonly complaints: readonly Complaint[];
  /** How many types were instantiated: the cost of the check, without the noise of a clock. */
  readonly instantiations: number;
  /** How many types there were in the end. */
  readonly types: number;
}

/** What is compiled besides the text is the same each time. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** Compiles a text with the project's options, as if it were a file in this folder. */
const compile = (text: string): Compiled => {
  const file = fileURLToPath(new URL("compiled-by-a-test.ts", import.meta.url));
  const config = ts.readConfigFile(`${root}/tsconfig.base.json`, ts.sys.readFile).config as unknown;
  const configured = ts.parseJsonConfigFileContent(config, ts.sys, root).options;
  // Messages are cut by default, and a sentence at the end would be missing.
  const options: ts.CompilerOptions = { ...configured, noErrorTruncation: true };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile, readFile } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? text : readFile(name));
  host.getSourceFile = (name, language) =>
    name === file
      ? ts.createSourceFile(name, text, language, true)
      : (parsed.get(name) ?? remember(name, getSourceFile(name, language)));
  const program = ts.createProgram([file], options, host);
  const source = program.getSourceFile(file);
  const complaints = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
    ({ start = 0, messageText }) => ({
      line: (source?.getLineAndCharacterOfPosition(start).line ?? 0) + 1,
      text: ts.flattenDiagnosticMessageText(messageText, "\n"),
    }),
  );
  return { complaints, instantiations: program.getInstantiationCount(), types: program.getTypeCount() };
};

const remember = (name: string, source: ts.SourceFile | undefined): ts.SourceFile | undefined => {
  parsed.set(name, source);
  return source;
};

interface Paragraph {
  readonly lines: readonly string[];
  readonly firstLine: number;
  /** The sentences that the compiler must say of it. */
  readonly expected: readonly string[];
}

const paragraphsOf = (text: string): readonly Paragraph[] => {
  let firstLine = 1;
  return text.split(/\n\n/).map((part) => {
    const lines = part.split("\n");
    const expected = lines.flatMap((line) => /^\/\/ expect-error: (.*)$/.exec(line)?.slice(1) ?? []);
    const paragraph = { lines, firstLine, expected };
    firstLine += lines.length + 1;
    return paragraph;
  });
};

const within = ({ firstLine, lines }: Paragraph, { line }: Complaint): boolean =>
  line >= firstLine && line < firstLine + lines.length;

describe("mistakes", () => {
  const paragraphs = paragraphsOf(mistakes);
  const { complaints } = compile(mistakes);
  const wrong = paragraphs.filter(({ expected }) => expected.length > 0);

  test.each(wrong.map((one) => [one.expected[0], one.lines.at(-1), one] as const))("%s: %s", (_, __, paragraph) => {
    const texts = complaints.filter((one) => within(paragraph, one)).map(({ text }) => text);
    expect(texts.length).toBeGreaterThan(0);
    const unsaid = paragraph.expected.filter((sentence) => !texts.some((text) => text.includes(sentence)));
    expect(unsaid, texts.join("\n")).toEqual([]);
    const unexpected = texts.filter((text) => !paragraph.expected.some((sentence) => text.includes(sentence)));
    expect(unexpected).toEqual([]);
  });

  test("nothing else is complained of", () => {
    expect(complaints.filter((one) => !wrong.some((paragraph) => within(paragraph, one)))).toEqual([]);
  });

  test("without the mistakes the file compiles", () => {
    const rest = paragraphs.filter(({ expected }) => expected.length === 0).map(({ lines }) => lines.join("\n"));
    expect(compile(rest.join("\n\n")).complaints).toEqual([]);
  }, 60_000);
});

const chainOf = (length: number, link: (index: number) => string): string => {
  const indexes = Array.from({ length }, (_, index) => index);
  return [
    'import { defineHandler } from "../handler/contract.ts";',
    'import { typeOnly } from "../handler/schema.ts";',
    'import { defineStep } from "./step.ts";',
    'import { workflow } from "./workflow.ts";',
    "interface Data { readonly id: string; readonly n: number }",
    'const handler = defineHandler<Data, Data>({ name: "h" });',
    'const last = defineStep("last", defineHandler<unknown, Data>({ name: "l" }));',
    ...indexes.map((index) => `const s${index} = defineStep("step-${index}", handler, {});`),
    'export const built = workflow<Data>({ name: "long", version: 1 })',
    ...indexes.map((index) => `  .${link(index)}`),
    "  .step(last)",
    "  .build();",
    "export const wrong: string = built;",
  ].join("\n");
};

/** The one mistake at the end shows that the type of the whole chain was worked out. */
const onlyTheLast = [
  { text: expect.stringMatching(/^Type 'Workflow<Data, .*Data>' is not assignable to type 'string'/) },
];

const plain = (index: number): string => `step(s${index})`;
const mapped = (index: number): string =>
  index === 0
    ? plain(index)
    : `step(s${index}, { input: ({ input, outputOf }) => ({ id: input.id, n: outputOf(s${index - 1}).n }) })`;

const chains: Readonly<Record<string, (index: number) => string>> = {
  "a fork that does not wait for all": (i) =>
    `fork("f${i}", { a: (b) => b.step(s${i}), b: (b) => b.signal("b${i}") }, { join: "any", losers: "wait" })
      .signal("again${i}", { payload: typeOnly<Data>() })`,
  "a condition": (i) => `condition("c${i}", { when: "true", then: (side) => side.step(s${i}) })`,
  "a switch": (i) =>
    `switch("c${i}", { cases: [
      { when: ({ input }) => input.id + "", then: (side) => side.step(s${i}) },
      { when: "true", then: (side) => side.sleep("t${i}", { durationMs: 1 }) },
    ], else: (side) => side.fail("e${i}", { message: "no" }) })`,
  "a human node with a form of its own": (i) => `human("h${i}", { form: typeOnly<{ f${i}: string }>() })`,
  "a human node with a way for rejections": (i) =>
    `human("h${i}", { input: ({ input }) => input, onReject: (side) => side.step(s${i}).complete("e${i}") })`,
  "a savepoint and ends": (i) =>
    `savepoint("p${i}").condition("c${i}", {
      when: "true",
      then: (side) => side.complete("e${i}"),
      else: (side) => side.condition("d${i}", { when: "true", then: (one) => one.rollbackTo("r${i}", "p${i}") }),
    })`,
};

// The budgets are three times what was measured with TypeScript 5.9 when this was written (plain: 10k, 36k, 72k; mapped:
// 37k, 147k, 293k). A cost that is not linear any more goes through them at once.
describe("cost", () => {
  test.each([
    [50, "plain", plain, 28_000],
    [200, "plain", plain, 107_000],
    [400, "plain", plain, 213_000],
    [50, "mapped", mapped, 111_000],
    [200, "mapped", mapped, 439_000],
    [400, "mapped", mapped, 877_000],
  ] as const)(
    "%i chained steps (%s) are checked within the budget of instantiations",
    (length, _, link, budget) => {
      const { complaints, instantiations } = compile(chainOf(length, link));
      expect(complaints).toMatchObject(onlyTheLast);
      expect(instantiations).toBeGreaterThan(length);
      expect(instantiations).toBeLessThan(budget);
    },
    60_000,
  );

  // Measured, in this order: 85k, 46k, 230k, 41k, 90k, 212k.
  test.each([
    ["a fork that does not wait for all", 254_000],
    ["a condition", 138_000],
    ["a switch", 690_000],
    ["a human node with a form of its own", 124_000],
    ["a human node with a way for rejections", 271_000],
    ["a savepoint and ends", 637_000],
  ])(
    "%s, a hundred times in a chain, is checked within the budget of instantiations",
    (name, budget) => {
      const [few, many] = [25, 100].map((length) => compile(chainOf(length, chains[name] ?? plain)));
      expect(many?.complaints).toMatchObject(onlyTheLast);
      expect(many?.instantiations).toBeLessThan(budget);
      // Types that are made without being instantiated, such as the members of a union, are a cost too.
      expect(many?.types).toBeLessThan(4 * (few?.types ?? 0));
    },
    60_000,
  );
});
