export { EmbeddedPostgresError, type EmbeddedPostgresErrorCode } from "./error.ts";
export { acquireServer, type EmbeddedPostgresOptions, type PostgresServer, startEmbeddedPostgres } from "./server.ts";
