/** All that a database holds of its instances, read at one moment, for the invariants. */
import type { DefinitionJson } from "@floxy/shared";
import type pg from "pg";
import type { DefinitionOrder } from "./definition-order.ts";
import { orderOf } from "./definition-order.ts";

// All events, those of leases among them; see the store's `eventsText`.
const allEvents = `(
  SELECT event_id, instance_id, type, node, attempt, worker_id, data FROM event
  UNION ALL
  SELECT token, instance_id, 'step.leased', node, attempt, worker_id,
         json_build_object('handler', handler, 'lane', coalesce(lane, 'forward')) FROM event WHERE token IS NOT NULL
  UNION ALL
  SELECT token, instance_id, 'step.leased', node, attempt, worker_id,
         json_build_object('handler', handler, 'lane', lane) FROM queue WHERE state = 'leased'
)`;

/** A step's row. */
export interface StepFact {
  readonly node: string;
  readonly status: string;
  readonly outcome: string | null;
  readonly side: string | null;
  readonly winners: readonly string[] | null;
  /** Whether somebody will look when its time has come. */
  readonly timed: boolean;
}

/** A row of the queue. */
export interface QueueFact {
  readonly node: string;
  readonly lane: string;
  readonly state: string;
}

/** An event. */
export interface EventFact {
  readonly eventId: number;
  readonly type: string;
  readonly node: string | null;
  readonly attempt: number | null;
  readonly workerId: string | null;
  readonly lane: string | null;
  readonly handler: string | null;
}

/** An instance with all that there is of it. */
export interface InstanceFacts {
  readonly instanceId: string;
  readonly status: string;
  readonly boundary: string | null;
  readonly order: DefinitionOrder;
  readonly steps: ReadonlyMap<string, StepFact>;
  readonly queue: readonly QueueFact[];
  readonly inboxCount: number;
  readonly deadLetters: readonly string[];
  /** In the order in which they were written. */
  readonly events: readonly EventFact[];
}

interface InstanceRow {
  readonly instanceId: string;
  readonly status: string;
  readonly boundary: string | null;
  readonly definitionName: string;
  readonly definitionVersion: number;
}

type Of<Row> = Row & { readonly instanceId: string };

/** Reads everything in one snapshot. */
export const readFacts = async (client: pg.PoolClient): Promise<InstanceFacts[]> => {
  const rows = async <Row>(text: string): Promise<Row[]> => (await client.query(text)).rows as Row[];
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    const instances = await rows<InstanceRow>(
      `SELECT instance_id AS "instanceId", status, boundary, definition_name AS "definitionName",
              definition_version AS "definitionVersion" FROM instance ORDER BY instance_id`,
    );
    const definitions = await rows<{ name: string; version: number; body: DefinitionJson }>(
      "SELECT name, version, body FROM definition",
    );
    const steps = grouped(
      await rows<Of<StepFact>>(`SELECT instance_id AS "instanceId", node, status, outcome, side, winners,
                EXISTS (SELECT FROM timer WHERE timer.instance_id = step.instance_id AND timer.node = step.node) AS timed
         FROM step`),
    );
    const queue = grouped(
      await rows<Of<QueueFact>>(`SELECT instance_id AS "instanceId", node, lane, state FROM queue`),
    );
    const inbox = grouped(await rows<Of<object>>(`SELECT instance_id AS "instanceId" FROM inbox`));
    const dead = grouped(await rows<Of<{ node: string }>>(`SELECT instance_id AS "instanceId", node FROM dead_letter`));
    const events = grouped(
      await rows<Of<EventFact>>(
        `SELECT event_id::int AS "eventId", instance_id AS "instanceId", type, node, attempt, worker_id AS "workerId",
                data ->> 'lane' AS lane, data ->> 'handler' AS handler FROM ${allEvents} e ORDER BY event_id`,
      ),
    );
    const orders = new Map(definitions.map(({ name, version, body }) => [`${name} ${version}`, orderOf(body)]));
    return instances.map(({ instanceId, status, boundary, definitionName, definitionVersion }) => {
      const order = orders.get(`${definitionName} ${definitionVersion}`);
      if (order === undefined) throw new Error(`instance ${instanceId} is of an unknown definition`);
      return {
        instanceId,
        status,
        boundary,
        order,
        steps: new Map((steps.get(instanceId) ?? []).map((step) => [step.node, step])),
        queue: queue.get(instanceId) ?? [],
        inboxCount: inbox.get(instanceId)?.length ?? 0,
        deadLetters: (dead.get(instanceId) ?? []).map(({ node }) => node),
        events: events.get(instanceId) ?? [],
      };
    });
  } finally {
    await client.query("COMMIT");
  }
};

const grouped = <Row extends { readonly instanceId: string }>(rows: readonly Row[]): Map<string, Row[]> => {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.instanceId);
    if (group === undefined) groups.set(row.instanceId, [row]);
    else group.push(row);
  }
  return groups;
};
