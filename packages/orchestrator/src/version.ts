import { readFileSync } from "node:fs";

// Both src/ and dist/ stand beside package.json.
const { version: own } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

/** The version of this package. */
export const version = own;
