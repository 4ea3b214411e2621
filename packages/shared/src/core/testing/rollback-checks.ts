/** The checker of what happens after a failure; see checks.ts. It follows the log and keeps its own account of it. */
import type { LogEntry } from "./log.ts";
import type { Order } from "./oracle.ts";

type Of<T extends LogEntry["type"]> = Extract<LogEntry, { type: T }>;

/** Everything that is wrong with how a run was frozen and undone. `status` is how it ended. */
export const wrongWithRollback = (log: readonly LogEntry[], order: Order, status: string): string[] => {
  const account = new Account(order);
  for (const entry of log) account.enter(entry);
  return [...account.wrong, ...(status === "failed" || status === "cancelled" ? account.leftOver(status) : [])];
};

class Account {
  readonly wrong: string[] = [];
  readonly #order: Order;
  /** Tasks that are being called, forward. */
  readonly #running = new Set<string>();
  /** Tasks whose effects are there, or may be: completed, or called and failed. */
  readonly #effects = new Set<string>();
  readonly #undone = new Set<string>();
  /** Tasks of which a person has said that they need not be undone. */
  readonly #excused = new Set<string>();
  readonly #causes: string[] = [];
  #lastSavepoint: string | null = null;
  #frozen = false;
  #boundary: string | null = null;

  constructor(order: Order) {
    this.#order = order;
  }

  enter(entry: LogEntry): void {
    if (entry.type === "enqueued") this.#enqueued(entry);
    else if (entry.type === "leased") this.#leased(entry);
    else if (entry.type === "settled") this.#settled(entry);
    else if (entry.type === "step") this.#changed(entry);
    else if (entry.type === "frozen") this.#freeze(entry);
    else if (entry.type === "person" && entry.act === "skip") this.#excused.add(entry.node);
    // A person who cancels a rollback takes its boundary away.
    else if (entry.type === "instance" && entry.to === "cancelling") this.#boundary = null;
  }

  leftOver(status: string): string[] {
    return [...new Set([...this.#running, ...this.#effects])]
      .filter((name) => !this.#isBeforeBoundary(name))
      .map((name) => `it is ${status}, and ${name} is not undone`);
  }

  #enqueued({ node, lane }: Of<"enqueued">): void {
    if (lane === "forward") {
      this.#complainIf(this.#frozen, `${node} was queued after the freeze`);
      return;
    }
    this.#complainIf(!this.#frozen, `${node} is undone, and nothing has failed`);
    this.#complainIf(this.#running.has(node), `${node} is undone while it runs`);
    this.#complainIf(!this.#effects.has(node), `${node} is undone, and there is nothing to undo`);
    this.#mayBeUndone(node);
  }

  #leased({ node, lane }: Of<"leased">): void {
    if (lane === "compensation") return;
    this.#complainIf(this.#frozen, `${node} was called after the freeze`);
    this.#running.add(node);
  }

  #settled({ node, lane, completed, called, again, message }: Of<"settled">): void {
    if (lane === "compensation") {
      if (!completed) return;
      this.#complainIf(this.#undone.has(node), `${node} was undone twice`);
      this.#undone.add(node);
      return;
    }
    this.#running.delete(node);
    if (completed || called) this.#effects.add(node);
    if (!completed && !again) this.#causes.push(message);
  }

  #changed({ node: name, to }: Of<"step">): void {
    const node = this.#order.nodes.get(name);
    if (node?.kind === "condition" && to === "failed") this.#causes.push(`condition '${name}'`);
    if (node?.kind === "savepoint" && to === "completed") this.#lastSavepoint = name;
    if (to !== "rolled_back" && to !== "skipped") return;
    this.#mayBeUndone(name);
    if (node?.kind !== "task") return;
    const without = node.compensation === undefined && to === "rolled_back";
    if (without || this.#undone.has(name) || this.#excused.has(name)) this.#effects.delete(name);
  }

  #freeze({ boundary, cause }: Of<"frozen">): void {
    const [first] = this.#causes;
    this.#complainIf(this.#frozen, "it was frozen twice");
    this.#complainIf(boundary !== this.#lastSavepoint, `it goes back to ${boundary} and not to ${this.#lastSavepoint}`);
    this.#complainIf(first === undefined || !cause.startsWith(first), `its cause is ${cause} and not ${first}`);
    this.#frozen = true;
    this.#boundary = boundary;
  }

  #mayBeUndone(name: string): void {
    this.#complainIf(this.#isBeforeBoundary(name), `${name} is undone, and it comes before the savepoint`);
    for (const other of [...this.#running, ...this.#effects]) {
      const waits = this.#order.isAfter(other, name);
      this.#complainIf(waits, `${name} is undone, and ${other}, which comes after it, is not yet`);
    }
  }

  #isBeforeBoundary(name: string): boolean {
    return this.#boundary !== null && !this.#order.isAfter(name, this.#boundary);
  }

  #complainIf(wrong: boolean, complaint: string): void {
    if (wrong) this.wrong.push(complaint);
  }
}
