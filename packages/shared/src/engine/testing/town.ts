/** A town of instances in every state that there is, for those who look at whole databases. */
import type { DefinitionJson, NodeJson } from "../../definition/model.ts";
import { registerDefinition } from "../graphs.ts";
import { pauseDefinition } from "../operate/definition.ts";
import { resumeInstance } from "../operate/resume.ts";
import { abortInstance, cancelInstance } from "../operate/stop.ts";
import type { AttemptResult } from "../settle.ts";
import { insertStarts, prepareStart } from "../start.ts";
import type { Stand } from "./stand.ts";
import { done, failed, fork, task } from "./stand.ts";

/** The ids of the instances, by what they are. */
export type Town = Readonly<Record<string, string>>;

// Who acts in the town.
const mayor = "mayor";

const longMs = 3_600_000;
const hour = { delayMs: longMs };
const sleep: NodeJson = { kind: "sleep", name: "sleep", durationMs: longMs };
const vote: NodeJson = { kind: "human", name: "vote", timeoutMs: longMs };
const savepoint: NodeJson = { kind: "savepoint", name: "sp" };
const patient: NodeJson = { kind: "savepoint", name: "sp", retry: { maxAttempts: 3, delayMs: longMs, jitter: 0 } };
const both = fork("both", { x: [task("x")], y: [task("y")] });
const race: NodeJson = { ...both, join: "any" } as NodeJson;
const late: NodeJson = { ...fork("both", { x: [task("x")], y: [task("y", hour)] }), join: "any" } as NodeJson;
const stubborn = task("a", { compensation: { handler: "undo", retry: { maxAttempts: 1 } } });
const again = task("a", { retry: { maxAttempts: 3, ...hour, jitter: 0 } });

/** What becomes of attempts, by step; compensations as `undo:step`. What is not named stays leased. */
type Results = Readonly<Record<string, AttemptResult>>;

const all: Results = {
  a: done,
  b: done,
  x: done,
  y: done,
  "undo:a": done,
  "undo:b": done,
  "undo:x": done,
  "undo:y": done,
};

/** Builds the town; answers the ids. */
export const buildTown = async (stand: Stand): Promise<Town> => {
  const start = async (
    name: string,
    nodes: readonly NodeJson[],
    options: Partial<DefinitionJson> = {},
  ): Promise<string> => {
    await registerDefinition(stand.db, { format: 1, name, version: 1, ...options, nodes });
    const prepared = await prepareStart(stand.db, stand.graphs, { definitionName: name, input: {} });
    await insertStarts(stand.db, [prepared], stand.hints);
    return prepared.row.instanceId;
  };

  /** Leases and settles until nothing that is named is left to do. */
  const work = async (results: Results): Promise<void> => {
    for (let busy = true; busy; ) {
      const leased = [...(await stand.lease())].flatMap(([node, step]) => {
        const result = results[node];
        return result === undefined ? [] : [[step, result] as const];
      });
      busy = leased.length > 0;
      if (busy) await stand.settle(...leased);
      await stand.review();
    }
  };

  const drive = async (name: string, nodes: readonly NodeJson[], results: Results, options = {}): Promise<string> => {
    const instanceId = await start(name, nodes, options);
    await work(results);
    return instanceId;
  };

  const act = (instanceId: string) => ({ instanceId, requestedBy: mayor, hints: stand.hints });
  const broken = { ...all, b: failed() };
  const dlq = { onFailure: "dlq" };

  const cancelled = await drive("cancelled", [task("a"), sleep], all);
  await cancelInstance(stand.db, stand.graphs, act(cancelled));
  await work(all);
  const cancelling = await drive("cancelling", [task("a"), task("b")], { a: done });
  await cancelInstance(stand.db, stand.graphs, act(cancelling));
  const aborted = await drive("aborted", [task("a"), task("b")], { a: done });
  await abortInstance(stand.db, stand.graphs, act(aborted));
  const resumed = await drive("resumed", [task("a"), savepoint, task("b"), sleep], broken);
  await resumeInstance(stand.db, stand.graphs, act(resumed));
  await work(all);
  const town = {
    cancelled,
    cancelling,
    aborted,
    resumed,
    completed: await drive("completed", [task("a"), both, task("b")], all),
    won: await drive("won", [race, task("b")], { x: done, b: done }),
    raced: await drive("raced", [late, task("b")], all),
    failed: await drive("failed", [task("a"), task("b")], broken),
    kept: await drive("kept", [task("a"), savepoint, both, task("b")], broken),
    restarting: await drive("restarting", [task("a"), patient, task("b")], broken),
    retrying: await drive("retrying", [again], { a: failed() }),
    undoing: await drive("undoing", [task("a"), task("b")], { a: done, b: failed() }),
    unresolved: await drive("unresolved", [stubborn, task("b")], { ...broken, "undo:a": failed() }),
    dead: await drive("dead", [both, task("b")], { x: failed(), y: done }, dlq),
    ailing: await drive("ailing", [both, task("b")], { x: failed() }, dlq),
    voting: await drive("voting", [task("a"), vote], all),
    asleep: await drive("asleep", [sleep], all),
    listening: await drive("listening", [fork("both", { x: [{ kind: "signal", name: "go" }], y: [task("y")] })], all),
    overdue: await drive("overdue", [{ kind: "signal", name: "go" }], all, { deadlineMs: longMs }),
    delayed: await drive("delayed", [task("a", hour)], {}),
    joining: await drive("joining", [both], { x: done }),
    leased: await drive("leased", [task("a")], {}),
    held: await start("held", [task("a")]),
  };
  await pauseDefinition(stand.db, { name: "held", requestedBy: mayor, hints: stand.hints });
  return { ...town, ready: await start("ready", [task("a")]) };
};
