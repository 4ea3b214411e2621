/**
 * The outside world: what handlers did to it. Every service keeps a barrier, so an effect is there once under its key, and
 * not after what was to undo it. At the end the world must be as the instance says that it is.
 */
import type { Account } from "../check/account.ts";
import type { Facts } from "../stage/stage.ts";

interface Effect {
  readonly node: string;
  readonly run: number;
  applied: boolean;
  undone: boolean;
  /** Whether a person has said that it may stay. */
  excused: boolean;
}

/** The effects of the handlers of all instances. */
export class World {
  readonly #effects = new Map<string, Map<string, Effect>>();

  /** A handler does what it is there for. Late, repeated, and after it was undone it does nothing. */
  act(instanceId: string, node: string, run: number): void {
    const effect = this.#effect(instanceId, node, run);
    if (!effect.undone) effect.applied = true;
  }

  /** A compensation undoes that, and keeps it from happening later. */
  undo(instanceId: string, node: string, run: number): void {
    this.#effect(instanceId, node, run).undone = true;
  }

  /** A person has seen to it. */
  excuse(instanceId: string, node: string, run: number): void {
    this.#effect(instanceId, node, run).excused = true;
  }

  /** What is wrong with the world, now that an instance has ended. */
  check({ instanceId, order, nodes, completed }: Account, facts: Facts): string[] {
    const wrong: string[] = [];
    const { status, boundary, steps, run: lastRun } = facts;
    if (status === "aborted") return wrong;
    for (const effect of this.#effects.get(instanceId)?.values() ?? []) {
      const { node, run } = effect;
      const isThere = effect.applied && !effect.undone;
      const task = order.tasks.get(node);
      const row = steps.get(node);
      const isCurrent = row?.run === run;
      const isKept =
        status === "completed" || (status === "failed" && boundary !== null && !order.isAfter(node, boundary));
      if (isKept && isCurrent) {
        const mayMiss = row.status !== "completed" || nodes.get(node)?.completed !== true;
        if (!isThere && !mayMiss) wrong.push(`it is ${status}, ${node} is completed, and its effect is not there`);
        continue;
      }
      const mayStay =
        task?.compensation === undefined ||
        effect.excused ||
        (task.compensateOn === "completed" && !completed.has(`${node} ${run}`));
      if (isThere && !mayStay)
        wrong.push(`it is ${status} in run ${lastRun}, and the effect of ${node} in run ${run} is there`);
    }
    return wrong;
  }

  #effect(instanceId: string, node: string, run: number): Effect {
    const key = `${node} ${run}`;
    const effects = this.#effects.get(instanceId) ?? new Map<string, Effect>();
    this.#effects.set(instanceId, effects);
    const effect = effects.get(key) ?? { node, run, applied: false, undone: false, excused: false };
    effects.set(key, effect);
    return effect;
  }
}
