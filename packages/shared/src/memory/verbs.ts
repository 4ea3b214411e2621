/** The verbs of the store in memory, each held by the compiler to the parameters and the answer of its twin. */
import type * as storeDecision from "../store/decision.ts";
import type * as storeDefinition from "../store/definition.ts";
import type * as storeEvent from "../store/event.ts";
import type { Verb } from "../store/executor.ts";
import type * as storeInbox from "../store/inbox.ts";
import type * as storeInstance from "../store/instance.ts";
import type * as storeOperator from "../store/operator.ts";
import type * as storeQueue from "../store/queue.ts";
import type * as storeSample from "../store/sample.ts";
import type * as storeSettle from "../store/settle.ts";
import type * as storeState from "../store/state.ts";
import type * as storeStep from "../store/step.ts";
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

/** The verbs that a module of the store exports, as functions that work on tables and answer at once. */
type VerbsOf<Module> = {
  readonly [Name in keyof Module as Module[Name] extends { readonly verb: Name }
    ? Name
    : never]: Module[Name] extends Verb<string, infer Params, infer Result>
    ? (tables: Tables, ...params: Params) => Result
    : never;
};

/** All verbs of the store. One that the store gains and the memory lacks is an error of types below. */
type MemoryVerbs = VerbsOf<typeof storeDecision> &
  VerbsOf<typeof storeDefinition> &
  VerbsOf<typeof storeEvent> &
  VerbsOf<typeof storeInbox> &
  VerbsOf<typeof storeInstance> &
  VerbsOf<typeof storeOperator> &
  VerbsOf<typeof storeQueue> &
  VerbsOf<typeof storeSample> &
  VerbsOf<typeof storeSettle> &
  VerbsOf<typeof storeState> &
  VerbsOf<typeof storeStep>;

const verbs: MemoryVerbs = {
  ...decision,
  ...definition,
  ...instance,
  ...operator,
  appendEvents,
  claim,
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
  lockQueue: loadQueue,
  nextDue,
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
