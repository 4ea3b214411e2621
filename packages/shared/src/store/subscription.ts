/**
 * One connection that listens, from its opening to its end. The only file that imports `pg-listen`, of which it uses
 * no reconnecting: that gives up for good after three seconds, goes on after close(), and does not notice a black hole.
 */
import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import pgListen from "pg-listen";
import { FloxyError } from "../vocabulary/error.ts";

// A CommonJS module with a `default` of its own, which Node puts below the one that it makes.
const createSubscriber = pgListen.default;

/** How to open a {@link Subscription}. */
export interface SubscriptionOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  /** The channels' names in the database. */
  readonly channels: readonly string[];
  /** The time between two heartbeats, in milliseconds. */
  readonly heartbeatMs: number;
  /** How long a heartbeat may take, and the opening too, in milliseconds. */
  readonly deadlineMs: number;
  /** Called once, when notifications are known to arrive. */
  readonly onOpen: () => void;
  readonly onNotification: (channel: string, payload: string) => void;
  /** Called once, when the connection is of no more use, unless it was closed. */
  readonly onEnd: (error: unknown) => void;
}

/** A connection that listens. */
export interface Subscription {
  /** Ends it; waits a moment for the server to hear of it. */
  close(): Promise<void>;
}

/** How long to wait for the server to end a connection that we close. */
const farewellMs = 500;

/**
 * Opens a subscription. It calls `onOpen` when the first heartbeat came back: not before is it known that nothing
 * between, such as pgbouncer in transaction mode, swallows notifications. A standby refuses LISTEN, so it never opens
 * there, and its connection ends.
 */
export const openSubscription = (options: SubscriptionOptions): Subscription => {
  const { channels, heartbeatMs, deadlineMs, onOpen, onNotification, onEnd } = options;
  const heartbeat = `floxy_heartbeat_${randomBytes(8).toString("hex")}`;
  // The socket is ours, because ending a connection politely through a black hole takes a quarter of an hour.
  const socket = new Socket();
  const subscriber = createSubscriber(
    {
      connectionString: options.connectionString,
      application_name: options.applicationName,
      keepAliveInitialDelayMillis: 10_000,
      stream: () => socket,
    },
    { retryLimit: 1, retryInterval: 0, paranoidChecking: false, parse: asItIs, serialize: asItIs },
  );
  let timer: NodeJS.Timeout | undefined;
  let isOpen = false;
  let isOver = false;

  const finish = async (): Promise<void> => {
    isOver = true;
    clearTimeout(timer);
    await Promise.race([subscriber.close().catch(() => {}), once(farewellMs)]);
    socket.destroy();
  };

  const fail = (error: unknown): void => {
    if (isOver) return;
    // What ended like this is not bid farewell; finish() then only tells pg-listen not to connect again.
    socket.destroy();
    void finish();
    onEnd(error);
  };

  const expectBeat = (): void => {
    timer = setTimeout(() => {
      // If it was this process that stood still, the answer may lie in the socket, which is read before the next check.
      timer = setTimeout(() => fail(silence(deadlineMs)), 1);
    }, deadlineMs);
  };

  const beat = (): void => {
    expectBeat();
    subscriber.notify(heartbeat, "").catch(fail);
  };

  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(beat, heartbeatMs);
    if (isOpen) return;
    isOpen = true;
    onOpen();
  };

  subscriber.events.on("notification", ({ channel, payload }) => {
    if (isOver) return;
    if (channel === heartbeat) heard();
    else onNotification(channel, String(payload ?? ""));
  });
  // Said when the connection is lost; why is not said, and "reconnecting failed" would only mislead.
  subscriber.events.on("error", () =>
    fail(new FloxyError("DATABASE_UNAVAILABLE", "the listening connection was lost")),
  );

  const open = async (): Promise<void> => {
    await subscriber.connect();
    for (const channel of [heartbeat, ...channels]) await subscriber.listenTo(channel);
    await subscriber.notify(heartbeat, "");
  };
  expectBeat();
  open().catch(fail);

  return { close: finish };
};

const once = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

const asItIs = (payload: string): string => payload;

const silence = (ms: number): FloxyError =>
  new FloxyError(
    "DATABASE_UNAVAILABLE",
    `no notification came back within ${ms} ms; is LISTEN on a direct connection?`,
  );
