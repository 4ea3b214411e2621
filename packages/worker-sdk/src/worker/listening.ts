/** What a worker hears from others. It only saves waiting: polling and extending leases find the same. */
import type { Listener } from "@floxy/shared";
import { openListener, parseNotification } from "@floxy/shared";
import type { ResolvedWorkerOptions } from "./options.ts";

/** How to listen for a worker. */
export interface ListeningParams {
  readonly options: ResolvedWorkerOptions;
  /** Steps of handlers that the worker has may be ready. */
  readonly onWork: () => void;
  /** Handlers of these instances should stop; `undefined` when it may be any. */
  readonly onAbort: (instanceIds: ReadonlySet<string> | undefined) => void;
}

/** The item that stands for all items. */
const everything = "*";

/** Makes the listener of a worker; `undefined` when it is to poll alone. Throws `CONFIGURATION_INVALID` for a bad URL. */
export const listenFor = ({ options, onWork, onAbort }: ListeningParams): Listener | undefined => {
  const { listenConnectionString: connectionString, schema, handlers, logger, workerId } = options;
  if (connectionString === false) return undefined;
  return openListener({
    connectionString,
    schema,
    applicationName: `floxy worker ${workerId}`,
    channels: ["ready", "abort"],
    onNotification: (channel, payload) => {
      const items = new Set(parseNotification(payload));
      if (channel === "abort") onAbort(items.has(everything) ? undefined : items);
      else if (items.has(everything) || [...items].some((item) => handlers.has(item))) onWork();
    },
    onResync: () => {
      onWork();
      onAbort(undefined);
    },
    onState: (connected) => {
      if (!connected) logger.warn("notifications do not arrive; polling goes on");
    },
    onError: (error) => logger.debug({ error }, "the listening connection failed"),
  });
};
