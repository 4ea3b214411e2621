/**
 * Between claiming and calling: the inputs of leased steps are made from what is stored. The steps are ours already, so
 * no trouble on the way may lose them until their lease expires, and none of them may hold up the others.
 */
import type { AttemptResult, Database, Graph, GraphCache, LeasedStep, ResolvedStep } from "@floxy/shared";
import { buildGraph, resolveInputs, toStepError } from "@floxy/shared";
import pLimit from "p-limit";
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
  until: { readonly leaseUntil: number; readonly signal: AbortSignal },
): Promise<Resolved> => {
  const { db, graphs, logger, random } = options;
  const end = new AbortController();
  const stop = (): void => end.abort(until.signal.reason);
  const timer = setTimeout(() => end.abort(), Math.max(0, until.leaseUntil - performance.now()));
  until.signal.addEventListener("abort", stop, { once: true });
  if (until.signal.aborted) stop();
  const onRetry = (error: unknown) => logger.warn({ error }, "inputs could not be loaded; trying again");
  try {
    const resolve = () => resolveInputs(db, graphs, leased);
    const steps = await retryTransient(resolve, { signal: end.signal, random, onRetry });
    if (performance.now() < until.leaseUntil) return { steps, returned: [] };
    // The answer to the claim came late, or this process stood still: others may have taken over and undone the steps.
    logger.warn({ count: leased.length }, "the leases ran out before the handlers could be called");
    return { steps: [], returned: leased.map(released) };
  } catch (error) {
    if (until.signal.aborted) return { steps: [], returned: leased.map(released) };
    if (!end.signal.aborted) return await resolveAlone(options, leased, until, error);
    logger.warn({ count: leased.length }, "inputs could not be loaded before the leases ran out");
    return { steps: [], returned: [] };
  } finally {
    clearTimeout(timer);
    until.signal.removeEventListener("abort", stop);
  }
};

/** How many steps are resolved each for itself at the same time. */
const aloneLimit = 4;

// One of them is at fault. Each for itself, so that the others can run.
const resolveAlone = async (
  options: ResolverOptions,
  leased: readonly LeasedStep[],
  until: Parameters<typeof resolveLeased>[2],
  error: unknown,
): Promise<Resolved> => {
  const [only] = leased;
  if (leased.length === 1 && only !== undefined) {
    options.logger.error({ error, instanceId: only.instanceId, step: only.node }, "the step cannot be called");
    return { steps: [], returned: [unusable(only, error)] };
  }
  const limit = pLimit(aloneLimit);
  const alone = await Promise.all(leased.map((step) => limit(() => resolveLeased(options, [step], until))));
  return { steps: alone.flatMap(({ steps }) => steps), returned: alone.flatMap(({ returned }) => returned) };
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
