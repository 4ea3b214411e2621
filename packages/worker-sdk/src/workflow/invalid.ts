import { FloxyError } from "@floxy/shared";

/** Refuses a definition while it is written down, at the line that is wrong, for the one reason given. */
export const invalid = (path: string, code: string, message: string): never => {
  throw new FloxyError("DEFINITION_INVALID", path === "" ? message : `${path}: ${message}`, {
    problems: [{ path, code, message }],
  });
};
