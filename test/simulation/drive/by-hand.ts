/** A simulation that a test moves by hand: one instance, one worker, and every promise held after each step. */
import type { NodeJson } from "@floxy/shared";
import type { Account } from "../check/account.ts";
import { openMemoryStage } from "../stage/memory.ts";
import { Tape } from "../tape.ts";
import { drain } from "./drain.ts";
import { Simulation } from "./simulation.ts";
import type { Fate } from "./worker.ts";
import { SimulatedWorker } from "./worker.ts";

/** A task with a compensation, each of which is called once. */
export const undoable = (name: string, options: Partial<Extract<NodeJson, { kind: "task" }>> = {}): NodeJson => ({
  kind: "task",
  name,
  handler: "charge",
  retry: { maxAttempts: 1 },
  compensation: { handler: "refund", retry: { maxAttempts: 1 } },
  ...options,
});

/** A fork with these branches. */
export const fork = (name: string, branches: Readonly<Record<string, readonly NodeJson[]>>): NodeJson => ({
  kind: "fork",
  name,
  branches: Object.entries(branches).map(([branch, nodes]) => ({ name: branch, nodes })),
});

/** The handler throws. */
export const fails: Fate = { kind: "fails", retryable: true, hasEffect: true };

/** The handler answers. */
const completes: Fate = { kind: "completes", output: { by: "hand" } };

/** An instance in the hands of a test. */
export class ByHand {
  readonly simulation = new Simulation(openMemoryStage());
  readonly worker = new SimulatedWorker(this.simulation, "w", ["charge", "refund"], new Set());
  #instanceId = "";

  /** Starts an instance of these nodes. */
  static async start(nodes: readonly NodeJson[]): Promise<ByHand> {
    const hand = new ByHand();
    const definition = { format: 1, name: "by-hand", version: 1, nodes } as const;
    const sample = { definition, rules: new Map(), mappings: new Map() };
    await hand.simulation.define(sample);
    hand.#instanceId = await hand.simulation.start(sample, { start: 1 });
    return hand;
  }

  get account(): Account {
    const account = this.simulation.accounts.get(this.#instanceId);
    if (account === undefined) throw new Error("it was not started");
    return account;
  }

  get status(): string | undefined {
    return this.account.facts?.status;
  }

  /** What is in the queue. */
  get queued(): readonly string[] {
    return [...(this.account.facts?.queue.keys() ?? [])].sort();
  }

  /** The status of a node. */
  statusOf(node: string): string | undefined {
    return this.account.facts?.steps.get(node)?.status;
  }

  /** Leases all that is ready. */
  async lease(): Promise<void> {
    await this.worker.claim(1_000);
  }

  /** The handler of a step that was leased comes to its end, and that is settled. */
  async settle(node: string, fate: Fate = completes): Promise<void> {
    const call = this.worker.calls.find(({ leased }) => leased.node === node);
    if (call === undefined) throw new Error(`${node} is not leased`);
    this.worker.finish(call, fate);
    await this.worker.settle();
  }

  /** Steps are leased and settled, and all is looked at, until nothing is ready. Steps that are named fail. */
  async play(failing: readonly string[] = []): Promise<void> {
    for (;;) {
      await this.lease();
      if (this.worker.calls.length === 0) return;
      for (const call of [...this.worker.calls]) {
        const { lane, node } = call.leased;
        this.worker.finish(call, lane === "forward" && failing.includes(node) ? fails : completes);
      }
      await this.worker.settle();
      await this.simulation.review();
    }
  }

  /** All that is left goes well. */
  async end(): Promise<void> {
    await drain(this.simulation, [this.worker], Tape.of([]));
  }

  /** The steps whose handlers, or compensations, were called, in order. */
  called(lane: "forward" | "compensation"): readonly string[] {
    return this.worker.log.filter((call) => call.lane === lane).map(({ node }) => node);
  }
}
