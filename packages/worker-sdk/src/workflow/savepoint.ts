/** The names of savepoints: where one can stand, and which have been passed. */
import type { RetryPolicy } from "@floxy/shared";
import type { TakenName } from "./check.ts";
import type { Place } from "./flow.ts";

/** What follows a rollback to a savepoint. */
export interface SavepointOptions {
  /** Lets the flow go on from it again by itself; `maxAttempts` counts all the times, the first included. */
  readonly retry?: RetryPolicy;
}

/** The name of a savepoint, if one can stand here and the name is free. */
export type SavepointName<Name extends string, Used extends string, P extends Place> = P extends "branch"
  ? "a savepoint cannot stand in a branch of a fork; put it before the fork or after it"
  : Name extends Used
    ? TakenName<Name>
    : Name;

/** The name of a savepoint as it stands among what is certain. No step can have it, because names have no spaces. */
export type PassedMark<Name extends string> = `savepoint ${Name}`;

/** The name of a savepoint, if the flow has certainly passed it. */
export type PassedSavepoint<Name extends string, Certain extends string> =
  PassedMark<Name> extends Certain
    ? Name
    : string extends Name
      ? Name
      : `'${Name}' is no savepoint that has certainly been passed by here`;
