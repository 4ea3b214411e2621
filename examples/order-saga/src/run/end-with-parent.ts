/**
 * Loaded into each process that the example starts, before its own program. The process that starts them holds the other
 * end of their standard input and writes nothing there. When it is gone, however it went, the input ends, and so do they:
 * in order if they can, but soon.
 */
const limitMs = 3_000;

const end = (): void => {
  setTimeout(() => process.exit(1), limitMs).unref();
  process.kill(process.pid, "SIGTERM");
};

// Nobody reads any more what is said on the way out.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.stdin.once("end", end).once("error", end).resume();
// Watching must not keep the process from ending by itself.
if ("unref" in process.stdin) process.stdin.unref();
