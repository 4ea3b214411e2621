/** What people and other programs can do with instances and definitions. */
import type { Operated } from "@floxy/shared";
import {
  abortInstance,
  cancelInstance,
  decide,
  deprecateDefinition,
  discardStep,
  pauseDefinition,
  reprioritise,
  requeueStep,
  resolveStep,
  resumeInstance,
  retryCompensation,
  sendSignal,
  skipCompensation,
  unpauseDefinition,
} from "@floxy/shared";
import type {
  ActOptions,
  DecideOptions,
  ReasonedOptions,
  ReprioritiseOptions,
  RequeueOptions,
  ResolveOptions,
  ResumeOptions,
  SignalOptions,
  Verb,
} from "./act-options.ts";
import { assertOptions } from "./act-options.ts";
import type { ActCall, Acting } from "./acting.ts";
import type { AuditOptions, AuditPage } from "./audit.ts";
import { auditPage } from "./audit.ts";
import type { DeadLetterPage, DeadLettersOptions } from "./dead-letters.ts";
import { deadLetterPage } from "./dead-letters.ts";

/** What became of an act on a definition. */
export interface DefinitionActed {
  /** `false` if all was already as the act wants it, and nothing was written. */
  readonly changed: boolean;
}

/**
 * The verbs of a client. Each act is one transaction of its own, with a row in the audit, and takes effect at once, whether
 * an orchestrator is there or not. `docs/operations.md` tells what follows.
 *
 * Acts throw a typed error, and have written nothing, when they cannot be: `INSTANCE_NOT_FOUND`, `OPTION_INVALID` for
 * options that cannot be, and what each names. A lost connection is survived: the same act is asked for again until
 * `actTimeoutMs` is over (then `DATABASE_UNAVAILABLE`), and is done once, because it has an id.
 */
export abstract class Operator {
  readonly #acting: Acting;

  protected constructor(acting: Acting) {
    this.#acting = acting;
  }

