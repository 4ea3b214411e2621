/** A store and a process for one system, for as long as something is measured. */
import { Child } from "../suite/child.ts";
import type { BenchServer } from "../suite/server.ts";
import type { Store } from "../suite/store.ts";
import { openStore } from "../suite/store.ts";
import type { Scenario } from "../systems/system.ts";
import type { Bench } from "./workload.ts";

/** What is open. */
export interface Place {
  readonly server: BenchServer;
  readonly store: Store;
  readonly child: Child;
  readonly configuration: string;
  readonly warmUp: number;
}

/** Opens a new store and a new process, and closes both whatever happens. */
export const withPlace = async <T>(
  bench: Bench,
  what: {
    readonly system: string;
    readonly scenario: Scenario;
    readonly settings?: Readonly<Record<string, string>> | undefined;
  },
  use: (place: Place) => Promise<T>,
): Promise<T> => {
  const { system, scenario, settings } = what;
  const server = await bench.server(settings);
  const store = await openStore(server, system);
  const child = new Child();
  try {
    const opened = await child.ask("open", { system, url: store.url, scenario, setUp: true });
    return await use({ server, store, child, ...opened });
  } finally {
    await child.end();
    await store.drop();
  }
};
