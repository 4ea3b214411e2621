/** Hearing what other processes tell, for ever: a subscription is replaced by a new one whenever it ends. */

import type { Channel } from "./channel.ts";
import { channelName } from "./channel.ts";
import { assertConnectionString, quoteSchema } from "./database.ts";
import { asConnectError } from "./database-error.ts";
import type { Subscription } from "./subscription.ts";
import { openSubscription } from "./subscription.ts";

/** How to make a {@link Listener}. */
export interface ListenerOptions {
  /** A direct connection: through pgbouncer in transaction mode nothing is heard. */
  readonly connectionString: string;
  readonly schema: string;
  /** What to listen to. */
  readonly channels: readonly Channel[];
  /** Called for each notification; its items are read with `parseNotification`. */
  readonly onNotification: (channel: Channel, payload: string) => void;
  /** Called after each (re)connect: whatever was told before was missed, so everything must be looked at. */
  readonly onResync: () => void;
  /** Called when notifications begin or cease to arrive; also if the first connection fails. */
  readonly onState?: ((connected: boolean) => void) | undefined;
  /** Called with what ended a connection, and with what a callback threw. */
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly applicationName?: string | undefined;
  /** The time between two heartbeats, in milliseconds; 10,000 unless told. */
  readonly heartbeatMs?: number | undefined;
  /** How long connecting or a heartbeat may take before the connection is given up, in milliseconds; 5,000 unless told. */
  readonly deadlineMs?: number | undefined;
  /** The longest wait before connecting again, in milliseconds; 5,000 unless told. */
  readonly maxRetryMs?: number | undefined;
  /** A number from 0 to 1, for the jitter. */
  readonly random?: (() => number) | undefined;
}

/** Listens, once started, until it is closed. */
export interface Listener {
  /** Whether notifications arrive now. */
  readonly connected: boolean;
  /** Begins to connect, and returns at once. */
  start(): void;
  /** Ends the connection; nothing is called from then on. */
  close(): Promise<void>;
}

/** The longest wait before the first retry, in milliseconds; it doubles from one to the next. */
const firstRetryMs = 100;

/** Makes a listener; nothing is connected before it is started. Throws `CONFIGURATION_INVALID` for a bad URL or schema name. */
export const openListener = (options: ListenerOptions): Listener => {
  const {
    schema,
    connectionString,
    applicationName = "floxy listener",
    heartbeatMs = 10_000,
    deadlineMs = 5_000,
  } = options;
  const { maxRetryMs = 5_000, random = Math.random } = options;
  quoteSchema(schema);
  assertConnectionString(connectionString);
  const byName = new Map(options.channels.map((channel) => [channelName(schema, channel), channel]));
  let subscription: Subscription | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  let failures = 0;
  let state: boolean | undefined;
  let phase: "new" | "started" | "closed" = "new";

  /** Calls back; what a callback throws must not reach the driver, which would take it for an error of its own. */
  const call = (callback: () => void): void => {
    if (phase === "closed") return;
    try {
      callback();
    } catch (error) {
      report(error);
    }
  };

  const report = (error: unknown): void => {
    try {
      options.onError?.(error);
    } catch {
      // There is nobody left to tell.
    }
  };

  const enter = (connected: boolean): void => {
    if (state === connected) return;
    state = connected;
    call(() => options.onState?.(connected));
  };

  const connect = (): void => {
    try {
      subscription = openSubscription({
        connectionString,
        applicationName,
        channels: [...byName.keys()],
        heartbeatMs,
        deadlineMs,
        onOpen() {
          failures = 0;
          enter(true);
          call(options.onResync);
        },
        onNotification(name, payload) {
          const channel = byName.get(name);
          if (channel !== undefined) call(() => options.onNotification(channel, payload));
        },
        onEnd: lost,
      });
    } catch (error) {
      lost(error);
    }
  };

  const lost = (error: unknown): void => {
    subscription = undefined;
    if (phase === "closed") return;
    report(asConnectError(error));
    enter(false);
    // Full jitter: after an outage all processes come back, and should not come at once.
    const ceiling = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures, 20));
    failures += 1;
    if (phase === "started") retryTimer = setTimeout(connect, random() * ceiling);
  };

  return {
    get connected() {
      return state === true;
    },
    start() {
      if (phase !== "new") return;
      phase = "started";
      connect();
    },
    async close() {
      phase = "closed";
      state = false;
      clearTimeout(retryTimer);
      await subscription?.close();
    },
  };
};
