/** What only looks, on both stores. */
import {
  getEvents,
  latestVersion,
  listAudit,
  listDeadLetters,
  listInstances,
  nextDue,
  sampleQueue,
  statesOf,
  viewInstance,
} from "@floxy/shared";
import { findExisting, findExpired, getInstances } from "@floxy/shared/store";
import type { Side } from "./pair.ts";
import type { Run } from "./run.ts";

/** Looks at something. */
export const look = async ({ tape, pair, starts, definition }: Run): Promise<void> => {
  const ids = starts.map(({ row }) => row.instanceId);
  const instanceId = tape.pickAny(ids) ?? "none";
  const of = tape.chance(50) ? instanceId : null;
  const limit = 1 + tape.below(4);
  const looks: readonly ((side: Side) => Promise<unknown>)[] = [
    ({ db, graphs }) => viewInstance(db, graphs, instanceId),
    ({ db }) => nextDue(db),
    ({ db }) => sampleQueue(db),
    ({ db }) => listInstances(db, { definitionName: definition.name, before: instanceId, limit }),
    ({ db }) => listInstances(db, { statuses: ["running", "failed", "completed"], limit }),
    async ({ db }) => sorted(await getInstances(db, ids)),
    async ({ db }) => sorted(await statesOf(db, ids)),
    async ({ db }) =>
      sorted(
        await findExisting(
          db,
          starts.map(({ row }) => row),
        ),
      ),
    async ({ db }) => sorted(await getEvents(db, { instanceId, limit: 1_000 })),
    ({ db }) => listAudit(db, { instanceId: of, before: null, limit: 1_000 }),
    ({ db }) => findExpired(db, 1_000).then((leases) => sorted(leases)),
    ({ db }) =>
      listDeadLetters(db, { lane: null, definitionName: definition.name, handler: null, after: null, limit: 1_000 }),
    ({ db }) => latestVersion(db, definition.name),
  ];
  const index = tape.below(looks.length);
  await pair.call(`look ${index}`, (side) => looks[index]?.(side) ?? Promise.resolve());
};

// By what the row says, without what a sequence has given it.
const sorted = <Row extends { readonly instanceId: string }>(rows: readonly Row[]): Row[] =>
  [...rows].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));

const placeOf = (row: { readonly instanceId: string }): string => {
  const plain = Object.entries({ ...row, eventId: 0, token: 0 }).filter(([, value]) => typeof value !== "object");
  return JSON.stringify([row.instanceId, ...plain.sort(([a], [b]) => (a < b ? -1 : 1))]);
};
