/** Notifications: which services they wake, and how our own are published. Only hints; polling is the truth. */
import type { Listener } from "@floxy/shared";
import { delayedItem, openListener, parseNotification } from "@floxy/shared";
import type { ListenerState } from "./health.ts";
import type { Logger } from "./log.ts";
import type { Services } from "./services.ts";

/** What the inlet of notifications needs. */
export interface InletOptions {
  /** Where to LISTEN, or `false` to poll only. */
  readonly connectionString: string | false;
  readonly schema: string;
  readonly services: () => Pick<Services, "review" | "timer">;
  readonly log: Logger;
  readonly onNotification: (channel: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Receives notifications and wakes services. */
export interface Inlet {
  start(): void;
  state(): ListenerState;
  close(): Promise<void>;
}

/** Makes the inlet; nothing is connected before it is started. */
export const createInlet = (options: InletOptions): Inlet => {
  const { connectionString, schema, services, log } = options;
  if (connectionString === false) return { start() {}, state: () => "off", close: async () => {} };
  const listener: Listener = openListener({
    connectionString,
    schema,
    channels: ["review"],
    applicationName: "floxy orchestrator listener",
    onNotification(channel, payload) {
      options.onNotification(channel);
      const { review, timer } = services();
      const items = parseNotification(payload);
      if (items.some((item) => item !== delayedItem)) review.wake();
      // What names neither is from a newer version, or was too long to say: a look too many costs one statement.
      if (items.some((item) => item !== "inbox")) timer.wake();
    },
    onResync() {
      // Whatever was said meanwhile was not heard.
      const { review, timer } = services();
      review.wake();
      timer.wake();
    },
    onState(connected) {
      if (connected) log.info({}, "notifications arrive");
      else log.warn({}, "notifications do not arrive; polling goes on");
    },
    onError: options.onError,
  });
  return {
    start: () => listener.start(),
    state: () => (listener.connected ? "connected" : "disconnected"),
    close: () => listener.close(),
  };
};
