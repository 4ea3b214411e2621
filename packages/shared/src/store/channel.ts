/** The channels of notifications and what goes over them: JSON arrays of short texts. */
import { createHash } from "node:crypto";

/**
 * What a notification is about. `ready`: handlers that have work. `review`: an orchestrator has something to look at.
 * `finished`: ids of instances that have ended. `abort`: ids of instances whose handlers should stop.
 */
export type Channel = "ready" | "review" | "finished" | "abort";

/** The item that stands for all items: there were too many to name, or they could not be read. */
export const everything = "*";

/** PostgreSQL cuts names at 63 bytes and takes payloads below 8,000 bytes. */
const nameBytes = 63;
const payloadBytes = 7_900;

/** The channel's name in the database, such as `floxy_ready`: one for each schema, given by its plain name. */
export const channelName = (schema: string, channel: string): string => {
  const name = `${schema}_${channel}`;
  if (Buffer.byteLength(name) <= nameBytes) return name;
  const hash = createHash("sha256").update(schema).digest("hex").slice(0, 32);
  return `floxy_${hash}_${channel}`;
};

/** The items as payloads, each short enough for a notification; an item that never can be is {@link everything}. */
export const encodeItems = (items: Iterable<string>): string[] => {
  const payloads: string[] = [];
  let texts: string[] = [];
  let bytes = 2;
  const finish = (): void => {
    if (texts.length > 0) payloads.push(`[${texts.join(",")}]`);
    texts = [];
    bytes = 2;
  };
  for (const item of items) {
    const text = JSON.stringify(item);
    const size = Buffer.byteLength(text) + 1;
    if (size + 2 > payloadBytes) return [`["${everything}"]`];
    if (bytes + size > payloadBytes) finish();
    texts.push(text);
    bytes += size;
  }
  finish();
  return payloads;
};

/** The items of a payload. What is not ours to read may mean anything, so it means {@link everything}. */
export const parseNotification = (payload: string): readonly string[] => {
  try {
    const items: unknown = JSON.parse(payload);
    if (Array.isArray(items) && items.every((item) => typeof item === "string")) return items;
  } catch {
    // Not JSON; the same as any other payload that is not ours.
  }
  return [everything];
};
