import { describe, expect, it } from "vitest";
import { messageOf, readable, warning } from "./log-line.ts";

describe("a line of a process", () => {
  it("is shown as it is when it is no log in JSON", () => {
    for (const line of ["charged", "{ not JSON", '{"no":"message"}']) expect(readable(line)).toBe(line);
  });

  it("is not shown when it is a log that says nothing of note", () => {
    expect(readable('{"level":"info","msg":"starting"}')).toBeUndefined();
    expect(readable('{"level":"debug","msg":"looked"}')).toBeUndefined();
  });

  it("is shown in one sentence when it is a warning or worse", () => {
    expect(readable('{"level":"warn","msg":"trying again","error":{"code":"X","message":"refused"}}')).toBe(
      "! trying again: refused",
    );
    expect(readable('{"level":"error","msg":"over"}')).toBe("! over");
  });
});

it("says of an error what it says, without a stack", () => {
  expect(warning("lost", new Error("gone"))).toBe("! lost: gone");
  expect(messageOf(new AggregateError([new Error("no IPv6"), new Error("no IPv4")]))).toBe("no IPv6; no IPv4");
  expect([messageOf("text"), messageOf(undefined), messageOf({ a: 1 })]).toEqual(["text", "undefined", '{"a":1}']);
});
