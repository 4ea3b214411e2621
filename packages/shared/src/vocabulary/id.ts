import { monotonicFactory } from "ulid";

// The library asks the system for each of its 16 random characters, which takes longer than all the rest of a start.
const bytes = new Uint8Array(4_096);
let used = bytes.length;

/** A number from 0 to below 1, of 8 random bits; an id takes 5 of them for a character. */
const random = (): number => {
  if (used === bytes.length) {
    crypto.getRandomValues(bytes);
    used = 0;
  }
  const byte = bytes[used++] ?? 0;
  return byte / 256;
};

const next = monotonicFactory(random);

/** Makes a new id: a ULID of 26 characters, sortable by time and increasing within this process. */
export const newId = (): string => next();

/** Whether a value is a ULID as {@link newId} makes it. */
export const isId = (value: unknown): value is string =>
  typeof value === "string" && /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(value);
