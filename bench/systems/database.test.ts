import { expect, it } from "vitest";
import { idAt } from "./database.ts";

it("begins ids in the order of their moments, as the ULID specification has it", () => {
  expect(idAt(1_469_918_176_385)).toBe("01ARYZ6S41");
  expect(idAt(0)).toBe("0000000000");
  const moments = [1_700_000_000_000, 1_700_000_000_001, 1_700_000_060_000];
  expect(moments.map(idAt)).toEqual(moments.map(idAt).sort());
});
