/** Makes the mutation that `FLOXY_MUTATION` names, in the modules as vitest loads them. */
import type { Plugin } from "vite";
import { mutations } from "./mutations.ts";

/** The plugin; it does nothing unless a mutation is named. */
export const mutating = (name: string | undefined): Plugin => ({
  name: "floxy:mutation",
  enforce: "pre",
  transform(code, id) {
    const mutation = mutations.find((one) => one.name === name);
    if (mutation === undefined || !id.split("?")[0]?.endsWith(mutation.file)) return undefined;
    const parts = code.split(mutation.find);
    if (parts.length !== 2) throw new Error(`mutation '${name}': its text stands ${parts.length - 1} times in ${id}`);
    return parts.join(mutation.replace);
  },
});
