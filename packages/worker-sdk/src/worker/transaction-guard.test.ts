import type { UserResult, UserStatement } from "@floxy/shared";
import { expect, it } from "vitest";
import { guard } from "./transaction-guard.ts";

const answer: UserResult = { command: "SELECT", rowCount: 1, rows: [{ a: 1 }], fields: [] };

/** A guard before a transaction that answers everything but `fail …`, and keeps what it is asked. */
const setUp = () => {
  const asked: UserStatement[] = [];
  const watched = guard(async (statement) => {
    asked.push(statement);
    if (statement.text.startsWith("fail")) throw new Error(statement.text);
    return answer;
  });
  return { ...watched, watched, asked };
};

it("hands statements on, as text or as an object, and leaves out the name of a prepared statement", async () => {
  const { client, asked } = setUp();
  expect(await client.query("SELECT $1", [1])).toBe(answer);
  await client.query({ text: "SELECT $1", values: [2], rowMode: "array", ...{ name: "mine" } });
  await client.query({ text: "SELECT $1", values: [3] }, [4]);
  expect(asked).toEqual([
    { text: "SELECT $1", values: [1] },
    { text: "SELECT $1", values: [2], rowMode: "array" },
    { text: "SELECT $1", values: [4] },
  ]);
});

it("tells a callback, for libraries that wait for no promise", async () => {
  const { client } = setUp();
  const told = (text: string, values?: unknown[]) =>
    new Promise((resolve) => {
      const callback = (error: unknown, result?: unknown) => resolve(error ?? result);
      if (values === undefined) client.query(text, callback);
      else client.query(text, values, callback);
    });
  expect(await told("SELECT 1")).toBe(answer);
  expect(await told("SELECT $1", [1])).toBe(answer);
  expect(await told("fail")).toEqual(new Error("fail"));
  expect(await told("COMMIT")).toMatchObject({ code: "HANDLER_NOT_RETRYABLE" });
});

it.each([
  "COMMIT",
  "commit work",
  " ; \n COMMIT",
  "-- all done\nCOMMIT",
  "/* a /* b */ c */ COMMIT AND CHAIN",
  "BEGIN",
  "begin;",
  "START TRANSACTION",
  "END",
  "ABORT",
  "ROLLBACK",
  "rollback work",
  "ROLLBACK AND CHAIN",
  "PREPARE TRANSACTION 'x'",
  "DEALLOCATE ALL",
  "DISCARD ALL",
])("refuses %j, and remembers that it was tried", async (text) => {
  const { client, watched, asked } = setUp();
  await expect(client.query(text)).rejects.toMatchObject({ code: "HANDLER_NOT_RETRYABLE" });
  expect(watched.violation).toMatchObject({ code: "HANDLER_NOT_RETRYABLE" });
  expect(asked).toEqual([]);
});

it.each([
  "SAVEPOINT a",
  "ROLLBACK TO SAVEPOINT a",
  "rollback work to a",
  "RELEASE a",
  "SELECT 'COMMIT'",
  "-- COMMIT\nSELECT 1",
  "/* COMMIT */ SELECT 1",
  "UPDATE commit SET begin = 1",
  "WITH a AS (SELECT 1) SELECT * FROM a",
  "",
  "/* never closed",
])("lets %j pass", async (text) => {
  const { client, watched, asked } = setUp();
  await client.query(text);
  expect(watched.violation).toBeUndefined();
  expect(asked).toHaveLength(1);
});

it("refuses cursors of the driver, which would go around it", async () => {
  const { client, watched } = setUp();
  const cursor = { submit() {}, text: undefined } as unknown as { text: string };
  await expect(client.query(cursor)).rejects.toMatchObject({ code: "HANDLER_NOT_RETRYABLE" });
  expect(watched.violation).toBeDefined();
});

it("knows the first statement that failed, until one succeeds again after going back to a savepoint", async () => {
  const { client, watched } = setUp();
  await expect(client.query("fail 1")).rejects.toThrow("fail 1");
  await expect(client.query("fail 2")).rejects.toThrow("fail 2");
  expect(watched.failure).toEqual(new Error("fail 1"));
  await client.query("ROLLBACK TO a");
  expect(watched.failure).toBeUndefined();
});

it("refuses everything once it is closed, with the first reason", async () => {
  const { client, close, asked } = setUp();
  const reason = new Error("time is up");
  close(reason);
  close(new Error("later"));
  await expect(client.query("SELECT 1")).rejects.toBe(reason);
  expect(asked).toEqual([]);
});
