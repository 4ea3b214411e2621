import { describe, expect, it } from "vitest";
import { FloxyError } from "./error.ts";
import { nameLimit } from "./limit.ts";
import { assertName, checkName } from "./name.ts";

describe("checkName", () => {
  it("accepts a letter followed by letters, digits and _ . : -", () => {
    for (const name of ["a", "Z", "charge-card", "orders.ship:v2", "step_1", "a".repeat(nameLimit)]) {
      expect(checkName("node", name), name).toBeNull();
    }
  });

  it("says which value, which character and where", () => {
    const problem = checkName("handler", "charge card", "nodes[0].handler");
    expect(problem).toMatchObject({ path: "nodes[0].handler", code: "invalid_name" });
    expect(problem?.message).toContain("the handler name 'charge card' has ' ' as character 7");
    expect(problem?.message).toContain("letters, digits and the characters _ . : -");
  });

  it("counts characters as a person does, not UTF-16 units", () => {
    expect(checkName("node", "a😀b")?.message).toContain("'😀' as character 2");
  });

  it("says that the first character must be a letter", () => {
    for (const name of ["1a", "_a", "-a", "__proto__"]) {
      expect(checkName("node", name)?.message, name).toContain("as its first character");
    }
  });

  it("escapes what would break a terminal or a log line", () => {
    const message = checkName("node", "a\n\u001b[31m\u202E\u0000")?.message;
    expect(message).toContain("'a\\n\\u001b[31m\\u202e\\u0000'");
    expect(message).not.toContain("\n");
  });

  it("cuts a long value in the message", () => {
    const message = checkName("node", "x".repeat(100_000))?.message ?? "";
    expect(message).toContain("100000 characters, and at most 100");
    expect(message.length).toBeLessThan(250);
  });

  it("refuses an empty name and what is not text", () => {
    expect(checkName("branch", "")?.message).toContain("is empty");
    expect(checkName("branch", null)?.message).toContain("must be text, and it is null");
    expect(checkName("branch", 7)?.message).toContain("must be text, and it is number");
  });
});

describe("assertName", () => {
  it("throws NAME_INVALID with the problem", () => {
    expect(() => assertName("definition", "ok")).not.toThrow();
    try {
      assertName("definition", "no way");
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(FloxyError);
      expect(error).toMatchObject({ code: "NAME_INVALID", problems: [{ code: "invalid_name" }] });
    }
  });
});
