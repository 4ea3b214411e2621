import { expect, it } from "vitest";
import { defineCompensation } from "../handler/compensation.ts";
import { defineHandler } from "../handler/contract.ts";
import { Running } from "./running.ts";
import { attemptOf, leasedStep, resolvedStep } from "./testing/steps.ts";

const contract = defineHandler<unknown, unknown>({ name: "work" });
const work = contract.implement(() => null);
const slow = defineHandler<unknown, unknown>({ name: "slow" }).implement(() => null, { concurrency: 2 });
const undo = defineCompensation({ name: "undo", of: contract }).implement(() => {});

const running = (concurrency: number) =>
  new Running(new Map([work, slow, undo].map((one) => [one.name, one])), concurrency);
const run = (of: Running, handler: string) => {
  const attempt = attemptOf(work, resolvedStep({ leased: leasedStep({ handler }) }));
  of.add(attempt);
  return attempt;
};
const slotsOf = (of: Running) => Object.fromEntries(of.offer().handlers.map(({ handler, slots }) => [handler, slots]));

it("offers all free slots to each handler, and no more than its own concurrency", () => {
  const one = running(10);
  expect(one.offer()).toMatchObject({ limit: 10, isPartial: false });
  expect(slotsOf(one)).toEqual({ work: 10, slow: 2, undo: 10 });
  for (let count = 0; count < 7; count++) run(one, "work");
  const slowOne = run(one, "slow");
  expect(slotsOf(one)).toEqual({ work: 2, slow: 1, undo: 2 });
  run(one, "slow");
  expect(slotsOf(one)).toEqual({ work: 1, undo: 1 });
  expect(one.offer().isPartial).toBe(true);
  one.remove(slowOne);
  one.remove(slowOne);
  expect(slotsOf(one)).toEqual({ work: 2, slow: 1, undo: 2 });
});

it("keeps slots for compensations when all others are taken", () => {
  const one = running(3);
  for (let count = 0; count < 3; count++) run(one, "work");
  expect(one).toMatchObject({ free: 0, limit: 4 });
  expect(one.offer()).toMatchObject({ handlers: [{ handler: "undo", slots: 1 }], limit: 1, isPartial: true });
  run(one, "undo");
  expect(one.offer().handlers).toEqual([]);
});

/** A worker with 20 slots and 2 connections for transactions, whose handlers are those of these names. */
const transactional = (...names: string[]) => {
  const options = { transactional: true } as const;
  const all = [
    work,
    contract.implement(() => null, options),
    undo,
    defineCompensation({ name: "undo", of: contract }).implement(() => {}, options),
  ].map((handler, index) => ({ ...handler, name: ["plain", "booked", "undone", "unbooked"][index] ?? "" }));
  return new Running(new Map(all.filter(({ name }) => names.includes(name)).map((one) => [one.name, one])), 20, 2);
};

it("needs connections for transactions only with transactional handlers, and one to spare only for compensations", () => {
  expect(transactional("plain", "undone").transactionalLimit).toBe(0);
  expect(transactional("plain", "booked").transactionalLimit).toBe(2);
  expect(transactional("booked", "unbooked").transactionalLimit).toBe(3);
  expect(transactional("plain", "undone").offer().transactionalLimit).toBeUndefined();
});

it("offers no more transactional steps than connections are free, and keeps one for compensations", () => {
  const one = transactional("plain", "booked", "undone", "unbooked");
  expect(one.offer()).toMatchObject({ limit: 20, transactionalLimit: 2, isPartial: false });
  expect(slotsOf(one)).toEqual({ plain: 20, booked: 2, undone: 20, unbooked: 2 });
  run(one, "booked");
  expect(one.offer().transactionalLimit).toBe(1);
  const booked = run(one, "booked");
  expect(slotsOf(one)).toEqual({ plain: 18, undone: 18, unbooked: 1 });
  run(one, "unbooked");
  expect(slotsOf(one)).toEqual({ plain: 17, undone: 17 });
  expect(one.offer()).toMatchObject({ transactionalLimit: undefined, isPartial: true });
  one.remove(booked);
  expect(slotsOf(one)).toEqual({ plain: 18, undone: 18, unbooked: 1 });
});

it("offers a connection to compensations also when all slots but those kept for them are taken", () => {
  const one = transactional("plain", "booked", "unbooked");
  run(one, "booked");
  for (let count = 0; count < 19; count++) run(one, "plain");
  expect(slotsOf(one)).toEqual({ unbooked: 2 });
});

it("tells when all results are settled, and when nothing runs any more", async () => {
  const one = running(3);
  const told: string[] = [];
  await Promise.all([one.settled(), one.empty()]);
  const [first, second] = [run(one, "work"), run(one, "work")];
  const all = Promise.all([one.settled().then(() => told.push("settled")), one.empty().then(() => told.push("empty"))]);
  one.settle(first);
  one.remove(first);
  await Promise.resolve();
  expect(told).toEqual([]);
  one.settle(second);
  await Promise.resolve();
  expect(told).toEqual(["settled"]);
  one.remove(second);
  await all;
  expect(told).toEqual(["settled", "empty"]);
});
