/**
 * Operators' acts on one instance. Each is one transaction: the instance is locked, the act is checked against what it is,
 * the decision of the core and all that follows from it are written, and so is who did it and why. So it takes effect at
 * once, whether an orchestrator is there or not.
 */
import type { Decision } from "../../core/model.ts";
import type { NewEvent } from "../../store/event.ts";
import { appendEvents } from "../../store/event.ts";
import type { Database, Executor } from "../../store/executor.ts";
import { statesOf } from "../../store/instance.ts";
import { hasAct, insertAudit } from "../../store/operator.ts";
import type { Act } from "../../vocabulary/act.ts";
import { FloxyError } from "../../vocabulary/error.ts";
import type { EventType } from "../../vocabulary/event.ts";
import { isId } from "../../vocabulary/id.ts";
import { quote } from "../../vocabulary/quote.ts";
import type { InstanceStatus } from "../../vocabulary/status.ts";
import { isTerminal } from "../../vocabulary/status.ts";
import { applyAndReview } from "../apply.ts";
import type { GraphCache } from "../graphs.ts";
import type { Hints } from "../hints.ts";
import type { Loaded } from "../state.ts";
import { loadInstances } from "../state.ts";
import { instanceNotFound } from "../view.ts";

/** What every act on an instance says. */
export interface OperateParams {
  readonly instanceId: string;
  /** Who wants it; kept for the audit. */
  readonly requestedBy: string;
  /** Why; kept for the audit, and shown where it explains something. */
  readonly reason?: string | undefined;
  /** An id of this very act, so that it is done once when its answer was lost and it is asked for again. */
  readonly actId?: string | undefined;
  /** What the caller has to do in the same transaction. */
  readonly within?: Within | undefined;
  /** Collects what is worth telling others once this has been committed. */
  readonly hints: Hints;
}

/** Work of the caller's own in the transaction of an act. What it throws rolls the act back. */
export interface Within {
  /** Before the instance is locked. */
  readonly begin: (tx: Executor) => Promise<void>;
  /** When all else is written. */
  readonly end: (tx: Executor, operated: Operated) => Promise<void>;
}

/** How an instance stands after an act. */
export interface Operated {
  readonly instanceId: string;
  readonly status: InstanceStatus;
  /** `false` if all was already as the act wants it, and nothing was written. */
  readonly changed: boolean;
}

/** What an act comes to; `null` when all is already as it wants it. */
export interface ActOutcome {
  readonly decision: Decision;
  readonly node?: string;
  /** Kept for the audit. */
  readonly data?: object;
  readonly event?: { readonly type: EventType; readonly data: object | null };
  /** What a person gave a step that is queued as input, as JSON text, by node. */
  readonly inputs?: ReadonlyMap<string, string>;
}

/**
 * Performs an act. Throws `INSTANCE_NOT_FOUND`, `OPTION_INVALID` when it is not said by whom, and what `perform` throws;
 * then nothing has been written.
 */
export const operate = async (
  db: Database,
  graphs: GraphCache,
  act: Act,
  params: OperateParams,
  perform: (loaded: Loaded, tx: Executor) => Promise<ActOutcome | null> | ActOutcome | null,
): Promise<Operated> => {
  const { instanceId, hints, within, actId = null } = params;
  const requestedBy = assertPerson("requestedBy", params.requestedBy);
  const reason = assertText("reason", params.reason);
  const write = async (tx: Executor): Promise<Operated> => {
    const loaded = await loadOne(tx, graphs, instanceId);
    if (actId !== null && (await hasAct(tx, actId))) return doneBefore(loaded, hints);
    const outcome = await perform(loaded, tx);
    if (outcome === null) return { instanceId, status: loaded.state.status, changed: false };
    const { node = null, data, event, inputs, decision } = outcome;
    const { name, version } = loaded.graph.definition;
    const said = {
      actId,
      act,
      instanceId,
      node,
      definitionName: name,
      definitionVersion: version,
      requestedBy,
      reason,
    };
    await insertAudit(tx, [{ ...said, data: data === undefined ? null : JSON.stringify(data) }]);
    await appendEvents(tx, event === undefined ? [] : [eventOf(instanceId, node, event)]);
    await applyAndReview(tx, graphs, { ...loaded, decision, ...(inputs && { inputs }) }, hints);
    const [after] = await statesOf(tx, [instanceId]);
    return { instanceId, status: after?.status ?? loaded.state.status, changed: true };
  };
  return db.transaction(async (tx) => {
    await within?.begin(tx);
    const operated = await write(tx);
    await within?.end(tx, operated);
    return operated;
  });
};

// Its answer was lost, and with it the hints. What they would have said of the queue is found by polling.
const doneBefore = ({ instanceId, state: { status } }: Loaded, hints: Hints): Operated => {
  hints.review = true;
  if (isTerminal(status)) hints.finished.add(instanceId);
  return { instanceId, status, changed: true };
};

/** Locks an instance with its queue and loads it. Throws `INSTANCE_NOT_FOUND`. */
export const loadOne = async (tx: Executor, graphs: GraphCache, instanceId: string): Promise<Loaded> => {
  const [loaded] = isId(instanceId) ? await loadInstances(tx, graphs, [instanceId], { lockQueue: true }) : [];
  if (loaded === undefined) throw instanceNotFound(instanceId);
  return loaded;
};

/** Throws `INSTANCE_TERMINAL` for an instance that has ended. */
export const assertGoingOn = ({ instanceId, state: { status } }: Loaded, what: string): void => {
  if (!isTerminal(status)) return;
  const message = `instance ${instanceId} has ended ${quote(status)}: it cannot be ${what} any more`;
  throw new FloxyError("INSTANCE_TERMINAL", message, { data: { instanceId, status } });
};

/** Checks who did something. Throws `OPTION_INVALID`. */
export const assertPerson = (option: string, value: unknown): string => {
  const text = assertText(option, value);
  if (text !== null && text.trim() !== "") return text;
  throw new FloxyError(
    "OPTION_INVALID",
    `${option} must say who does this, for the audit; it is ${quote(String(value))}`,
  );
};

/** The longest text that a person can give, in characters. */
const textLimit = 4_000;

/** Checks a text that a person gives, such as a reason. Throws `OPTION_INVALID`. */
export const assertText = (option: string, value: unknown): string | null => {
  if (value === undefined || value === null) return null;
  const isStorable = typeof value === "string" && value.isWellFormed() && !value.includes("\0");
  if (isStorable && value.length <= textLimit) return value;
  const found = typeof value === "string" ? `text of ${value.length} characters` : typeof value;
  const message = `${option} must be text of at most ${textLimit} characters without NUL, not ${found}`;
  throw new FloxyError("OPTION_INVALID", message);
};

const eventOf = (
  instanceId: string,
  node: string | null,
  { type, data }: NonNullable<ActOutcome["event"]>,
): NewEvent => ({ instanceId, type, node, data: data === null ? null : JSON.stringify(data) });
