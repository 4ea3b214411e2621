import { describe, expect, it } from "vitest";
import { encodeItems, parseNotification } from "./channel.ts";
import type { Executor } from "./executor.ts";
import { createNotifier } from "./notifier.ts";
import { eventually } from "./testing/database.ts";

type Sent = readonly (readonly [channel: string, items: readonly string[]])[];

const listOf = (array: string): string[] => JSON.parse(`[${array.slice(1, -1)}]`) as string[];

/** A database that remembers what was sent, a list for each statement. */
const recorder = (answer: () => Promise<void> = async () => {}) => {
  const sent: Sent[] = [];
  const times: number[] = [];
  const db: Executor = {
    schema: '"floxy"',
    async query(_statement, values) {
      const [channels, payloads] = (values as string[]).map(listOf) as [string[], string[]];
      sent.push(channels.map((channel, at) => [channel, parseNotification(payloads[at] ?? "")]));
      times.push(performance.now());
      await answer();
      return [];
    },
  };
  return { db, sent, times };
};

describe("a notifier", () => {
  it("sends what one tick told in one statement, each item once, at once", async () => {
    const { db, sent } = recorder();
    const notifier = createNotifier({ db, minIntervalMs: 60_000 });
    notifier.notify("ready", ["a", "b"]);
    notifier.notify("ready", ["b", "c"]);
    notifier.notify("finished", ["1"]);
    await eventually(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual([
      ["floxy_ready", ["a", "b", "c"]],
      ["floxy_finished", ["1"]],
    ]);
    await notifier.close();
  });

  it("collects while it rests, and sends the rest when the time is over", async () => {
    const { db, sent, times } = recorder();
    const notifier = createNotifier({ db, minIntervalMs: 50 });
    notifier.notify("ready", ["a"]);
    await eventually(() => expect(sent).toHaveLength(1));
    notifier.notify("ready", ["b"]);
    notifier.notify("ready", ["c"]);
    await eventually(() => expect(sent).toHaveLength(2));
    expect(sent[1]).toEqual([["floxy_ready", ["b", "c"]]]);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(45);
    await notifier.close();
  });

  it("has one statement on its way at a time", async () => {
    let answered = (): void => {};
    const { db, sent } = recorder(
      () =>
        new Promise((resolve) => {
          answered = resolve;
        }),
    );
    const notifier = createNotifier({ db, minIntervalMs: 0 });
    notifier.notify("ready", ["a"]);
    await eventually(() => expect(sent).toHaveLength(1));
    notifier.notify("ready", ["b"]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(1);
    answered();
    await eventually(() => expect(sent).toHaveLength(2));
    answered();
    await notifier.close();
  });

  it("sends what is left when it is closed, and nothing after", async () => {
    const { db, sent } = recorder();
    const notifier = createNotifier({ db, minIntervalMs: 60_000 });
    notifier.notify("ready", ["a"]);
    await eventually(() => expect(sent).toHaveLength(1));
    notifier.notify("ready", ["b"]);
    await notifier.close();
    notifier.notify("ready", ["c"]);
    await notifier.close();
    expect(sent.flat().map(([, items]) => items)).toEqual([["a"], ["b"]]);
  });

  it("says everything when there is too much to name", async () => {
    const { db, sent } = recorder();
    const notifier = createNotifier({ db });
    notifier.notify(
      "finished",
      Array.from({ length: 1_001 }, (_, n) => `${n}`),
    );
    notifier.notify(
      "ready",
      Array.from({ length: 1_000 }, (_, n) => `${n}`),
    );
    notifier.notify("abort", ["a", "*", "b"]);
    await notifier.close();
    const items = (channel: string) => sent.flat().flatMap(([name, list]) => (name === channel ? list : []));
    expect(items("floxy_finished")).toEqual(["*"]);
    expect(items("floxy_ready")).toHaveLength(1_000);
    expect(items("floxy_abort")).toEqual(["*"]);
  });

  it("drops what could not be sent, reports it, and goes on, even if the report throws", async () => {
    const errors: unknown[] = [];
    const failure = new Error("down");
    const { db, sent } = recorder(() => (sent.length === 1 ? Promise.reject(failure) : Promise.resolve()));
    const onError = (error: unknown): void => {
      errors.push(error);
      throw new Error("and the log is full");
    };
    const notifier = createNotifier({ db, minIntervalMs: 0, onError });
    notifier.notify("ready", ["a"]);
    await eventually(() => expect(errors).toEqual([failure]));
    notifier.notify("ready", ["b"]);
    await notifier.close();
    expect(sent.flat().map(([, items]) => items)).toEqual([["a"], ["b"]]);
  });

  it("sends nothing when there is nothing to tell", async () => {
    const { db, sent } = recorder();
    const notifier = createNotifier({ db });
    notifier.notify("ready", []);
    await notifier.close();
    expect(sent).toEqual([]);
  });
});

describe("payloads", () => {
  it("stay below 8,000 bytes, whatever the characters, and lose nothing", () => {
    const items = Array.from({ length: 1_000 }, (_, n) => `${"ä🎉".repeat(n % 40)}"${n}`);
    const payloads = encodeItems(items);
    expect(payloads.length).toBeGreaterThan(1);
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000);
    expect(payloads.flatMap(parseNotification)).toEqual(items);
  });

  it("say everything when one item is too long", () => {
    expect(encodeItems(["a", "x".repeat(7_999)])).toEqual(['["*"]']);
  });

  it.each(["", "x", "{}", "[1]", "null", '"a"'])("that are not ours mean everything: %j", (payload) => {
    expect(parseNotification(payload)).toEqual(["*"]);
  });
});
