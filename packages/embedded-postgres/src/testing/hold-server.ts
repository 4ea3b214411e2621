/** A process that uses a server until it is killed: prints the server's URL and waits. The first argument is the folder. */
import { startEmbeddedPostgres } from "../index.ts";

const [directory] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ directory });
process.stdout.write(`${server.url}\n`);
setInterval(() => {}, 1_000);
