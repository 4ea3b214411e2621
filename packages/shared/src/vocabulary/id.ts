import { monotonicFactory } from "ulid";

const next = monotonicFactory();

/** Makes a new id: a ULID of 26 characters, sortable by time and increasing within this process. */
export const newId = (): string => next();

/** Whether a value is a ULID as {@link newId} makes it. */
export const isId = (value: unknown): value is string =>
  typeof value === "string" && /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(value);
