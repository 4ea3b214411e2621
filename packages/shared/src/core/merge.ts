/** Putting decisions together that were made about different parts of one instance. */
import type { Decision, StepChange } from "./model.ts";

/** All that the decisions say, in their order. A step that several of them change is changed once; the last status stands. */
export const mergeDecisions = (decisions: readonly Decision[]): Decision => {
  const all = <K extends ListKey>(key: K): Required<Decision>[K][number][] =>
    decisions.flatMap((decision) => [...((decision[key] ?? []) as readonly Required<Decision>[K][number][])]);
  const instances = decisions.flatMap(({ instance }) => instance ?? []);
  return {
    ...(instances.length > 0 && { instance: Object.assign({}, ...instances) }),
    steps: mergeChanges(all("steps")),
    records: all("records"),
    forget: all("forget"),
    unqueue: all("unqueue"),
    disown: all("disown"),
    enqueue: all("enqueue"),
    bury: all("bury"),
    exhume: all("exhume"),
    take: all("take"),
    untake: all("untake"),
    escalate: all("escalate"),
    review: decisions.some(({ review }) => review),
  };
};

/** Whether a decision says nothing: all is as it should be. */
export const isNothing = ({ instance, review, ...lists }: Decision): boolean =>
  instance === undefined && !review && Object.values(lists).every((list) => list.length === 0);

type ListKey = Exclude<keyof Decision, "instance" | "review">;

const mergeChanges = (changes: readonly StepChange[]): StepChange[] => {
  const byNode = new Map<string, StepChange>();
  for (const change of changes) byNode.set(change.node, { ...byNode.get(change.node), ...change });
  return [...byNode.values()];
};
