/** The nodes that wait for a time or for a signal: their options, and what is stored of them. */
import type { NodeJson } from "@floxy/shared";
import type { AnySchema } from "../handler/schema.ts";
import { defined } from "./defined.ts";
import { refText } from "./expression.ts";
import { invalid } from "./invalid.ts";
import type { Reference } from "./ref.ts";
import type { AnyScope } from "./task.ts";

/** A time: ISO 8601 with a zone, or milliseconds since 1970. */
type Time = Reference<string> | Reference<number> | Reference<string | number>;

/** For how long to sleep, or until when. */
export type SleepOptions<S> =
  | { readonly durationMs: number; readonly until?: never }
  | {
      /**
       * A time in the data, as text in ISO 8601 with a zone or in milliseconds since 1970: a reference, CEL, or a function
       * of the {@link Scope} that answers one of the two.
       */
      readonly until: Time | string | ((scope: S) => Time | string);
      readonly durationMs?: never;
    };

/** What is said of a signal that is waited for. */
export interface SignalNodeOptions<P extends AnySchema | undefined> {
  /** What type its payload has, as a schema or with `typeOnly<T>()`. Not stored, and not checked when it arrives. */
  readonly payload?: P;
  /** The name of the signal; by default the node's. */
  readonly signal?: string;
  /** How long to wait before the step fails, in milliseconds; by default for as long as it takes. */
  readonly timeoutMs?: number;
}

/** The options of a sleep with their types erased. */
export interface AnySleepOptions {
  readonly durationMs?: number;
  readonly until?: unknown;
}

/** The options of a wait for a signal with their types erased. */
export type AnySignalOptions = SignalNodeOptions<AnySchema | undefined>;

/** A sleep as it is stored. */
export const sleepOf = (name: string, { until, ...options }: AnySleepOptions, scope: AnyScope): NodeJson => {
  const time: unknown = typeof until === "function" ? until(scope) : until;
  const text = time === undefined ? undefined : timeText(name, time);
  return { kind: "sleep", name, ...defined({ ...options, until: text }) };
};

/** A wait for a signal as it is stored. */
export const signalOf = (name: string, { payload: _, ...options }: AnySignalOptions): NodeJson => ({
  kind: "signal",
  name,
  ...defined(options),
});

const timeText = (name: string, time: unknown): string => {
  const text = typeof time === "string" ? time : refText(time);
  return (
    text ?? invalid(`${name}.until`, "not_an_expression", "a time is a reference to one, or CEL text that yields one")
  );
};
