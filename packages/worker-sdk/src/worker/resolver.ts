/**
 * Between claiming and calling: the inputs of leased steps are made from what is stored. The steps are ours already, so
 * no trouble on the way may lose them until their lease expires, and none of them may hold up the others.
 */
import {
  type AttemptResult,
  buildGraph,
  type Database,
  type Graph,
  type GraphCache,
  isTransient,
  type LeasedStep,
  type ResolvedStep,
  resolveInputs,
  toStepError,
} from "@floxy/shared";
import { retryTransient } from "../calls/retry.ts";
import type { Logger } from "../handler/context.ts";

/** What resolving inputs needs. */
export interface ResolverOptions {
  readonly db: Database;
  readonly graphs: GraphCache;
  readonly logger: Logger;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
}

/** A leased step that is given back without a call. */
export interface ReturnedStep {
  readonly leased: LeasedStep;
  readonly graph: Graph;
  readonly result: AttemptResult;
}

/** What became of leased steps. */
export interface Resolved {
  /** Can be called. */
  readonly steps: readonly ResolvedStep[];
  /** Cannot, or not by this worker. */
  readonly returned: readonly ReturnedStep[];
}

/**
 * Resolves the inputs of leased steps; never rejects. What is stored no longer changes, so it is loaded again and again
 * while the database is away: until the signal fires, then the steps are given back, or until their lease runs out at
 * `leaseUntil` (on the clock of `performance.now()`), then they are somebody else's.
 */
export const resolveLeased = async (
  options: ResolverOptions,
  leased: readonly LeasedStep[],
  { leaseUntil, signal }: { readonly leaseUntil: number; readonly signal: AbortSignal },
): Promise<Resolved> => {
  const { db, graphs, logger, random } = options;
  const expiry = AbortSignal.timeout(Math.max(0, Math.round(leaseUntil - performance.now())));
  const retry = {
    signal: AbortSignal.any([signal, expiry]),
    random,
    onRetry: (error: unknown) => logger.warn({ error }, "inputs could not be loaded; trying again"),
  };
  const resolve = (steps: readonly LeasedStep[]) => retryTransient(() => resolveInputs(db, graphs, steps), retry);
  try {
    return { steps: await resolve(leased), returned: [] };
  } catch (error) {
    if (signal.aborted) return { steps: [], returned: leased.map(released) };
    if (expiry.aborted || isTransient(error)) {
      logger.warn({ error, count: leased.length }, "inputs could not be loaded before the leases ran out");
      return { steps: [], returned: [] };
    }
    const [only] = leased;
    if (leased.length === 1 && only !== undefined) {
      logger.error({ error, instanceId: only.instanceId, step: only.node }, "the step cannot be called");
      return { steps: [], returned: [unusable(only, error)] };
    }
    // One of them is at fault. Each for itself, so that the others can run.
    const alone = await Promise.all(leased.map((step) => resolveLeased(options, [step], { leaseUntil, signal })));
    return { steps: alone.flatMap(({ steps }) => steps), returned: alone.flatMap(({ returned }) => returned) };
  }
};

/** A lease that is given back before the handler was called, so that the attempt does not count. */
export const released = (leased: LeasedStep): ReturnedStep => ({
  leased,
  graph: standInFor(leased),
  result: { kind: "released" },
});

// Another worker, perhaps of a newer version, may understand the definition, so the attempt has failed and not the step.
const unusable = (leased: LeasedStep, error: unknown): ReturnedStep => ({
  leased,
  graph: standInFor(leased),
  result: {
    kind: "failed",
    error: toStepError(error, `step '${leased.node}' cannot be called: `, "INTERNAL"),
    retryable: true,
    called: false,
  },
});

// Settling asks the graph only for the step's retry policy. Where the definition cannot be used, the default one stands in.
const standInFor = ({ definitionName: name, definitionVersion: version, node, handler }: LeasedStep): Graph =>
  buildGraph({ format: 1, name, version, nodes: [{ kind: "task", name: node, handler }] });
