/** What the validation says, in short, for the tests of its rules. */
import { validateDefinition } from "../validate.ts";
import { definitionOf } from "./nodes.ts";

/** Code and path of each problem of a definition of these nodes. */
export const problemsOf = (nodes: readonly unknown[], more?: object): readonly string[] =>
  shortly(definitionOf(nodes, more));

/** Code and path of each problem of what should be a definition. */
export const shortly = (definition: unknown): readonly string[] =>
  validateDefinition(definition).map(({ path, code }) => `${code} ${path}`);

/** What the problems of a definition of these nodes say, a line each. */
export const messagesOf = (nodes: readonly unknown[]): string =>
  validateDefinition(definitionOf(nodes))
    .map(({ message }) => message)
    .join("\n");
