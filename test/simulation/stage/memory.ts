/** A stage in memory, on a clock of its own. */
import type { Json, StepError } from "@floxy/shared";
import type { Tables } from "@floxy/shared/memory";
import { createMemoryDatabase, createTables } from "@floxy/shared/memory";
import type { Facts, Stage, StepFact } from "./stage.ts";

/** When simulated time begins. */
const beginning = Date.UTC(2030, 0, 1);

/** Opens a stage. */
export const openMemoryStage = (): Stage => {
  let now = beginning;
  const tables = createTables();
  const db = createMemoryDatabase({ now: () => now, tables });
  return {
    db,
    now: () => now,
    async pass(ms) {
      now += ms;
    },
    look: async (wanted) => wanted.flatMap(({ instanceId, after }) => factsOf(tables, instanceId, after) ?? []),
    async close() {
      await db.close();
    },
  };
};

const factsOf = (tables: Tables, instanceId: string, after: number): Facts | undefined => {
  const [row] = tables.instance.of(instanceId);
  if (row === undefined) return undefined;
  const steps = tables.step.of(instanceId).sort((a, b) => a.finishedAt - b.finishedAt || a.finishedIn - b.finishedIn);
  return {
    instanceId,
    status: row.status,
    epoch: row.epoch,
    run: row.run,
    boundary: row.boundary,
    pausedFrom: row.pausedFrom,
    cause: parse<StepError>(row.cause) ?? null,
    outputFrom: row.outputFrom,
    deadlineAt: row.deadlineAt,
    steps: new Map(
      steps.map((step): [string, StepFact] => [
        step.node,
        {
          ...step,
          output: parse<Json>(step.output),
          error: parse<StepError>(step.error) ?? null,
          winners: parse<readonly string[]>(step.winners) ?? null,
        },
      ]),
    ),
    queue: new Map(tables.queue.of(instanceId).map((queued) => [queued.node, queued])),
    deadLetters: new Map(tables.deadLetter.of(instanceId).map(({ node, kind }) => [node, kind])),
    timers: new Map(tables.timer.of(instanceId).map(({ node, dueAt }) => [node, dueAt])),
    notes: tables.inbox.all().flatMap((note) => (note.instanceId === instanceId ? [note.visibleAt] : [])),
    votes: tables.vote.of(instanceId),
    signals: tables.signal
      .of(instanceId)
      .sort((a, b) => a.position - b.position)
      .map((signal) => ({ ...signal, payload: JSON.parse(signal.payload) as Json })),
    events: tables.event
      .of(instanceId)
      .filter(({ eventId }) => eventId > after)
      .sort((a, b) => a.eventId - b.eventId),
  };
};

const parse = <T>(text: string | null): T | undefined => (text === null ? undefined : (JSON.parse(text) as T));
