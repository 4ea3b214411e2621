/** The sentence for a compensation that was made for another handler. */
import type { CompensationContract } from "../handler/compensation.ts";
import type { HandlerContract, InputOf, OutputOf } from "../handler/contract.ts";

/** `unknown` when compensation `C` undoes `Handler`, else a sentence that nothing can be assigned to. */
export type CheckUndoes<C, Handler extends HandlerContract, Step extends string> =
  C extends CompensationContract<infer Of>
    ? SameHandler<Of, Handler> extends true
      ? unknown
      : `compensation '${C["name"]}' was made for handler '${Of["name"]}', and step '${Step}' calls another handler`
    : unknown;

/**
 * Contracts that were made with schemas know their names. One with type arguments alone only knows that its name is some
 * text, so there what they take and return must decide; at run time the names do.
 */
type SameHandler<A extends HandlerContract, B extends HandlerContract> = [A["name"]] extends [B["name"]]
  ? SameData<A, B>
  : [B["name"]] extends [A["name"]]
    ? SameData<A, B>
    : false;

type SameData<A extends HandlerContract, B extends HandlerContract> = [InputOf<A>, OutputOf<A>] extends [
  InputOf<B>,
  OutputOf<B>,
]
  ? [InputOf<B>, OutputOf<B>] extends [InputOf<A>, OutputOf<A>]
    ? true
    : false
  : false;
