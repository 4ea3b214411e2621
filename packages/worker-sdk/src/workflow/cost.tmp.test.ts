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
  return { complaints, instantiations: program.getInstantiationCount() };
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

const plain = (index: number): string => `step(s${index})`;
const mapped = (index: number): string =>
  index === 0 ? "step(s0)" : `step(s${index}, { input: ({ input, outputOf }) => ({ id: input.id, n: outputOf(s${index - 1}).n }) })`;
const forked = (index: number): string =>
  `fork("f${index}", { a: (b) => b.step(s${index}), b: (b) => b.signal("b${index}") }, { join: "any", losers: "wait" })
  .signal("again${index}", { payload: typeOnly<Data>() })`;
const asked = (index: number): string => `human("h${index}", { form: typeOnly<{ ok: ${index} }>() })`;
const refused = (index: number): string =>
  `human("h${index}", { input: ({ input }) => input, onReject: (side) => side.step(s${index}).complete("e${index}") })`;
const switched = (index: number): string =>
  `switch("c${index}", { cases: [
    { when: ({ input }) => input.id + "", then: (side) => side.step(s${index}) },
    { when: "true", then: (side) => side.sleep("t${index}", { durationMs: 1 }) },
  ], else: (side) => side.fail("e${index}", { message: "no" }) })`;
const ended = (index: number): string =>
  `savepoint("p${index}").condition("c${index}", {
    when: "true",
    then: (side) => side.complete("e${index}"),
    else: (side) => side.condition("d${index}", { when: "true", then: (one) => one.rollbackTo("r${index}", "p${index}") }),
  })`;

for (const [name, link] of Object.entries({ plain, mapped, forked, asked, refused, switched, ended }))
  test(name, () => {
    for (const n of [50, 200, 400]) {
      const at = Date.now();
      const { complaints, instantiations } = compile(chainOf(n, link));
      console.log(name, n, instantiations, Date.now() - at, JSON.stringify(complaints).slice(0, 400));
    }
  }, 100_000);
