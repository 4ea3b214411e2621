/** A way to the database that a test can turn into a black hole, or slow down, or look into. */
import type { Socket } from "node:net";
import { connect, createServer } from "node:net";

/** A way to the database. */
export interface TestProxy {
  /** The database's URL by this way. */
  readonly url: string;
  /** Whether connections stay open and nothing goes through, in either direction. What is swallowed is lost. */
  swallow: boolean;
  /** How many connections there were. */
  count(): number;
  /** All that was sent to the database, as text. */
  sent(): string;
  /** Keeps what the database answers until it is told to let go. */
  hold(): () => void;
  /** Whether the client's side of all connections is gone for good, and not only half closed. */
  isForsaken(): boolean;
  close(): void;
}

/** Opens a way to the database with this URL. */
export const openProxy = async (databaseUrl: string): Promise<TestProxy> => {
  const target = new URL(databaseUrl);
  const pairs: { readonly near: Socket; readonly far: Socket }[] = [];
  const sent: Buffer[] = [];
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: target.hostname, port: Number(target.port) });
    pairs.push({ near, far });
    near.on("data", (data) => {
      sent.push(data);
      if (!proxy.swallow) far.write(data);
    });
    far.on("data", (data) => {
      if (!proxy.swallow) near.write(data);
    });
    near.on("end", () => {
      if (!proxy.swallow) far.end();
    });
    far.on("close", () => {
      if (!proxy.swallow) near.destroy();
    });
    for (const socket of [near, far]) socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const proxy: TestProxy = {
    url: Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href,
    swallow: false,
    count: () => pairs.length,
    sent: () => Buffer.concat(sent).toString("latin1"),
    hold() {
      for (const { far } of pairs) far.pause();
      return () => {
        for (const { far } of pairs) far.resume();
      };
    },
    isForsaken() {
      // A side that only said goodbye still takes what comes; one that is gone answers with a reset.
      for (const { near } of pairs) if (!near.destroyed) near.write("\0");
      return pairs.every(({ near }) => near.destroyed);
    },
    close() {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      server.close();
    },
  };
  return proxy;
};
