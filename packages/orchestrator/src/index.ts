export type { Health, ListenerState, Phase, Readiness, ServiceHealth } from "./health.ts";
export { createLogger, type Logger, type LogLevel, logLevels } from "./log.ts";
export type { HttpOptions, OrchestratorOptions } from "./options.ts";
export { createOrchestrator, type Orchestrator } from "./orchestrator.ts";
export type { ServiceName } from "./service/service.ts";
