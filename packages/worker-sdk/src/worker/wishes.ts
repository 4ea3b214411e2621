/** What a worker would run at once of the steps that follow those it has run. */
import type { Take } from "@floxy/shared";

/** What may be taken in place of attempts that end. */
export interface Wishes {
  /** All handlers that the worker has, and from which key on steps may wait for them. */
  readonly handlers: Take["handlers"];
  /** Takes one of the slots that become free for a step of this handler; `false` if there is none. */
  readonly wants: (handler: string) => boolean;
}
