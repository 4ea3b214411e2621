/** Starting instances: the instance and its first queued steps in one statement, in the caller's transaction if given. */
import { advanceStart } from "../core/advance.ts";
import type { Advance } from "../core/model.ts";
import { canonicalJson } from "../definition/fingerprint.ts";
import type { Graph } from "../definition/graph.ts";
import { defaultPriority } from "../definition/model.ts";
import type { Executor } from "../store/executor.ts";
import type { ExistingInstance, InsertOptions, NewInstance } from "../store/start.ts";
import { findExisting, insertInstances } from "../store/start.ts";
import { FloxyError, isFloxyError } from "../vocabulary/error.ts";
import { newId } from "../vocabulary/id.ts";
import type { Json } from "../vocabulary/json.ts";
import { encodePayload } from "../vocabulary/json-check.ts";
import { quote } from "../vocabulary/quote.ts";
import type { GraphCache } from "./graphs.ts";
import type { Hints } from "./hints.ts";
import { hintAdvance } from "./hints.ts";
import { assertDeadline, assertInput, assertKey, assertPriority } from "./start-check.ts";

/** A request to start an instance. */
export interface StartRequest {
  readonly definitionName: string;
  /** By default the highest registered version that is not deprecated. */
  readonly definitionVersion?: number | undefined;
  readonly input: unknown;
  /** 0 to 100; by default the definition's, else 50. */
  readonly priority?: number | undefined;
  /** How long it may take, in milliseconds; then it is cancelled. By default as its definition says. */
  readonly deadlineMs?: number | undefined;
  /** A JSON object that handlers can read. */
  readonly metadata?: unknown;
  /** A repeat with the same definition name and key answers the existing instance. */
  readonly idempotencyKey?: string | undefined;
}

/** What became of a request to start. */
export interface Started {
  readonly instanceId: string;
  /** `false` if the instance existed already under the same idempotency key. */
  readonly created: boolean;
}

/** A request that was checked and encoded; sending it again starts nothing twice. */
export interface PreparedStart {
  readonly row: NewInstance;
}

/**
 * Checks and encodes a request. Throws a typed error that says what to do, and writes nothing, when the definition is
 * unknown or a value is not acceptable. A repeat under an idempotency key is held to the version that the first one
 * started with, whatever has been registered or deprecated since.
 */
export const prepareStart = async (
  db: Executor,
  graphs: GraphCache,
  request: StartRequest,
  options: PrepareOptions = {},
): Promise<PreparedStart> => {
  try {
    return await prepare(db, graphs, request, options);
  } catch (error) {
    if (!isFloxyError(error, "INPUT_INVALID") && !isFloxyError(error, "DEFINITION_NOT_FOUND")) throw error;
    const definitionVersion = await versionBefore(db, request);
    if (definitionVersion === undefined) throw error;
    return prepare(db, graphs, { ...request, definitionVersion }, options);
  }
};

/** How to prepare a start. */
export interface PrepareOptions {
  readonly payloadLimit?: number | undefined;
  /** Finds the version of a request that says none, in place of a look of its own. */
  readonly latest?: ((name: string) => Promise<number>) | undefined;
}

/** The version that a request under the same key has started with. */
const versionBefore = async (db: Executor, request: StartRequest): Promise<number | undefined> => {
  const { definitionName, definitionVersion, idempotencyKey } = request;
  if (idempotencyKey === undefined || definitionVersion !== undefined) return undefined;
  const [standing] = await findExisting(db, [{ instanceId: newId(), definitionName, idempotencyKey }]);
  return standing?.definitionVersion;
};

const prepare = async (
  db: Executor,
  graphs: GraphCache,
  request: StartRequest,
  { payloadLimit, latest }: PrepareOptions,
): Promise<PreparedStart> => {
  const { definitionName, definitionVersion = (await latest?.(definitionName)) ?? null } = request;
  const graph = await graphs.get(db, definitionName, definitionVersion);
  const { name, version, inputSchema, priority: ownPriority, deadlineMs: ownDeadline } = graph.definition;
  const input = encodePayload(request.input, "the input", payloadLimit);
  const metadata = request.metadata === undefined ? "{}" : encodeMetadata(request.metadata, payloadLimit);
  let parsed: Json | undefined;
  const parse = (): Json => {
    parsed ??= JSON.parse(input) as Json;
    return parsed;
  };
  if (inputSchema !== undefined) assertInput(graph, parse());
  const row: NewInstance = {
    instanceId: newId(),
    definitionName: name,
    definitionVersion: version,
    priority: assertPriority(request.priority ?? ownPriority ?? defaultPriority),
    input,
    metadata,
    idempotencyKey: assertKey(request.idempotencyKey ?? null),
    deadlineMs: assertDeadline(request.deadlineMs ?? ownDeadline ?? null),
    advance: startOf(graph, parse),
  };
  return { row };
};

