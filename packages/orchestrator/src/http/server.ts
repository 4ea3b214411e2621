/** HTTP: the metrics for Prometheus, and health for whoever starts and stops the process. */
import { FloxyError, isFloxyError } from "@floxy/shared";
import fastify from "fastify";
import type { Health, Readiness } from "../health.ts";
import type { Logger } from "../log.ts";
import { errorField } from "../log.ts";
import type { Registry } from "../metrics/registry.ts";

/** What the server shows. */
export interface HttpSources {
  readonly registry: Registry;
  readonly health: () => Health;
  readonly readiness: () => Readiness;
  readonly log: Logger;
}

/** A server that listens. */
export interface HttpServer {
  /** Where, such as `http://127.0.0.1:9464`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Opens the server. Throws `CONFIGURATION_INVALID` when the address cannot be had. */
export const openHttpServer = async (
  { registry, health, readiness, log }: HttpSources,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<HttpServer> => {
  // Prometheus keeps its connection open; a stop does not wait for it to leave.
  const app = fastify({ forceCloseConnections: true });
  app.get("/metrics", async (_request, reply) => {
    reply.header("content-type", registry.contentType);
    return registry.metrics();
  });
  app.get("/healthz", (_request, reply) => {
    const now = health();
    reply.code(now.status === "ok" ? 200 : 503).send(now);
  });
  app.get("/readyz", (_request, reply) => {
    const now = readiness();
    reply.code(now.ready ? 200 : 503).send(now);
  });
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ message: "There is nothing here; try /metrics, /healthz or /readyz." });
  });
  app.setErrorHandler((error, _request, reply) => {
    log.error({ error: errorField(error) }, "a request failed");
    reply.code(isFloxyError(error) ? error.httpStatus : 500).send({ message: "The request failed; see the log." });
  });
  const url = await app.listen({ host, port }).catch((error: unknown) => {
    throw refused(error, host, port);
  });
  return { url, close: () => app.close() };
};

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there; give this one another port (FLOXY_HTTP_PORT)",
  EACCES: "this user may not listen there; use a port above 1023 (FLOXY_HTTP_PORT)",
  EADDRNOTAVAIL: "this host does not have that address; see FLOXY_HTTP_HOST",
  ENOTFOUND: "there is no such host; see FLOXY_HTTP_HOST",
};

const refused = (error: unknown, host: string, port: number): unknown => {
  const { code } = error as { code?: unknown };
  const reason = typeof code === "string" ? reasons[code] : undefined;
  if (reason === undefined) return error;
  return new FloxyError("CONFIGURATION_INVALID", `cannot serve HTTP on ${host} port ${port}: ${reason}`, {
    cause: error,
  });
};
