import { monotonicFactory } from "ulid";

const next = monotonicFactory();

/** Makes a new id: a ULID of 26 characters, sortable by time and increasing within this process. */
export const newId = (): string => next();

/** Whether `text` is a ULID as {@link newId} makes it. */
export const isId = (text: string): boolean => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
