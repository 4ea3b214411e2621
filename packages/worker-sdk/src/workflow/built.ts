/** What a workflow is once it is built, and what is said of it at its start. */
import type { DefinitionJson, JsonObject } from "@floxy/shared";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Phantom } from "../handler/phantom.ts";
import type { AnySchema } from "../handler/schema.ts";

/** A definition, ready to be registered and started. */
export interface Workflow<out Input = unknown, out Output = unknown>
  // Optional, so that a definition which comes from elsewhere can be handed on as a workflow.
  extends Partial<Phantom<{ readonly input: Input; readonly output: Output }>> {
  readonly definition: DefinitionJson;
  /** The hash of the definition: the same for the same definition, also in another process. */
  readonly fingerprint: string;
  /** Checks an instance's input at its start. The input is stored as it was given, not as the schema transforms it. */
  readonly inputSchema: StandardSchemaV1<Input, unknown> | undefined;
}

/** What instances of a workflow start with. */
export type WorkflowInput<W extends Workflow> = W extends Workflow<infer Input> ? Input : never;

/** What instances of a workflow end with. */
export type WorkflowOutput<W extends Workflow> = W extends Workflow<unknown, infer Output> ? Output : never;

/** What a workflow is called and how its instances are treated. */
export interface WorkflowOptions<S extends AnySchema | undefined = AnySchema | undefined> {
  readonly name: string;
  /** An integer ≥ 1. What is registered under a version never changes; a change is a new version. */
  readonly version: number;
  /** A Standard Schema. Where its library can tell, its JSON Schema becomes part of the definition. */
  readonly input?: S;
  readonly description?: string;
  /** 0 to 100; the priority of instances that are started without one. Default 50. */
  readonly priority?: number;
  /**
   * What a step that failed for good leads to, by default `rollback`. `dlq`: a dead letter and a pause, until a person
   * decides. A rejection and an end that fails always lead to a rollback.
   */
  readonly onFailure?: "rollback" | "dlq";
  /** The order of compensations, by default `causal`. `sequential`: one after another, the last to complete first. */
  readonly compensate?: "causal" | "sequential";
  /** How long an instance may take, in milliseconds; then it is cancelled, with rollback. */
  readonly deadlineMs?: number;
  readonly metadata?: JsonObject;
}
