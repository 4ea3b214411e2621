/** Human nodes: their options, and what is stored of them. */
import type { HumanJson, JsonObject } from "@floxy/shared";
import type { AnySchema } from "../handler/schema.ts";
import { toJsonSchema } from "../handler/schema.ts";
import type { CheckedShown, Decided, DecisionKind } from "./decision.ts";
import { defined } from "./defined.ts";
import type { AnyFlow } from "./flow.ts";
import { toMapping } from "./mapping.ts";
import type { AnyScope } from "./task.ts";

/** What a rejection leads to. `continue`: the flow goes on, and a condition can ask. */
export type RejectRule = "rollback" | "abort" | "continue";

/** What is asked, whom, and for how long. Each field has a default. */
export interface HumanOptions<
  S,
  Name extends string,
  M,
  Form extends AnySchema | undefined,
  Rule extends RejectRule,
  Start,
  Rejected extends AnyFlow,
> {
  /** What the people see, made as the input of a step is; by default the value passed on. */
  readonly input?: (scope: S) => CheckedShown<M, `the input of '${Name}'`>;
  readonly description?: string;
  /** Who may decide; by default anyone. */
  readonly deciders?: readonly string[];
  /** How many different people must confirm, by default 1. A single rejection rejects. */
  readonly approvals?: number;
  /**
   * A Standard Schema of the form that comes with a decision, or `typeOnly<T>()`. Where its library can tell, its JSON
   * Schema becomes part of the definition, and forms that arrive are held to it.
   */
  readonly form?: Form;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** What happens then, by default `reject`. `escalate`: `escalateTo` may decide from then on, for as long again. */
  readonly onTimeout?: "confirm" | "reject" | "escalate";
  readonly escalateTo?: readonly string[];
  /**
   * What a rejection leads to, by default `rollback`. A function makes the way that is taken then; it stands on the
   * `then` side of a condition called `<name>.rejected` behind the node.
   */
  readonly onReject?: Rule | ((rejected: NoInfer<Start>) => Rejected);
  /** Shown in the console. */
  readonly metadata?: JsonObject;
}

/** The options of a human node with their types erased. */
export interface AnyHumanOptions extends Omit<HumanJson, "kind" | "name" | "formSchema" | "input" | "onReject"> {
  readonly input?: (scope: AnyScope) => unknown;
  readonly form?: AnySchema;
  readonly onReject?: unknown;
}

/** The name of the condition that asks whether the people rejected, when a function says what follows. */
export type RejectedName<Name extends string, Rejected extends AnyFlow> = [Rejected] extends [never]
  ? never
  : string extends Name
    ? never
    : `${Name}.rejected`;

/**
 * What the flow goes on with when no function takes care of a rejection (`Rejected` is `never`): only what was confirmed,
 * unless a rejection continues too.
 */
export type AfterDecision<Input, Form, Rule extends RejectRule, Rejected extends AnyFlow> = Decided<
  Input,
  Form,
  [Rejected] extends [never] ? KindAfter<Rule> : "confirm"
>;

type KindAfter<Rule extends RejectRule> = "continue" extends Rule ? DecisionKind : "confirm";

/** A human node as it is stored. */
export const humanOf = (name: string, options: AnyHumanOptions, scope: AnyScope): HumanJson => {
  const { input, form, onReject, ...rest } = options;
  const rule = typeof onReject === "function" ? "continue" : onReject;
  return {
    kind: "human",
    name,
    ...(input && { input: toMapping(input(scope), `${name}.input`) }),
    // What else a rule may be is a problem of the definition.
    ...defined({ ...rest, formSchema: form && toJsonSchema(form), onReject: rule as RejectRule | undefined }),
  };
};

/** The name of the condition that asks whether the people rejected. */
export const rejectedName = (name: string): string => `${name}.rejected`;

/** What it asks. */
export const rejectedText = 'value.decision.kind == "reject"';
