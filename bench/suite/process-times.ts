/** CPU times of processes, as Linux counts them. */
import { readdir, readFile } from "node:fs/promises";

/** How long a tick of the times in `/proc` is, in microseconds; 100 a second on every Linux. */
const tickUs = 10_000;

/** CPU time of one process, without its children. */
export const cpuUsOf = async (pid: number): Promise<number> => (await timesOf(pid)).self * tickUs;

/**
 * CPU time of a process and its children in microseconds: of those that are there, and of those that are gone and were
 * waited for.
 */
export const cpuUsOfTree = async (pid: number): Promise<number> => {
  const own = await timesOf(pid);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  // Processes come and go while the list is read.
  const all = await Promise.all(pids.map((one) => timesOf(one).catch(() => undefined)));
  const living = all.reduce((sum, times) => sum + (times?.parent === pid ? times.self : 0), 0);
  return (own.self + own.waitedFor + living) * tickUs;
};

const timesOf = async (pid: number) => {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name of the program stands in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (index: number): number => Number(fields[index]);
  return { parent: at(1), self: at(11) + at(12), waitedFor: at(13) + at(14) };
};
