import { expect, it } from "vitest";
import { simulate, timeLimitMs } from "./simulate.ts";

// Seeds are shared out between two files, so that both cores have something to do.
it("keeps every promise in the runs of even seeds, and all that is rare happens", {
  timeout: timeLimitMs,
}, async () => {
  const { failure, coverage, isLarge } = await simulate({ part: 0, parts: 2 });
  if (failure !== undefined) throw new Error(failure);
  if (isLarge) expect(coverage.missing()).toEqual([]);
});
