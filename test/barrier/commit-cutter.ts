/** A way to a database that is cut at COMMIT, when the one who commits cannot know what became of it. */
import type { Socket } from "node:net";
import { connect, createServer } from "node:net";

/**
 * Where a connection is cut: `before` the server gets the COMMIT; `after` it has committed, before its answer arrives; or
 * `meanwhile`, so that the client goes on while the server still commits.
 */
export type Cut = "before" | "after" | "meanwhile";

/** A way to the database through this process. */
export interface CommitCutter {
  /** The database's URL by this way. */
  readonly url: string;
  /** How often it was cut. */
  readonly cuts: Readonly<Record<Cut, number>>;
  close(): Promise<void>;
}

/** The message with which `pg` commits. */
const commit = Buffer.from("COMMIT\0");

/** Lays a way to a database; `decide` is asked at each COMMIT where to cut, `undefined` for not at all. */
export const layCommitCutter = async (databaseUrl: string, decide: () => Cut | undefined): Promise<CommitCutter> => {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const cuts = { before: 0, after: 0, meanwhile: 0 };
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    const far = connect({ host: target.hostname, port: Number(target.port || 5432) });
    let cut: Cut | undefined;
    for (const socket of [near, far]) keep(socket);
    near.on("data", (data) => {
      cut = data.includes(commit) ? decide() : undefined;
      if (cut !== undefined) cuts[cut]++;
      if (cut !== "before") far.write(data);
      if (cut === "before" || cut === "meanwhile") near.destroy();
    });
    far.on("data", (data) => {
      if (cut === undefined) near.write(data);
      else near.destroy();
    });
    // What was sent before the end still arrives.
    near.on("close", () => far.end());
    far.on("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the way to the database has no port");
  const url = Object.assign(new URL(databaseUrl), { hostname: "127.0.0.1", port: String(address.port) });
  return {
    url: url.href,
    cuts,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
};
