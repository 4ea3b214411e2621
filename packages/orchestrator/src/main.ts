/** The process of the command `floxy-orchestrator`; importing this file runs it. */
import { runCommand } from "./cli.ts";

const code = await runCommand({
  args: process.argv.slice(2),
  environment: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  onSignal(call) {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => call(signal));
  },
  exit: (now) => process.exit(now),
});
process.exitCode = code;
// What was written is flushed when the process ends by itself; a connection that would not close must not keep it.
setTimeout(() => process.exit(code), 1_000).unref();
