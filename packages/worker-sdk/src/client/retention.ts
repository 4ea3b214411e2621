/** Retention: how long instances stay after their end, and removing those whose time has come. */
import type { Pruned, PruneParams, Retention, RetentionTarget } from "@floxy/shared";
import { prune, readRetention, removeRetention, setRetention } from "@floxy/shared";
import type { ActOptions } from "./act-options.ts";
import { assertOptions } from "./act-options.ts";
import type { Acting } from "./acting.ts";
import { BulkOperator } from "./bulk.ts";
import type { DefinitionActed } from "./operator.ts";

/** How long instances stay after their end, of a definition and an end, or of all. */
export interface RetentionRule extends RetentionTarget {
  /** In milliseconds, at least an hour; `null` is for ever. */
  readonly keepMs: number | null;
}

/** How to remove what may go. */
export type PruneHistoryOptions = Omit<PruneParams, "onlyDue">;

/**
 * The verbs for what is kept for how long. Nothing is ever removed unless a retention says so; `docs/history.md` tells what
 * goes with an instance, and when.
 */
export abstract class RetentionOperator extends BulkOperator {
  readonly #acting: Acting;

  protected constructor(acting: Acting) {
    super(acting);
    this.#acting = acting;
  }

  /**
   * Sets how long instances stay after their end. Of those that are about an instance the most specific counts: one of its
   * definition before one of its end. Throws `OPTION_INVALID`, `NAME_INVALID`, `DEFINITION_NOT_FOUND`.
   */
  async setRetention(rule: RetentionRule, options: ActOptions): Promise<DefinitionActed> {
    assertOptions("retention", rule);
    assertOptions("setRetention", options);
    return this.#acting.act(async ({ db, actId }) => ({
      changed: await setRetention(db, { ...rule, ...options, actId }),
    }));
  }

  /** Removes a retention: the next less specific one counts, or none. Throws `OPTION_INVALID`, `NAME_INVALID`. */
  async removeRetention(target: RetentionTarget, options: ActOptions): Promise<DefinitionActed> {
    assertOptions("retentionTarget", target);
    assertOptions("removeRetention", options);
    return this.#acting.act(async ({ db, actId }) => ({
      changed: await removeRetention(db, { ...target, ...options, actId }),
    }));
  }

  /** Lists what is set: of definitions by name, then what is for all. */
  async listRetention(): Promise<readonly Retention[]> {
    return this.#acting.read(readRetention);
  }

  /**
   * Removes what retention lets go, as an orchestrator does by itself, in short transactions. It can be stopped at any
   * moment; the next call goes on. Throws `OPTION_INVALID`, and the reason of the signal.
   */
  async prune(options: PruneHistoryOptions = {}): Promise<Pruned> {
    assertOptions("prune", options);
    return this.#acting.read((db) => prune(db, options));
  }
}