const encodeMetadata = (metadata: unknown, payloadLimit: number | undefined): string => {
  const text = encodePayload(metadata, "the metadata", payloadLimit);
  if (text.startsWith("{")) return text;
  throw new FloxyError("OPTION_INVALID", "The metadata must be a JSON object.");
};

/** What follows from the start of definitions where nothing on the way to the first steps looks at the input. */
const constantStarts = new WeakMap<Graph, Advance>();

// The core is deterministic: what has not looked at the input once never does, and always answers the same.
const startOf = (graph: Graph, parse: () => Json): Advance => {
  const known = constantStarts.get(graph);
  if (known !== undefined) return known;
  let hasLooked = false;
  const payloads = {
    get input(): Json {
      hasLooked = true;
      return parse();
    },
    rows: new Map(),
  };
  const advance = advanceStart(graph, payloads);
  if (!hasLooked) constantStarts.set(graph, advance);
  return advance;
};

/**
 * Inserts prepared instances in one statement. The same prepared start may be sent again when the answer was lost: its
 * id tells it apart. Answers one result per start, in order; `IDEMPOTENCY_CONFLICT` for one whose key was used before
 * with another input.
 *
 * @param options say `alone` of a statement that is not part of a transaction.
 */
export const insertStarts = async (
  db: Executor,
  starts: readonly PreparedStart[],
  hints: Hints,
  options?: InsertOptions,
): Promise<(Started | FloxyError)[]> => {
  const rows = starts.map(({ row }) => row);
  const inserted = await insertInstances(db, rows, options);
  const left = rows.filter((_, index) => !inserted[index]);
  const standing = left.length === 0 ? [] : await findExisting(db, left);
  const find = findAmong(standing);
  return rows.map((row, index) => {
    const result = inserted[index] ? { instanceId: row.instanceId, created: true } : resolveExisting(row, find(row));
    // Also when an earlier send had inserted it: its hint was lost with its answer.
    if (!(result instanceof FloxyError) && result.created) hintAdvance(hints, row.instanceId, row.advance);
    return result;
  });
};

/** Looks up by id first, then by idempotency key. */
const findAmong = (standing: readonly ExistingInstance[]) => {
  const byId = new Map(standing.map((one) => [one.instanceId, one]));
  const byKey = new Map(standing.map((one) => [keyOf(one), one]));
  return (row: NewInstance): ExistingInstance | undefined => byId.get(row.instanceId) ?? byKey.get(keyOf(row));
};

const keyOf = (one: Pick<NewInstance, "definitionName" | "idempotencyKey">): string =>
  JSON.stringify([one.definitionName, one.idempotencyKey]);

const resolveExisting = (row: NewInstance, found: ExistingInstance | undefined): Started | FloxyError => {
  if (found?.instanceId === row.instanceId) return { instanceId: row.instanceId, created: true };
  if (found === undefined) {
    const message = `The instance with idempotency key ${quote(row.idempotencyKey ?? "")} was removed just now. Start again.`;
    return new FloxyError("DATABASE_UNAVAILABLE", message);
  }
  const same = canonicalJson(JSON.parse(found.input) as Json) === canonicalJson(JSON.parse(row.input) as Json);
  if (same) return { instanceId: found.instanceId, created: false };
  return new FloxyError(
    "IDEMPOTENCY_CONFLICT",
    `Idempotency key ${quote(row.idempotencyKey ?? "")} of definition '${row.definitionName}' was used before with another input, ` +
      `by instance ${found.instanceId}. Use another key for another input.`,
    { data: { instanceId: found.instanceId } },
  );
};
