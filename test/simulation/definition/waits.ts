/** Random nodes that wait: for people, for time, for signals. */
import type { HumanJson, NodeJson } from "@floxy/shared";
import type { Growth, Position } from "./growth.ts";
import { growMapping, nameOf } from "./growth.ts";

/** Those who decide when they are named. */
export const people = ["ada", "ben", "cem"] as const;

/** Those who decide when time was up for the others. */
export const chiefs = ["dee", "eli"] as const;

/** A human node: any number of approvals, deadlines of all kinds, rejections of all kinds. */
export const growHuman = (growth: Growth, position: Position): HumanJson => {
  const { tape } = growth;
  const name = nameOf(growth, "h");
  const input = growMapping(growth, position, 20);
  if (input !== undefined) growth.mappings.set(name, input.rule);
  const onTimeout = tape.pick([undefined, "confirm", "reject", "escalate"] as const);
  return {
    kind: "human",
    name,
    ...(input !== undefined && { input: input.mapping }),
    ...(tape.chance(40) && { deciders: people }),
    ...(tape.chance(30) && { approvals: 2 }),
    ...(onTimeout !== undefined && { timeoutMs: 20_000 * (1 + tape.below(4)), onTimeout }),
    ...(onTimeout === "escalate" && { escalateTo: chiefs }),
    ...(tape.chance(60) && { onReject: tape.pick(["rollback", "abort", "continue", "continue"] as const) }),
  };
};

/** A sleep, for a while or until a time of the input; that of some is no time. */
export const growSleep = (growth: Growth): NodeJson => {
  const { tape } = growth;
  const name = nameOf(growth, "z");
  if (tape.chance(10)) return { kind: "sleep", name, until: "input.sides" };
  if (tape.chance(30)) return { kind: "sleep", name, until: "input.until" };
  return { kind: "sleep", name, durationMs: tape.pick([10_000, 0, 40_000]) };
};

/** The names of signals that nodes wait for; several may wait for the same. */
export const signalNames = ["paid", "packed"] as const;

/** A node that waits for a signal, for a while or for as long as it takes. */
export const growSignal = (growth: Growth): NodeJson => {
  const { tape } = growth;
  return {
    kind: "signal",
    name: nameOf(growth, "w"),
    signal: tape.pick(signalNames),
    ...(tape.chance(50) && { timeoutMs: 20_000 * (1 + tape.below(4)) }),
  };
};
