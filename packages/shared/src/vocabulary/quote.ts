/** The longest piece of someone's text that a message repeats, in characters. */
const shown = 60;

/**
 * Someone's text as a message can repeat it: in quotes, cut to a bounded length, with control characters, line breaks and
 * lone surrogates escaped, so that it cannot break a log line or a terminal.
 */
export const quote = (text: string, limit = shown): string => {
  const whole = text.length <= limit ? text : `${text.slice(0, limit).replace(/[\uD800-\uDBFF]$/, "")}…`;
  return `'${JSON.stringify(whole).slice(1, -1).replace(/\\"/g, '"').replace(unprintable, escaped)}'`;
};

// What JSON.stringify leaves as it is but a terminal or a log would not: C1 controls, line separators, marks that turn
// the direction of writing, and the byte order mark.
const unprintable = /[\u007F-\u009F\u2028\u2029\u200B-\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/g;

const escaped = (one: string): string => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;
