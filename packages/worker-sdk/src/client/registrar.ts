/** Registering definitions, each once in the life of a client. */
import type { DefinitionJson, Executor } from "@floxy/shared";
import { registerDefinition } from "@floxy/shared";
import type { Workflow } from "../workflow/built.ts";

/** What can be registered: a workflow, or a definition as JSON. */
export type Registrable = Workflow | DefinitionJson;

/** Registers definitions. */
export interface Registrar {
  /** Registers a definition. Throws `DEFINITION_INVALID` with all problems, or `DEFINITION_CONFLICT`. */
  register(what: Registrable): Promise<DefinitionJson>;
  /** Registers a workflow unless this registrar already has. */
  ensure(workflow: Pick<Workflow, "definition">): Promise<void>;
}

/** Makes a registrar. */
export const createRegistrar = (db: Executor): Registrar => {
  // By the object: another one with the same name and version may hold something else, and then must hear of it.
  const registered = new WeakMap<DefinitionJson, Promise<unknown>>();
  return {
    register: (what) => registerDefinition(db, isWorkflow(what) ? what.definition : what),
    async ensure({ definition }) {
      const known = registered.get(definition) ?? registerDefinition(db, definition);
      registered.set(definition, known);
      try {
        await known;
      } catch (error) {
        registered.delete(definition);
        throw error;
      }
    },
  };
};

/** Whether it is a workflow and not a definition's JSON or a name. */
export const isWorkflow = (value: unknown): value is Workflow =>
  typeof value === "object" && value !== null && "definition" in value && "fingerprint" in value;
