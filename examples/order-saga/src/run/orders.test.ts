import { describe, expect, it } from "vitest";
import { orderLike } from "../testing/order.ts";
import type { OrdersFile } from "./orders.ts";
import { parseOrders, readOrders } from "./orders.ts";

const parse = (...lines: readonly string[]): Promise<OrdersFile> => {
  async function* bytes() {
    yield Buffer.from(lines.join("\n"));
  }
  return parseOrders(bytes());
};

const json = (changes = {}): string => JSON.stringify({ ...orderLike(), ...changes });

describe("a file of orders", () => {
  it("is read in its order, past empty lines, carriage returns and a byte order mark", async () => {
    const file = await parse(`\uFEFF${json()}\r`, "", "  \r", `${json({ orderId: "T-2" })}\r`, "");
    expect(file.orders.map(({ orderId }) => orderId)).toEqual(["T-1", "T-2"]);
    expect(file.bad).toEqual([]);
  });

  it("keeps its good lines when others are bad, and says which ones and why", async () => {
    const file = await parse(
      "nonsense",
      json(),
      "[]",
      json({ orderId: "T-2", country: "Germany" }),
      json({ orderId: "T-3" }),
    );
    expect(file.orders.map(({ orderId }) => orderId)).toEqual(["T-1", "T-3"]);
    expect(file.bad).toEqual([
      { line: 1, problem: expect.stringMatching(/^not JSON: .*nonsense/) },
      { line: 3, problem: expect.stringContaining("expected object") },
      { line: 4, problem: "country: must be two capital letters" },
    ]);
  });

  it("names every field that is wrong, where it stands", async () => {
    const lines = [{ sku: "lamp-arc", quantity: 0.5, unitCents: -1 }];
    const { bad } = await parse(json({ card: undefined, lines, extra: 1 }));
    expect(bad[0]?.problem).toMatch(/card: .*; lines\.0\.quantity: .*; lines\.0\.unitCents: .*; .*extra/);
  });

  it("takes the first of two orders with one id, and says where that stood", async () => {
    const file = await parse(json(), json({ customer: "Another" }));
    expect(file.orders).toEqual([orderLike()]);
    expect(file.bad).toEqual([{ line: 2, problem: "order 'T-1' was given before, in line 1" }]);
  });

  it.each(["a\u0000b", "half a character \ud83d", "\u001b[2Jcleared", "two\nlines"])(
    "refuses text that a database or a terminal does not take: %j",
    async (customer) => {
      const { bad } = await parse(json({ customer }));
      expect(bad).toEqual([{ line: 1, problem: "customer: must hold only whole, printable characters" }]);
    },
  );

  it("says what is wrong in one short line, whatever the file holds", async () => {
    const { bad } = await parse(json({ [`\u001b[2J\n${"x".repeat(5_000)}`]: 1 }), "y".repeat(100_000), "\u001b[2J");
    expect(bad.map(({ line }) => line)).toEqual([1, 2, 3]);
    for (const { problem } of bad) {
      expect(problem.length).toBeLessThanOrEqual(300);
      expect(problem).not.toMatch(/\p{Cc}/u);
    }
    expect(bad[1]?.problem).toBe("too long: 100000 bytes, and 65536 are the most");
  });

  it("rejects when it cannot be read", async () => {
    await expect(readOrders("/no/such/file")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
