/** Notifications: which services they wake, and how our own are published. Only hints; polling is the truth. */
import type { Listener } from "@floxy/shared";
import { bulkItem, delayedItem, openListener, parseNotification } from "@floxy/shared";
import type { ListenerState } from "./health.ts";
import type { Logger } from "./log.ts";
import type { Services } from "./services.ts";

const inboxItem = "inbox";
const known: ReadonlySet<string> = new Set([inboxItem, delayedItem, bulkItem]);

/** What the inlet of notifications needs. */
export interface InletOptions {
  /** Where to LISTEN, or `false` to poll only. */
  readonly connectionString: string | false;
  readonly schema: string;
  readonly services: () => Pick<Services, "review" | "timer" | "bulk">;
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
      const { review, timer, bulk } = services();
      const items = parseNotification(payload);
      // What is none of ours is from a newer version, or was too long to say: a look too many costs one statement.
      const told = (item: string): boolean => items.some((one) => one === item || !known.has(one));
      if (told(inboxItem)) review.wake();
      if (told(delayedItem)) timer.wake();
      if (told(bulkItem)) bulk.wake();
    },
    onResync() {
      // Whatever was said meanwhile was not heard.
      const { review, timer, bulk } = services();
      review.wake();
      timer.wake();
      bulk.wake();
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
