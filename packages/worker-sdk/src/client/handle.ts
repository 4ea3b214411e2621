/** What a start answers: the way to the instance and to its result. */
import type { ErrorCode, InstanceSummary, InstanceView, Operated, Started } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";
import type { ActOptions, DecideOptions, SignalOptions } from "./act-options.ts";
import type { Operator } from "./operator.ts";
import type { WaitForEnd, WaitOptions } from "./waiting.ts";

/** An instance that was started. */
export interface InstanceHandle<Output = unknown> {
  readonly instanceId: string;
  /** `false` if it existed already under the same idempotency key. */
  readonly created: boolean;
  /**
   * Waits for the end and answers the output. Throws `INSTANCE_FAILED`, `INSTANCE_CANCELLED` or `INSTANCE_ABORTED` when
   * it ended otherwise, with the summary as `data.instance`; and all that {@link waitForEnd} throws.
   */
  result(options?: WaitOptions): Promise<Output>;
  /** Waits for the end, whichever it is. Throws `WAIT_TIMEOUT`, `INSTANCE_NOT_FOUND` or `SHUTDOWN`. */
  waitForEnd(options?: WaitOptions): Promise<InstanceSummary>;
  /** The instance with its steps as it is now. */
  get(): Promise<InstanceView>;
  /** Undoes all that it has done. Throws as {@link Operator.cancel}. */
  cancel(options: ActOptions): Promise<Operated>;
  /** Ends it where it stands. Throws as {@link Operator.abort}. */
  abort(options: ActOptions): Promise<Operated>;
  /** Votes on a human node. Throws as {@link Operator.decide}. */
  decide(step: string, options: DecideOptions): Promise<Operated>;
  /** Sends it a signal. Throws as {@link Operator.signal}. */
  signal(name: string, options: SignalOptions): Promise<Operated>;
}

/** What a handle needs of the client. */
interface HandleClient extends Pick<Operator, "cancel" | "abort" | "decide" | "signal"> {
  readonly waitForEnd: WaitForEnd;
  get(instanceId: string): Promise<InstanceView>;
}

/** Makes a handle. */
export const makeHandle = <Output>({ instanceId, created }: Started, client: HandleClient): InstanceHandle<Output> => ({
  instanceId,
  created,
  waitForEnd: (options) => client.waitForEnd(instanceId, options),
  get: () => client.get(instanceId),
  cancel: (options) => client.cancel(instanceId, options),
  abort: (options) => client.abort(instanceId, options),
  decide: (step, options) => client.decide(instanceId, step, options),
  signal: (name, options) => client.signal(instanceId, name, options),
  // The definition says what its last step returns, and the worker has checked it: this is where the type comes back.
  result: async (options) => resultOf(await client.waitForEnd(instanceId, options)) as Output,
});

const endCodes: Readonly<Record<string, ErrorCode>> = {
  failed: "INSTANCE_FAILED",
  cancelled: "INSTANCE_CANCELLED",
  aborted: "INSTANCE_ABORTED",
};

const resultOf = (instance: InstanceSummary): unknown => {
  const { instanceId, status, output, error, definition, savepoint } = instance;
  if (status === "completed") return output;
  const because = error === null ? "" : `: ${error.message}`;
  const stopped = savepoint === null ? "" : ` (rolled back to savepoint '${savepoint}')`;
  const message = `Instance ${instanceId} of '${definition.name}' ended ${status}${stopped}${because}`;
  throw new FloxyError(endCodes[status] ?? "INTERNAL", message, { data: { instanceId, status, error, instance } });
};
