/** What the barrier should do, call after call: what its tests compare it with. */
import type { Lane } from "@floxy/shared";
import type { BarrierResult } from "../barrier.ts";

/** What is known of an effect. */
export type EffectState = "none" | "applied" | "undone" | "barred";

/** What became of a call; `undefined` if it was applied. */
export type Reason = BarrierResult<unknown>["reason"];

/** The state after a call that is committed, and what became of the call. */
export const expected = (state: EffectState, lane: Lane): { readonly state: EffectState; readonly reason: Reason } => {
  if (lane === "forward") {
    if (state === "none") return { state: "applied", reason: undefined };
    return { state, reason: state === "applied" ? "repeated" : "hanging" };
  }
  if (state === "none") return { state: "barred", reason: "empty" };
  return state === "applied" ? { state: "undone", reason: undefined } : { state, reason: "repeated" };
};

/** What stands in the ledger in a state. */
export const ledgerOf = (state: EffectState): readonly number[] => {
  if (state === "applied") return [1];
  return state === "undone" ? [1, -1] : [];
};
