/** The lines of a file, one at a time and of bounded length, so that no file can exhaust the memory. */

/** A line: its text, or what is wrong with it. */
export interface Line {
  /** The first line is 1. */
  readonly number: number;
  readonly text: string;
  /** Why the line could not be read; then the text is empty. */
  readonly problem?: string;
}

/** Splits bytes into lines. A line longer than `limit` bytes, or one that is not UTF-8, is handed out as a problem. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Line> {
  let number = 0;
  let size = 0;
  let parts: Uint8Array[] = [];
  const add = (part: Uint8Array): void => {
    size += part.length;
    if (size <= limit) parts.push(part);
    else parts = [];
  };
  const finish = (): Line => {
    number++;
    const line = size > limit ? tooLong(number, size, limit) : decode(number, Buffer.concat(parts));
    size = 0;
    parts = [];
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, end));
      yield finish();
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  if (size > 0) yield finish();
}

const newline = 0x0a;

const tooLong = (number: number, size: number, limit: number): Line => ({
  number,
  text: "",
  problem: `too long: ${size} bytes, and ${limit} are the most`,
});

const decode = (number: number, bytes: Uint8Array): Line => {
  try {
    // The decoder also takes away a byte order mark.
    return { number, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { number, text: "", problem: "not UTF-8" };
  }
};
