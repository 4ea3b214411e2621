import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { bookedInFull, openBooks, write } from "../testing/books.ts";
import { orderLike } from "../testing/order.ts";
import { withDatabase } from "./database.ts";
import type { EndedOrder } from "./proof.ts";
import { prove } from "./proof.ts";

const chairs = [{ sku: "chair-ash", quantity: 2, unitCents: 8_900 }];
const desks = [{ sku: "desk-oak", quantity: 2, unitCents: 42_900 }];

const ended: readonly EndedOrder[] = [
  { order: orderLike({ orderId: "KEPT", lines: chairs }), completed: true },
  { order: orderLike({ orderId: "INSURED", lines: desks }), completed: true },
  { order: orderLike({ orderId: "UNDONE", lines: desks }), completed: false },
  { order: orderLike({ orderId: "REFUSED", lines: chairs }), completed: false },
];

let client: pg.Client;
let drop: () => void;
let dropped: Promise<void>;

beforeAll(async () => {
  const url = await new Promise<string>((resolve, reject) => {
    dropped = withDatabase(
      inject("databaseUrl"),
      () => {},
      (database) => {
        resolve(database.url);
        return new Promise<void>((done) => {
          drop = done;
        });
      },
    );
    dropped.catch(reject);
  });
  await openBooks(url);
  client = new pg.Client({ connectionString: url });
  await client.connect();
  await write(client, [
    ...bookedInFull("KEPT", "chair-ash", 2, 17_800),
    ...bookedInFull("INSURED", "desk-oak", 2, 85_800),
    ["orders", "UNDONE", "accepted", "", 1],
    ["payment", "UNDONE", "charge", "", 85_800],
    ["inventory", "UNDONE", "reserve", "desk-oak", 2],
    ["shipping", "UNDONE", "insure", "", 85_800],
    ["shipping", "UNDONE", "cancel-insurance", "", -85_800],
    ["inventory", "UNDONE", "release", "desk-oak", -2],
    ["payment", "UNDONE", "refund", "", -85_800],
    ["orders", "UNDONE", "rejected", "", -1],
    ["orders", "REFUSED", "accepted", "", 1],
    ["orders", "REFUSED", "rejected", "", -1],
  ]);
});

afterAll(async () => {
  await client.end();
  drop();
  await dropped;
});

// Each test tampers with the same books, and nothing of it stays.
beforeEach(async () => void (await client.query("BEGIN")));
afterEach(async () => void (await client.query("ROLLBACK")));

const violationsAfter = async (sql: string): Promise<readonly string[]> => {
  await client.query(sql);
  return (await prove(client, ended)).violations;
};

describe("the proof", () => {
  it("holds for ledgers that are right, and sums them up", async () => {
    expect(await prove(client, ended)).toEqual({ violations: [], entries: 21, chargedCents: 103_600, shipped: 2 });
  });

  it.each([
    [
      "an extra charge",
      "INSERT INTO payment.entry (order_id, kind, item, amount) VALUES ('KEPT', 'charge', '', 17800)",
      ["KEPT: completed with 2 × charge of 35600 in all, expected 1 of 17800"],
    ],
    [
      "a charge of the wrong amount",
      "UPDATE payment.entry SET amount = 1 WHERE order_id = 'KEPT'",
      ["KEPT: completed with 1 × charge of 1 in all, expected 1 of 17800"],
    ],
    [
      "a charge that was never made",
      "DELETE FROM payment.entry WHERE order_id = 'KEPT'",
      ["KEPT: completed with 0 × charge of 0 in all, expected 1 of 17800"],
    ],
    [
      "a refund of what was kept",
      "INSERT INTO payment.entry (order_id, kind, item, amount) VALUES ('KEPT', 'refund', '', -17800)",
      ["KEPT: completed with 1 × refund of -17800 in all, expected 0 of 0"],
    ],
    [
      "a missing refund",
      "DELETE FROM payment.entry WHERE kind = 'refund'",
      ["UNDONE: failed, but charge stands: 1 of 85800 done, 0 of 0 undone"],
    ],
    [
      "a refund too many",
      "INSERT INTO payment.entry (order_id, kind, item, amount) VALUES ('REFUSED', 'refund', '', -17800)",
      ["REFUSED: failed, but charge stands: 0 of 0 done, 1 of -17800 undone"],
    ],
    [
      "an effect that was done and undone twice",
      `INSERT INTO payment.entry (order_id, kind, item, amount)
        SELECT order_id, kind, item, amount FROM payment.entry WHERE order_id = 'UNDONE'`,
      ["UNDONE: failed, but charge stands: 2 of 171600 done, 2 of -171600 undone"],
    ],
    [
      "a parcel for an order that failed",
      "INSERT INTO shipping.entry (order_id, kind, item, amount) VALUES ('REFUSED', 'ship', '', 1)",
      ["REFUSED: failed, but ship stands: 1 of 1 done, 0 of 0 undone"],
    ],
    [
      "a confirmation of an order that failed",
      "INSERT INTO orders.entry (order_id, kind, item, amount) VALUES ('REFUSED', 'confirmed', '', 1)",
      ["REFUSED: failed, but was confirmed"],
    ],
    [
      "an insurance of what needs none",
      "INSERT INTO shipping.entry (order_id, kind, item, amount) VALUES ('KEPT', 'insure', '', 17800)",
      ["KEPT: insure was booked, which no order that ended has"],
    ],
    [
      "an entry of an order that nobody placed",
      "INSERT INTO payment.entry (order_id, kind, item, amount) VALUES ('GHOST', 'charge', '', 5)",
      ["GHOST: charge was booked, which no order that ended has"],
    ],
    [
      "a reservation of something else",
      "UPDATE inventory.entry SET item = 'lamp-arc' WHERE order_id = 'KEPT'",
      [
        "KEPT: completed with 0 × reserve chair-ash of 0 in all, expected 1 of 2",
        "KEPT: reserve lamp-arc was booked, which no order that ended has",
        "chair-ash: 38 on hand, but 40 less 0 reserved",
        "lamp-arc: 30 on hand, but 30 less 2 reserved",
      ],
    ],
    [
      "wrong stock",
      "UPDATE inventory.stock SET on_hand = on_hand + 1 WHERE sku = 'desk-oak'",
      ["desk-oak: 11 on hand, but 12 less 2 reserved"],
    ],
  ])("fails for %s, and names it", async (_, sql, violations) => {
    const found = await violationsAfter(sql);
    expect([...found].sort()).toEqual([...violations].sort());
  });

  it("fails when an order ended otherwise than its entries say", async () => {
    const turned = ended.map(({ order, completed }) => ({ order, completed: !completed }));
    const { violations } = await prove(client, turned);
    for (const { order } of ended) expect(violations.join("\n")).toContain(`${order.orderId}: `);
  });
});
