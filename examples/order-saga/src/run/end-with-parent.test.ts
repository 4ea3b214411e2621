import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const preload = fileURLToPath(new URL("./end-with-parent.ts", import.meta.url));

/** A child as the example starts it; `input` is the tie that is cut. */
const childOf = async (code: string) => {
  const args = ["--import", import.meta.resolve("tsx"), "--import", preload, "--eval", code];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  await once(child.stdout, "data");
  return { input: child.stdin, ended };
};

const stays = 'console.log("here"); setInterval(() => {}, 1e6);';

describe("a process whose parent is gone", { timeout: 30_000 }, () => {
  it("is asked to end, and may do so in order", async () => {
    const { input, ended } = await childOf(`${stays} process.on("SIGTERM", () => process.exit(7));`);
    input.destroy();
    expect(await ended).toEqual([7, null]);
  });

  it("ends by the signal if it has nothing to put in order", async () => {
    const { input, ended } = await childOf(stays);
    input.destroy();
    expect(await ended).toEqual([null, "SIGTERM"]);
  });

  it("ends within seconds even if it does not want to", async () => {
    const { input, ended } = await childOf(`${stays} process.on("SIGTERM", () => {});`);
    input.destroy();
    expect(await ended).toEqual([1, null]);
  });
});

it("does not keep a process from ending by itself", { timeout: 30_000 }, async () => {
  const { ended } = await childOf('console.log("done")');
  expect(await ended).toEqual([0, null]);
});
