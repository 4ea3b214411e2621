/** The verbs of the store in memory, each held by the compiler to the parameters and the answer of its twin. */
import type { Verb } from "../store/executor.ts";
import type * as store from "../store/verbs.ts";
import { complete } from "./complete.ts";
import { getDeadLetters, listDeadLetters } from "./dead-letter.ts";
import * as decision from "./decision.ts";
import * as definition from "./definition.ts";
import { appendEvents, getEvents } from "./event.ts";
import { postponeInbox, putInbox, takeInbox } from "./inbox.ts";
import * as instance from "./instance.ts";
import * as operator from "./operator.ts";
import { claim, extend, findExpired, loadPayloads, nextDue, wakeDue } from "./queue.ts";
import { sampleQueue } from "./sample.ts";
import { settle } from "./settle.ts";
import { loadAffairs, loadQueue, loadSteps, lockInstances } from "./state.ts";
import { readSnapshot } from "./step.ts";
import type { Tables } from "./tables.ts";
import { ringTimers } from "./timer.ts";

/** What the store exports as verbs, as functions that work on tables. One that the memory lacks is an error of types. */
type MemoryVerbs = {
  readonly [Name in keyof Store as Store[Name] extends { readonly verb: Name }
    ? Name
    : never]: Store[Name] extends Verb<string, infer Params, infer Result>
    ? (tables: Tables, ...params: Params) => Result
    : never;
};

type Store = typeof store;

const verbs: MemoryVerbs = {
  ...decision,
  ...definition,
  ...instance,
  ...operator,
  appendEvents,
  claim,
  complete,
  extend,
  findExpired,
  getDeadLetters,
  listDeadLetters,
  getEvents,
  loadAffairs,
  loadPayloads,
  loadQueue,
  loadSteps,
  lockInstances,
  // Nothing happens beside a call.
  lockLeases: () => {},
  lockQueue: loadQueue,
  nextDue,
  // Nobody listens to a database in memory; a hint that is missed does no harm.
  notify: () => {},
  postponeInbox,
  putInbox,
  readSnapshot,
  ringTimers,
  sampleQueue,
  settle,
  takeInbox,
  wakeDue,
};

/** Any verb, by its name. */
export const memoryVerbs: ReadonlyMap<string, (tables: Tables, ...params: never[]) => unknown> = new Map(
  Object.entries(verbs),
);
