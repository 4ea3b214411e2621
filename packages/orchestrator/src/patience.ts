/** Waiting for the parts of an end, but not for ever. */
import type { Logger } from "./log.ts";
import { errorField } from "./log.ts";
import type { Clock } from "./service/clock.ts";

/** Waits until a part is over, in whatever way, or patience ends; `otherwise` says what is then still the case. */
export type Patience = (otherwise: string, part: Promise<unknown> | undefined) => Promise<void>;

/** Makes a patience of `limitMs` for each part. */
export const createPatience =
  (limitMs: number, clock: Clock, log: Logger): Patience =>
  async (otherwise, part) => {
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(limitMs, () => {
        log.warn({ limitMs }, `giving up waiting: ${otherwise}`);
        resolve();
      });
    });
    const over = part?.then(
      () => {},
      (error: unknown) => log.warn({ error: errorField(error) }, "a part did not close cleanly"),
    );
    await Promise.race([over, late]);
    cancel();
  };
