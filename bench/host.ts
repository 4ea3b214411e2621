/** The process that a system is measured in; the harness starts it and talks to it. Not for people. */
import { createHost } from "./suite/hosted.ts";
import type { Answer, Ask } from "./suite/protocol.ts";

const host = createHost();

// Nothing of a system may be on standard output, which belongs to the table; a system that logs does so to the error output.
process.on("message", (message) => {
  const { number, name, take } = message as Ask;
  const answer = (rest: Omit<Answer, "number">): void => {
    process.send?.({ number, ...rest });
  };
  const call = host[name] as (take: unknown) => Promise<unknown>;
  call(take).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

// Without the harness there is nobody to measure for.
process.on("disconnect", () => process.exit(0));
