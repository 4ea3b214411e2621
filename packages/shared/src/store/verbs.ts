/** All verbs of the store, with what they take and answer: for its twin in memory, and for the tests that hold both to it. */
export * from "./complete.ts";
export * from "./decision.ts";
export * from "./definition.ts";
export * from "./definition-list.ts";
export * from "./event.ts";
export * from "./inbox.ts";
export * from "./instance.ts";
export { notify } from "./notifier.ts";
export * from "./operator.ts";
export * from "./queue.ts";
export * from "./sample.ts";
export * from "./settle.ts";
export * from "./start.ts";
export * from "./state.ts";
export * from "./step.ts";
