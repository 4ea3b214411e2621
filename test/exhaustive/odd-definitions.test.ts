import { expect, it } from "vitest";
import { checkAll } from "./check-all.ts";

// Definitions are shared out between two files, so that both cores have something to do.
it("keeps every promise for the small definitions of odd number, whatever single thing goes wrong", {
  timeout: 3_600_000,
}, async () => {
  const { definitions, cases, failure } = await checkAll(1, 2);
  console.log(`${definitions} definitions, ${cases} cases`);
  if (failure !== undefined) throw new Error(failure);
  expect(cases).toBeGreaterThan(10_000);
});
