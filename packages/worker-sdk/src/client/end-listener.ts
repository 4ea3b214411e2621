/** Hearing of instances that have ended, as soon as anybody waits for one. */
import type { Listener } from "@floxy/shared";
import { openListener, parseNotification } from "@floxy/shared";
import type { EndWatcher } from "./end-watcher.ts";
import type { ResolvedClientOptions } from "./options.ts";

/** Listens for ends and tells the watcher. */
export class EndListener {
  readonly #options: ResolvedClientOptions;
  readonly #watcher: EndWatcher;
  #listener: Listener | undefined;

  constructor(options: ResolvedClientOptions, watcher: EndWatcher) {
    this.#options = options;
    this.#watcher = watcher;
  }

  /** Opens the connection, unless polling is to do alone. */
  start(): void {
    const { listenConnectionString, schema, logger } = this.#options;
    if (listenConnectionString === false || this.#listener !== undefined) return;
    this.#listener = openListener({
      connectionString: listenConnectionString,
      schema,
      applicationName: "floxy client listener",
      channels: ["finished"],
      onNotification: (_, payload) => {
        const items = parseNotification(payload);
        // A star stands for more than fits into a notification.
        void (items.includes("*") ? this.#watcher.look() : this.#watcher.look(items));
      },
      onResync: () => void this.#watcher.look(),
      onState: (connected) => {
        if (!connected) logger.warn("notifications do not arrive; polling goes on");
      },
    });
    this.#listener.start();
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.#listener?.close();
  }
}
