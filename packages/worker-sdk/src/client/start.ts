/** What a start can be told, and how it becomes a checked request. */
import type { DefinitionJson, ForeignClient, StartRequest } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";
import { validateWith } from "../handler/schema.ts";
import type { Workflow } from "../workflow/built.ts";
import { isWorkflow } from "./registrar.ts";

/** How to start an instance. */
export interface StartOptions {
  /** Of a definition that is given by name: by default the highest registered version that is not deprecated. */
  readonly version?: number | undefined;
  /** 0 to 100; by default the definition's, else 50. */
  readonly priority?: number | undefined;
  /** How long it may take, in milliseconds; then it is cancelled. By default as its definition says, else as long as it takes. */
  readonly deadlineMs?: number | undefined;
  /** A JSON object that handlers can read. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** A repeat with the same definition name and key answers the existing instance. 1 to 200 characters. */
  readonly idempotencyKey?: string | undefined;
  /**
   * Your own `pg` client with an open transaction: the instance exists if and only if you commit. Wait for its end only
   * after the commit.
   */
  readonly transaction?: ForeignClient | undefined;
}

/** Makes the request of a start. Checks the input with the workflow's own schema, and throws `INPUT_INVALID`. */
export const requestOf = async (
  what: Workflow | string,
  input: unknown,
  options: StartOptions,
): Promise<StartRequest> => {
  const { version, priority, deadlineMs, metadata, idempotencyKey, transaction } = options;
  if (transaction !== undefined) assertTransaction(transaction);
  const rest = { input, priority, deadlineMs, metadata, idempotencyKey };
  if (!isWorkflow(what)) return { definitionName: what, definitionVersion: version, ...rest };
  const { inputSchema, definition } = what;
  assertVersionOf(definition, version);
  if (inputSchema !== undefined) {
    await validateWith(inputSchema, input, {
      code: "INPUT_INVALID",
      subject: `the input of workflow '${definition.name}'`,
    });
  }
  return { definitionName: definition.name, definitionVersion: definition.version, ...rest };
};

/** Throws `OPTION_INVALID` for another version than a workflow has. */
export const assertVersionOf = ({ name, version }: DefinitionJson, wanted: number | undefined): void => {
  if (wanted === undefined || wanted === version) return;
  const message = `version is ${String(wanted)}, and workflow '${name}' is version ${version}; leave it out.`;
  throw new FloxyError("OPTION_INVALID", message);
};

/** Throws `OPTION_INVALID` for what is no client with a transaction. */
export const assertTransaction = (transaction: ForeignClient): void => {
  if (typeof transaction?.query !== "function") {
    throw new FloxyError("OPTION_INVALID", "transaction must be a pg client, with a method query.");
  }
  // Each statement of a pool may go to another connection, so nothing would be part of any transaction.
  if ("totalCount" in transaction) {
    throw new FloxyError("OPTION_INVALID", "transaction is a pool; give the client on which you said BEGIN.");
  }
};
