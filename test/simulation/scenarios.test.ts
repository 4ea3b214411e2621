import type { NodeJson } from "@floxy/shared";
import { describe, expect, it } from "vitest";
import { ByHand, fails, fork, undoable } from "./drive/by-hand.ts";
import type { Fate } from "./drive/worker.ts";

describe("a failure while other branches are on their way", () => {
  const nodes = [
    undoable("pay"),
    fork("f", { left: [undoable("l")], right: [undoable("r1"), undoable("r2")] }),
    undoable("end"),
  ];

  const atFailure = async (): Promise<ByHand> => {
    const hand = await ByHand.start(nodes);
    await hand.lease();
    await hand.settle("pay");
    await hand.lease();
    await hand.settle("l", fails);
    await hand.simulation.review();
    return hand;
  };

  it("adopts a sibling that completes now: it is undone, and nothing follows it (S29, S30)", async () => {
    const hand = await atFailure();
    expect([hand.status, hand.queued]).toEqual(["rolling_back", ["l", "r1"]]);
    await hand.settle("r1");
    expect([hand.statusOf("r1"), hand.queued]).toEqual(["completed", ["l"]]);
    await hand.end();
    expect([hand.status, hand.called("forward")]).toEqual(["failed", ["pay", "l", "r1"]]);
    expect([...hand.called("compensation")].sort()).toEqual(["l", "pay", "r1"]);
    expect(hand.called("compensation").at(-1)).toBe("pay");
  });

  it.each<[string, Fate, readonly string[]]>([
    ["fails", fails, ["l", "r1"]],
    ["was given back before it was called", { kind: "released" }, ["l"]],
    ["was refused before its handler began", { kind: "refused" }, ["l"]],
  ])("undoes a sibling that %s only if it may have had effects", async (_what, fate, expected) => {
    const hand = await atFailure();
    await hand.settle("r1", fate);
    await hand.end();
    const undone = hand.called("compensation").filter((name) => name !== "pay");
    expect([hand.status, [...undone].sort()]).toEqual(["failed", expected]);
  });

  it("undoes a sibling whose worker has died", async () => {
    const hand = await atFailure();
    hand.worker.die(() => true);
    await hand.end();
    expect([...hand.called("compensation")].sort()).toEqual(["l", "pay", "r1"]);
  });

  it("does not undo what was before the fork while a branch still runs (S31, S32)", async () => {
    const hand = await atFailure();
    await hand.lease();
    await hand.settle("l");
    await hand.simulation.review();
    expect(hand.queued).toEqual(["r1"]);
    await hand.settle("r1");
    await hand.simulation.review();
    expect(hand.queued).toEqual(["r1"]);
    await hand.lease();
    await hand.settle("r1");
    await hand.simulation.review();
    expect(hand.queued).toEqual(["pay"]);
  });
});

describe("a large instance", () => {
  it("with a fork of two hundred branches completes, and is rolled back, each step once", async () => {
    const names = Array.from({ length: 200 }, (_, index) => `t${index}`);
    const nodes = [fork("fan", Object.fromEntries(names.map((name) => [name, [undoable(name)]]))), undoable("end")];
    const done = await ByHand.start(nodes);
    await done.play();
    expect(done.status).toBe("completed");
    const undone = await ByHand.start(nodes);
    await undone.play(["end"]);
    expect([undone.status, undone.called("compensation").length]).toEqual(["failed", 201]);
  });

  it("of two hundred steps in sequence is rolled back to its start, the last step first", async () => {
    const names = Array.from({ length: 200 }, (_, index) => `t${index}`);
    const hand = await ByHand.start(names.map((name) => undoable(name)));
    await hand.play(["t199"]);
    expect([hand.status, hand.called("compensation")]).toEqual(["failed", names.reverse()]);
  });

  it("is rolled back from fifty levels down", async () => {
    const nest = (level: number): readonly NodeJson[] =>
      level === 0 ? [undoable("deep")] : [fork(`f${level}`, { in: nest(level - 1), out: [undoable(`t${level}`)] })];
    const hand = await ByHand.start(nest(50));
    await hand.play(["deep"]);
    expect([hand.status, hand.statusOf("deep"), hand.statusOf("f50")]).toEqual(["failed", "rolled_back", "skipped"]);
  });
});
