/** Spans of virtual time. */
import { FloxyError, quote } from "@floxy/shared";

/** A span of time. Its fields add up: `{ days: 1, hours: 12 }`. */
export interface Duration {
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly ms?: number;
}

const units: Readonly<Record<keyof Duration, number>> = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  ms: 1,
};

/** How many whole milliseconds it has. Throws `OPTION_INVALID` for what is no span of time. */
export const msOf = (duration: Duration): number => {
  if (typeof duration !== "object" || duration === null) {
    throw new FloxyError("OPTION_INVALID", `a span of time is written { days: 1, hours: 2 }, not ${String(duration)}`);
  }
  const sum = Object.entries(duration).reduce((total, [unit, count]: [string, unknown]) => {
    const ms = Object.hasOwn(units, unit) ? units[unit as keyof Duration] : undefined;
    if (ms === undefined) {
      const known = Object.keys(units).join(", ");
      throw new FloxyError("OPTION_INVALID", `a span of time has no unit ${quote(unit)}; it has ${known}`);
    }
    if (typeof count !== "number" || !(count >= 0) || !Number.isFinite(count)) {
      throw new FloxyError("OPTION_INVALID", `${unit} must be a number ≥ 0, not ${String(count)}`);
    }
    return total + count * ms;
  }, 0);
  return Math.round(sum);
};

const parts = [
  ["d", units.days],
  ["h", units.hours],
  ["m", units.minutes],
  ["s", units.seconds],
  ["ms", units.ms],
] as const;

/** A span of time for people: `30d`, `1h 5m`, `250ms`. */
export const sayDuration = (ms: number): string => {
  let rest = ms;
  const said = parts.flatMap(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? [] : [`${count}${unit}`];
  });
  return said.length === 0 ? "0ms" : said.join(" ");
};
