import { afterEach, describe, expect, it } from "vitest";
import type { Program } from "./processes.ts";
import { Processes } from "./processes.ts";

/** A program of one line of JavaScript; it is ready when it prints `ready`. */
const program = (code: string): Program => ({
  name: "demo",
  args: ["--eval", code],
  isReady: (line) => line === "ready",
});

const staying = 'console.log("ready"); setInterval(() => {}, 1e6);';

let processes: Processes | undefined;

/** What happened, in order, with a promise for what happens next. */
const watched = () => {
  const events: string[] = [];
  let wake = (): void => {};
  const add = (text: string): void => {
    events.push(text);
    wake();
  };
  const until = async (text: string, times = 1): Promise<void> => {
    while (events.filter((event) => event === text).length < times) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  processes = new Processes({
    env: process.env,
    onLine: (_, __, line) => add(line),
    onReady: (name, _, again) => add(`${name} ready${again ? " again" : ""}`),
    onDeath: (name, _, how) => add(`${name} ${how}`),
  });
  return { processes, events, until };
};

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

afterEach(() => processes?.stop());

describe("a process that should be running", { timeout: 30_000 }, () => {
  it("is ready when it says so, and ends when it is asked to", async () => {
    const demo = watched();
    const pid = await demo.processes.start(program(staying));
    expect(demo.events).toEqual(["demo ready"]);
    await demo.processes.stop();
    expect(isGone(pid)).toBe(true);
    expect(demo.events).toEqual(["demo ready"]);
  });

  it("is started again when it is killed, as often as that happens once it was ready", async () => {
    const demo = watched();
    await demo.processes.start(program(`console.log(process.pid); ${staying}`));
    for (let kills = 1; kills <= 4; kills++) {
      const pid = Number(demo.events.findLast((event) => /^\d+$/.test(event)));
      process.kill(pid, "SIGKILL");
      await demo.until("demo ready again", kills);
      expect(isGone(pid)).toBe(true);
    }
    expect(demo.events.filter((event) => event === "demo was killed by SIGKILL")).toHaveLength(4);
  });

  it("is given up when it dies three times before it is ready, with what it said and how it ended", async () => {
    const demo = watched();
    void demo.processes.start(program('console.error("no luck"); process.exitCode = 3;'));
    await expect(demo.processes.givenUp).rejects.toThrow(
      "demo ended with code 3, 3 times before it was ready; what it said is above",
    );
    expect(demo.events.filter((event) => event === "no luck")).toHaveLength(3);
    expect(demo.events.filter((event) => event === "demo ended with code 3")).toHaveLength(2);
  });
});