  /**
   * Cancels an instance: nothing of it goes forward any more, all that it has done is undone, savepoints or not, and then
   * it is `cancelled`. Again is a no-op. Throws `INSTANCE_TERMINAL`.
   */
  cancel(instanceId: string, options: ActOptions): Promise<Operated> {
    return this.#act("cancel", options, ({ db, graphs, ...call }) =>
      cancelInstance(db, graphs, { ...options, ...call, instanceId }),
    );
  }

  /**
   * Ends an instance where it stands, `aborted`: nothing is undone, handlers that run are told to stop, and nothing of it
   * runs afterwards. Again throws `INSTANCE_TERMINAL`, as for any instance that has ended.
   */
  abort(instanceId: string, options: ActOptions): Promise<Operated> {
    return this.#act("abort", options, ({ db, graphs, ...call }) =>
      abortInstance(db, graphs, { ...options, ...call, instanceId }),
    );
  }

  /**
   * Votes on a human node. With enough confirmations, or one rejection, the flow goes on at once. The same vote again is a
   * no-op.
   *
   * Throws `STEP_NOT_FOUND` when it is no human node, `DECISION_NOT_OPEN` when nothing is to be decided there,
   * `DECISION_FORBIDDEN` for somebody who may not decide, `DECISION_CONFLICT` for one who has decided otherwise,
   * `INPUT_INVALID` when the form does not fit, `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`, and `INSTANCE_TERMINAL`.
   */
  decide(instanceId: string, step: string, options: DecideOptions): Promise<Operated> {
    return this.#act("decide", options, ({ db, graphs, ...call }) =>
      decide(db, graphs, { ...options, ...call, instanceId, step }),
    );
  }

  /**
   * Sends a signal. A node that waits for it takes it at once; else it is kept until one does.
   *
   * Throws `NAME_INVALID`, `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`, and `INSTANCE_TERMINAL`.
   */
  signal(instanceId: string, name: string, options: SignalOptions): Promise<Operated> {
    return this.#act("signal", options, ({ db, graphs, ...call }) =>
      sendSignal(db, graphs, { ...options, ...call, instanceId, name }),
    );
  }

  /**
   * Tries a step of a dead letter again, with its attempts counted from the start and another input if one is given.
   *
   * Throws `STEP_NOT_FOUND`, `DEAD_LETTER_NOT_FOUND`, `INPUT_INVALID` when the input does not fit the handler,
   * `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`, and `INSTANCE_TERMINAL`.
   */
  requeue(instanceId: string, step: string, options: RequeueOptions): Promise<Operated> {
    return this.#act("requeue", options, ({ db, graphs, ...call }) =>
      requeueStep(db, graphs, { ...options, ...call, instanceId, step }),
    );
  }

  /**
   * Takes a step of a dead letter as completed with this output, as if its handler had returned it.
   *
   * Throws `STEP_NOT_FOUND`, `DEAD_LETTER_NOT_FOUND`, `OUTPUT_INVALID` for a condition that is given no side,
   * `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`, and `INSTANCE_TERMINAL`.
   */
  resolve(instanceId: string, step: string, options: ResolveOptions): Promise<Operated> {
    return this.#act("resolve", options, ({ db, graphs, ...call }) =>
      resolveStep(db, graphs, { ...options, ...call, instanceId, step }),
    );
  }

  /**
   * Gives up a step of a dead letter: its instance is rolled back. Throws `STEP_NOT_FOUND`, `DEAD_LETTER_NOT_FOUND`, and
   * `INSTANCE_TERMINAL`.
   */
  discard(instanceId: string, step: string, options: ReasonedOptions): Promise<Operated> {
    return this.#act("discard", options, ({ db, graphs, ...call }) =>
      discardStep(db, graphs, { ...options, ...call, instanceId, step }),
    );
  }

  /**
   * Calls a compensation of a dead letter again, with its attempts counted from the start and another input if one is
   * given. Throws `STEP_NOT_FOUND`, `DEAD_LETTER_NOT_FOUND`, `INPUT_INVALID`, `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`, and
   * `INSTANCE_TERMINAL`.
   */
  retryCompensation(instanceId: string, step: string, options: RequeueOptions): Promise<Operated> {
    return this.#act("retryCompensation", options, ({ db, graphs, ...call }) =>
      retryCompensation(db, graphs, { ...options, ...call, instanceId, step }),
    );
  }

  /**
   * Goes on without a compensation of a dead letter, because a person has dealt with what it should have undone. Throws
   * `STEP_NOT_FOUND`, `DEAD_LETTER_NOT_FOUND`, and `INSTANCE_TERMINAL`.
   */
  skipCompensation(instanceId: string, step: string, options: ReasonedOptions): Promise<Operated> {
    return this.#act("skipCompensation", options, ({ db, graphs, ...call }) =>
      skipCompensation(db, graphs, { ...options, ...call, instanceId, step }),
    );
  }

  /**
   * Lets a failed instance go forward again from the savepoint at which its rollback stopped, or from the beginning. It
   * has no deadline any more. Throws `INSTANCE_NOT_FAILED`, `INPUT_INVALID`, `JSON_UNSTORABLE`, `PAYLOAD_TOO_LARGE`.
   */
  resume(instanceId: string, options: ResumeOptions): Promise<Operated> {
    return this.#act("resume", options, ({ db, graphs, ...call }) =>
      resumeInstance(db, graphs, { ...options, ...call, instanceId }),
    );
  }

  /** Gives an instance another priority, also for its steps that wait. Throws `INSTANCE_TERMINAL`. */
  reprioritise(instanceId: string, options: ReprioritiseOptions): Promise<Operated> {
    return this.#act("reprioritise", options, ({ db, graphs, ...call }) =>
      reprioritise(db, graphs, { ...options, ...call, instanceId }),
    );
  }

  /**
   * Pauses a definition, all its versions: no forward step of its instances is leased any more. What runs goes on to its
   * end, and so do compensations. Throws `DEFINITION_NOT_FOUND`, `NAME_INVALID`.
   */
  pauseDefinition(name: string, options: ActOptions): Promise<DefinitionActed> {
    return this.#act("pauseDefinition", options, async ({ db, ...call }) => ({
      changed: await pauseDefinition(db, { ...options, ...call, name }),
    }));
  }

  /** Goes on with a paused definition. Throws `NAME_INVALID`. */
  unpauseDefinition(name: string, options: ActOptions): Promise<DefinitionActed> {
    return this.#act("unpauseDefinition", options, async ({ db, ...call }) => ({
      changed: await unpauseDefinition(db, { ...options, ...call, name }),
    }));
  }

  /**
   * Deprecates a version: nothing starts with it unless it is asked for by number; what has started goes on. Throws
   * `DEFINITION_NOT_FOUND`, `NAME_INVALID`.
   */
  deprecate(name: string, version: number, options: ActOptions): Promise<DefinitionActed> {
    return this.#act("deprecate", options, async ({ db, ...call }) => ({
      changed: await deprecateDefinition(db, { ...options, ...call, name, version, deprecated: true }),
    }));
  }

  /** Takes a deprecation back. Throws `DEFINITION_NOT_FOUND`, `NAME_INVALID`. */
  undeprecate(name: string, version: number, options: ActOptions): Promise<DefinitionActed> {
    return this.#act("undeprecate", options, async ({ db, ...call }) => ({
      changed: await deprecateDefinition(db, { ...options, ...call, name, version, deprecated: false }),
    }));
  }

  /** Reads who did what, and why, the newest first, page by page. Throws `OPTION_INVALID`. */
  async audit(options: AuditOptions = {}): Promise<AuditPage> {
    assertOptions("audit", options);
    return this.#acting.read((db) => auditPage(db, options));
  }

  /** Lists what has failed for good and waits for a person, the oldest first, page by page. Throws `OPTION_INVALID`. */
  async deadLetters(options: DeadLettersOptions = {}): Promise<DeadLetterPage> {
    assertOptions("deadLetters", options);
    return this.#acting.read((db) => deadLetterPage(db, options));
  }

  async #act<Result>(verb: Verb, options: unknown, perform: (call: ActCall) => Promise<Result>): Promise<Result> {
    assertOptions(verb, options);
    // Acts throw some errors before they have a promise.
    return this.#acting.act(async (call) => perform(call));
  }
}
