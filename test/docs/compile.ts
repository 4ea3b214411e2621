/** Type-checks blocks of TypeScript with the options of the project, all in one program. */
import ts from "typescript";
import type { Block } from "./markdown.ts";
import { root } from "./markdown.ts";

/** What is compiled besides the blocks is the same each time. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/**
 * Answers what is wrong, as `page:line: message`. Each block is a module of its own; one with a name can be imported by the
 * others of its page. Nothing is written: to the compiler the blocks stand in a folder of this package, from where the
 * packages of the workspace are found.
 */
export const complaintsAbout = (blocks: readonly Block[]): readonly string[] => {
  const files = new Map(blocks.map((block, index) => [fileOf(block, index), block]));
  const config = ts.readConfigFile(`${root}tsconfig.base.json`, ts.sys.readFile).config as unknown;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { fileExists, directoryExists, getSourceFile, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.directoryExists = (name) => name.startsWith(folder) || (directoryExists?.(name) ?? true);
  host.readFile = (name) => files.get(name)?.text ?? readFile(name);
  host.getSourceFile = (name, language) => {
    const text = files.get(name)?.text;
    if (text !== undefined) return ts.createSourceFile(name, text, language, true);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, language));
    return parsed.get(name);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([file, block]) => {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ start = 0, messageText }) => {
      const line = block.line + (source?.getLineAndCharacterOfPosition(start).line ?? 0);
      return `${block.page}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
  });
};

const folder = `${root}test/docs/blocks/`;

const fileOf = ({ page, name }: Block, index: number): string =>
  `${folder}${page.replaceAll(/\W+/g, "-")}/${name ?? `block-${index}.ts`}`;
