/** Connection URLs as people may see them: never with a password. */

const protocols = new Set(["postgres:", "postgresql:"]);

/** Whether this is a URL that the driver takes. */
export const isDatabaseUrl = (text: string): boolean => URL.canParse(text) && protocols.has(new URL(text).protocol);

/** Where a URL leads, such as `db.internal:5432/orders`: without user, password and options. */
export const locationOf = (url: string): string => {
  if (!URL.canParse(url)) return "an unreadable URL";
  const { host, pathname, searchParams } = new URL(url);
  return `${host || searchParams.get("host") || "localhost"}${pathname}`;
};

/** A URL that was refused, as a message can repeat it. One that cannot be read is not repeated at all. */
export const describeUrl = (text: string): string => {
  if (!URL.canParse(text)) return "its value (not shown, because it may hold a password) is no URL";
  const { protocol, host, username } = new URL(text);
  return `'${protocol}//${username === "" ? "" : "…@"}${host}…'`;
};
