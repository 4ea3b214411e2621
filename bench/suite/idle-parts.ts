/** Parts of Floxy that have nothing to do. */
import { createOrchestrator } from "@floxy/orchestrator";
import { defineHandler, Worker } from "@floxy/worker-sdk";
import type { Stoppable } from "../systems/system.ts";

/** Starts so many workers with nothing to do in this process, or an orchestrator where none are asked for. */
export const idleParts = async (url: string, workers: number): Promise<Stoppable> => {
  const started: Stoppable[] = [];
  if (workers === 0) {
    const orchestrator = createOrchestrator({ connectionString: url, http: false, processMetrics: false });
    await orchestrator.start();
    started.push(orchestrator);
  }
  for (let index = 0; index < workers; index++) {
    const handler = defineHandler<unknown, null>({ name: `never-${index}` }).implement(() => null);
    const worker = new Worker({ connectionString: url, signals: false, handlers: [handler] });
    await worker.start();
    started.push(worker);
  }
  return {
    async stop() {
      await Promise.all(started.map((part) => part.stop()));
    },
  };
};
