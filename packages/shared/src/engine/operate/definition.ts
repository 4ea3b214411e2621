/** Acts on definitions: pausing and going on with their steps, deprecating versions. */
import type { Database } from "../../store/executor.ts";
import {
  deletePause,
  holdPaused,
  insertAudit,
  insertPause,
  releaseHeld,
  updateDeprecated,
} from "../../store/operator.ts";
import type { Act } from "../../vocabulary/act.ts";
import { FloxyError } from "../../vocabulary/error.ts";
import { assertName } from "../../vocabulary/name.ts";
import type { Hints } from "../hints.ts";
import { assertPerson, assertText } from "./operate.ts";

/** What every act on a definition says. */
export interface DefinitionActParams {
  readonly name: string;
  readonly requestedBy: string;
  readonly reason?: string | undefined;
  readonly hints: Hints;
}

/** How many steps are put aside or made ready in one statement. */
const batchSize = 5_000;

/**
 * Pauses a definition: from now on no forward step of its instances is leased; what runs goes on to its end, and so do
 * compensations. Answers whether it was not paused before.
 */
export const pauseDefinition = async (db: Database, params: DefinitionActParams): Promise<boolean> => {
  const said = assertAct(params);
  const paused = await db.transaction(async (tx) => {
    if (!(await insertPause(tx, said))) return false;
    await insertAudit(tx, [auditOf("pause", said, null)]);
    return true;
  });
  // From the commit on nothing is leased; this only spares workers from passing over those steps again and again.
  while ((await holdPaused(db, batchSize)) === batchSize);
  return paused;
};

/** Goes on with a paused definition. Answers whether it was paused. */
export const unpauseDefinition = async (db: Database, params: DefinitionActParams): Promise<boolean> => {
  const said = assertAct(params);
  const resumed = await db.transaction(async (tx) => {
    if (!(await deletePause(tx, said.name))) return false;
    await insertAudit(tx, [auditOf("unpause", said, null)]);
    return true;
  });
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
  return db.transaction(async (tx) => {
    const found = await updateDeprecated(tx, { name: said.name, version, deprecated });
    if (found === undefined) {
      const message = `definition '${said.name}' version ${version} is not registered`;
      throw new FloxyError("DEFINITION_NOT_FOUND", message, { data: { name: said.name, version } });
    }
    if (found.before === deprecated) return false;
    await insertAudit(tx, [auditOf(deprecated ? "deprecate" : "undeprecate", said, version)]);
    return true;
  });
};

interface Said {
  readonly name: string;
  readonly requestedBy: string;
  readonly reason: string | null;
}

const assertAct = ({ name, requestedBy, reason }: Omit<DefinitionActParams, "hints">): Said => {
  assertName("definition", name);
  return { name, requestedBy: assertPerson("requestedBy", requestedBy), reason: assertText("reason", reason) };
};

const auditOf = (act: Act, { name, requestedBy, reason }: Said, definitionVersion: number | null) => {
  const nowhere = { instanceId: null, node: null, data: null };
  return { ...nowhere, act, definitionName: name, definitionVersion, requestedBy, reason };
};
