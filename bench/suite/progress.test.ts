import { expect, it, vi } from "vitest";
import { Progress } from "./progress.ts";

it("says which of how many is measured, and how long the rest takes by what is known", () => {
  const clock = vi.spyOn(performance, "now").mockReturnValue(0);
  const lines: string[] = [];
  const progress = new Progress(["a", "b", "a", "b"], (text) => lines.push(text));
  progress.begin("first");
  clock.mockReturnValue(10_000);
  progress.end("done", 10_000);
  progress.begin("second");
  clock.mockReturnValue(70_000);
  progress.end("done", 60_000);
  progress.begin("third");
  expect(lines.join("")).toBe(
    "[1/4] first … done\n[2/4] second, about 30 s left … done\n[3/4] third, about 70 s left … ",
  );
});
