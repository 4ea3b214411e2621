/** Acts on definitions: pausing and going on with their steps, deprecating versions. */
import { hasDefinition } from "../../store/definition.ts";
import type { Database, Executor } from "../../store/executor.ts";
import {
  deletePause,
  hasAct,
  holdPaused,
  insertAudit,
  insertPause,
  releaseHeld,
  updateDeprecated,
} from "../../store/operator.ts";
import type { Act } from "../../vocabulary/act.ts";
import { FloxyError } from "../../vocabulary/error.ts";
import { assertName } from "../../vocabulary/name.ts";
import { assertVersion } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import { assertPerson, assertText } from "./operate.ts";

/** What every act on a definition says. */
export interface DefinitionActParams {
  readonly name: string;
  readonly requestedBy: string;
  readonly reason?: string | undefined;
  /** An id of this very act, so that a repeat of it answers as it did. */
  readonly actId?: string | undefined;
  readonly hints: Hints;
}

/** How many steps are put aside or made ready in one statement. */
const batchSize = 5_000;

/**
 * Pauses a definition: from now on no forward step of its instances is leased; what runs goes on to its end, and so do
 * compensations. Answers whether it was not paused before. Throws `DEFINITION_NOT_FOUND`.
 */
export const pauseDefinition = async (db: Database, params: DefinitionActParams): Promise<boolean> => {
  const said = assertAct(params);
  const paused = await record(db, "pause", said, async (tx) => {
    if (await hasDefinition(tx, said.name)) return insertPause(tx, said);
    const message = `no definition '${said.name}' is registered, so there is nothing to pause`;
    throw new FloxyError("DEFINITION_NOT_FOUND", message, { data: { name: said.name } });
  });
  // From the commit on nothing is leased; this only spares workers from passing over those steps again and again.
  while ((await holdPaused(db, batchSize)) === batchSize);
  return paused;
};

/** Goes on with a paused definition. Answers whether it was paused. */
export const unpauseDefinition = async (db: Database, params: DefinitionActParams): Promise<boolean> => {
  const said = assertAct(params);
  const resumed = await record(db, "unpause", said, (tx) => deletePause(tx, said.name));
  let released: number;
  do {
    const batch = await releaseHeld(db, batchSize);
    for (const handler of batch.handlers) params.hints.ready.add(handler);
    released = batch.released;
  } while (released === batchSize);
  return resumed;
};

/**
 * Deprecates a version: no instance starts with it unless it is asked for by number; those that have started go on.
 * `deprecated: false` takes that back. Answers whether something changed. Throws `DEFINITION_NOT_FOUND`.
 */
export const deprecateDefinition = (
  db: Database,
  params: Omit<DefinitionActParams, "hints"> & { readonly version: number; readonly deprecated?: boolean },
): Promise<boolean> => {
  const said = assertAct(params);
  const { version, deprecated = true } = params;
  assertVersion(version);
  return record(db, deprecated ? "deprecate" : "undeprecate", { ...said, version }, async (tx) => {
    const found = await updateDeprecated(tx, { name: said.name, version, deprecated });
    if (found !== undefined) return found.before !== deprecated;
    const message = `definition '${said.name}' version ${version} is not registered`;
    throw new FloxyError("DEFINITION_NOT_FOUND", message, { data: { name: said.name, version } });
  });
};

/** Makes a change and records it; answers whether it did, now or when this very act was asked for before. */
const record = (
  db: Database,
  act: Act,
  said: Said & { readonly version?: number },
  change: (tx: Executor) => Promise<boolean>,
): Promise<boolean> =>
  db.transaction(async (tx) => {
    if (await wasDoneBefore(tx, said)) return true;
    // An earlier try may just be committing; the change has waited for it.
    if (!(await change(tx))) return wasDoneBefore(tx, said);
    const { actId, name, requestedBy, reason, version = null } = said;
    const nowhere = { instanceId: null, node: null, data: null };
    const definition = { definitionName: name, definitionVersion: version };
    await insertAudit(tx, [{ ...nowhere, ...definition, actId, act, requestedBy, reason }]);
    return true;
  });

const wasDoneBefore = async (tx: Executor, { actId }: Said): Promise<boolean> =>
  actId !== null && (await hasAct(tx, actId));

interface Said {
  readonly actId: string | null;
  readonly name: string;
  readonly requestedBy: string;
  readonly reason: string | null;
}

const assertAct = ({ name, requestedBy, reason, actId }: Omit<DefinitionActParams, "hints">): Said => {
  assertName("definition", name);
  const who = assertPerson("requestedBy", requestedBy);
  return { actId: actId ?? null, name, requestedBy: who, reason: assertText("reason", reason) };
};
