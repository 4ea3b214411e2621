/** The orders through the saga, each to its end. */
import type { FloxyClient, InstanceSummary } from "@floxy/worker-sdk";
import { isFloxyError } from "@floxy/worker-sdk";
import type { Order } from "../contract/order.ts";
import { orderSaga } from "../contract/workflow.ts";

/** An order that came to its end. */
export interface SagaEnd {
  readonly order: Order;
  readonly status: InstanceSummary["status"];
  /** Why it did not complete, or `''`. */
  readonly because: string;
  /** From start to end, in milliseconds. */
  readonly tookMs: number;
}

/** How to run orders. */
export interface RunOptions {
  /** When to give up on an order, in milliseconds. */
  readonly timeoutMs: number;
  /** Stops waiting when it is aborted. */
  readonly signal: AbortSignal;
  /** Told of each order that came to its end. */
  readonly onEnd: (end: SagaEnd) => void;
}

/** So many orders are on their way at once; more would only wait for each other, and for the limit of their time. */
const lanes = 200;

/** Takes orders through the saga; resolves with how each ended, in the order given. */
export const runOrders = async (
  client: FloxyClient,
  orders: readonly Order[],
  { onEnd, ...options }: RunOptions,
): Promise<SagaEnd[]> => {
  const ends: SagaEnd[] = [];
  const waiting = orders.entries();
  const lane = async (): Promise<void> => {
    for (const [index, order] of waiting) {
      const end = await runOrder(client, order, options);
      ends[index] = end;
      onEnd(end);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return ends;
};

const runOrder = async (
  client: FloxyClient,
  order: Order,
  { timeoutMs, signal }: Omit<RunOptions, "onEnd">,
): Promise<SagaEnd> => {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const { orderId, customer } = order;
  const handle = await client.start(orderSaga, order, { idempotencyKey: orderId, metadata: { customer } });
  const { status, error } = await handle.waitForEnd({ timeoutMs, signal }).catch((problem: unknown) => {
    if (!isFloxyError(problem, "WAIT_TIMEOUT")) throw problem;
    throw new Error(`order ${orderId} has not come to its end in ${timeoutMs / 1_000} s: ${problem.message}`);
  });
  return { order, status, because: error?.message ?? "", tookMs: performance.now() - startedAt };
};
