/** What the handler of a leased step is told beside its input. */
import type { LeasedStep, ResolvedStep } from "@floxy/shared";
import { retryPolicyOf, taskOf } from "@floxy/shared";
import type { CompensationContext, Logger } from "../handler/context.ts";

/** Makes the context of one attempt. What few handlers ask for is made when they do: the signal and the logger. */
export const contextOf = (step: ResolvedStep, signal: () => AbortSignal, logger: Logger): CompensationContext => {
  const { leased, graph } = step;
  const { instanceId, node, lane, attempt } = leased;
  const effectKey = effectKeyOf(leased);
  let ownLogger: Logger | undefined;
  return {
    instanceId,
    step: node,
    definition: { name: leased.definitionName, version: leased.definitionVersion },
    attempt,
    maxAttempts: retryPolicyOf(taskOf(graph, node).json, lane).maxAttempts,
    idempotencyKey: lane === "forward" ? effectKey : `${effectKey}/compensation`,
    effectKey,
    metadata: leased.metadata,
    get signal() {
      return signal();
    },
    get logger() {
      ownLogger ??= withFields(logger, { instanceId, step: node, attempt });
      return ownLogger;
    },
    lane,
    outcome: leased.outcome === "happened" ? "happened" : "unknown",
    output: leased.output === null ? undefined : JSON.parse(leased.output),
    cause: leased.cause ?? { code: "INTERNAL", message: "the cause is not known" },
  };
};

/** What a step's effect is called: the same in all attempts and for its compensation, another one in each run of the graph. */
const effectKeyOf = ({ instanceId, node, run }: LeasedStep): string =>
  run === 0 ? `${instanceId}/${node}` : `${instanceId}/${node}/${run}`;

// The fields of an attempt on every line of its handler, whatever the logger is.
const withFields = (logger: Logger, fields: object): Logger => {
  const method = (level: keyof Logger) => (first: object | string, message?: string) =>
    typeof first === "string" ? logger[level](fields, first) : logger[level]({ ...fields, ...first }, message);
  return { debug: method("debug"), info: method("info"), warn: method("warn"), error: method("error") };
};
