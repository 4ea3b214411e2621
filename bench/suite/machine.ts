/** What the figures were measured on. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, type as systemType, totalmem } from "node:os";

/** Facts that are written down with each result. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly postgres: string;
  readonly settings: Readonly<Record<string, string>>;
  /** The load of the minute before anything was measured: what others did. */
  readonly loadBefore: number;
  readonly commit: string;
  readonly date: string;
}

/** Looks around. The server tells its version and settings itself. */
export const machineFacts = (
  server: { readonly version: string; readonly settings: Readonly<Record<string, string>> },
  loadBefore: number,
): Machine => ({
  cores: cpus().length,
  processor: cpus()[0]?.model ?? "unknown",
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${systemType()} ${release()}`,
  node: process.version,
  postgres: server.version,
  settings: server.settings,
  loadBefore,
  commit: commit(),
  date: new Date().toISOString(),
});

/** The load of the last minute. */
export const currentLoad = (): number => loadavg()[0] ?? 0;

/** A warning where others use this machine, else undefined: the load of the last minute, before anything is measured. */
export const busyWarning = (load: number): string | undefined => {
  if (load < 0.3) return undefined;
  return `The load of this machine was ${load.toFixed(2)} before anything was measured: others use it, and the figures will differ.`;
};

const commit = (): string => {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${changed ? " with changes" : ""}`;
  } catch {
    return "unknown";
  }
};
