/** The history of an instance as text: for people who look at a test that failed, and for snapshots. */
import type { EventRow } from "@floxy/shared";
import { sayDuration } from "./duration.ts";

/** One line for each event, with the virtual time since the first. */
export const timelineOf = (events: readonly EventRow[]): string => {
  const [first] = events;
  if (first === undefined) return "";
  const start = first.createdAt.getTime();
  const times = events.map(({ createdAt }) => `+${sayDuration(createdAt.getTime() - start)}`);
  const width = Math.max(...times.map(({ length }) => length));
  return events.map((event, index) => `${(times[index] ?? "").padEnd(width)}  ${lineOf(event)}`).join("\n");
};

const lineOf = ({ type, node, attempt, data }: EventRow): string => {
  const where = node === null ? "" : ` ${node}`;
  const which = attempt === null ? "" : ` #${attempt}`;
  const said = errorOf(data?.error) ?? errorOf(data?.cause);
  return `${type}${where}${which}${said === undefined ? "" : `: ${said}`}`;
};

const errorOf = (error: unknown): string | undefined => {
  if (typeof error !== "object" || error === null || !("message" in error)) return undefined;
  return String(error.message);
};
