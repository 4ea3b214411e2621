/** Rare things that happened, counted. A simulation in which one of them never happened has not shown much. */

/** What must have happened at least once in a simulation of some size. */
export const rareThings = [
  "zombie completion",
  "adoption",
  "compensation failure",
  "cancel during rollback",
  "lease take-over",
  "early signal",
  "escalation",
  "savepoint retry",
  "any-join with losers cancelled",
  "any-join with losers compensated",
  "any-join with losers waited for",
  "dlq requeue",
  "repeated settle",
  "orchestrator crash",
  "abort with running steps",
  "resume",
  "transactional absent outcome",
] as const;

/** A thing that is counted. */
export type RareThing = (typeof rareThings)[number];

/** Counts by what was counted, also things that are not rare. */
export class Coverage {
  readonly counts = new Map<string, number>();

  count(thing: string, by = 1): void {
    this.counts.set(thing, (this.counts.get(thing) ?? 0) + by);
  }

  add(other: Iterable<readonly [string, number]>): void {
    for (const [thing, by] of other) this.count(thing, by);
  }

  /** The rare things that did not happen. */
  missing(): readonly RareThing[] {
    return rareThings.filter((thing) => !this.counts.has(thing));
  }
}
