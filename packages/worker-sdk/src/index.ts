export type { CompensationContract, CompensationDefinition, CompensationFunction } from "./handler/compensation.ts";
export { defineCompensation } from "./handler/compensation.ts";
export type { CompensationContext, DefinitionRef, Logger, LogMethod, StepContext } from "./handler/context.ts";
export type { HandlerContract, HandlerDefinition, HandlerFunction, InputOf, OutputOf } from "./handler/contract.ts";
export { defineHandler } from "./handler/contract.ts";
export { NonRetryableError, RetryAfterError } from "./handler/error.ts";
export type {
  AnyHandlerImplementation,
  CompensationImplementation,
  HandlerImplementation,
  HandlerOptions,
} from "./handler/implementation.ts";
export type { AnySchema, Checked } from "./handler/schema.ts";
export { toJsonSchema, typeOnly, validateWith } from "./handler/schema.ts";
