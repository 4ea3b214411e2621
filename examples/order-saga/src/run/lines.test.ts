import { expect, it } from "vitest";
import type { Line } from "./lines.ts";
import { splitLines } from "./lines.ts";

const split = async (chunks: readonly (string | Uint8Array)[], limit = 100): Promise<Line[]> => {
  async function* bytes() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const lines: Line[] = [];
  for await (const line of splitLines(bytes(), limit)) lines.push(line);
  return lines;
};

it("joins what was cut between two chunks, also in the middle of a character", async () => {
  const bytes = Buffer.from("on\ntwo €\nend");
  for (let at = 0; at <= bytes.length; at++) {
    const lines = await split([bytes.subarray(0, at), bytes.subarray(at)]);
    expect(lines.map(({ text }) => text)).toEqual(["on", "two €", "end"]);
  }
});

it("numbers empty lines too, and has no line after the last newline", async () => {
  expect(await split(["a\n\nb\n"])).toEqual([
    { number: 1, text: "a" },
    { number: 2, text: "" },
    { number: 3, text: "b" },
  ]);
  expect(await split([])).toEqual([]);
});

it("takes away a byte order mark", async () => {
  expect(await split(["\uFEFF{}\n"])).toEqual([{ number: 1, text: "{}" }]);
});

it("reports a line that is too long, and goes on with the next", async () => {
  expect(await split(["x".repeat(60), "x".repeat(60), "\nshort"])).toEqual([
    { number: 1, text: "", problem: "too long: 120 bytes, and 100 are the most" },
    { number: 2, text: "short" },
  ]);
});

it("reports a line that is not UTF-8, and goes on with the next", async () => {
  expect(await split([Uint8Array.of(0xff, 0xfe, 0x0a), "next"])).toEqual([
    { number: 1, text: "", problem: "not UTF-8" },
    { number: 2, text: "next" },
  ]);
});
