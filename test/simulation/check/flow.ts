/**
 * What must be the case, worked out from the JSON of a definition, from what the outside has answered, and from where each
 * node stands: which nodes the flow has reached, and which value was passed to each. Shares no code with the engine.
 */
import type { ForkJson, HumanJson, Json, NodeJson } from "@floxy/shared";
import type { MappingRule, Rule, Sample } from "../definition/growth.ts";
import type { Facts } from "../stage/stage.ts";

/** How far the flow has come through a node or a sequence. `early`: it has ended the branch, or all. */
export type Way =
  | { readonly at: "ended" | "early"; readonly value: Json }
  | { readonly at: "open" }
  | { readonly at: "failed" };

/** What is foretold of a node that the flow has reached. */
export interface Reached {
  /** The value that was passed to it. */
  readonly passed: Json;
  readonly way: Way;
}

/** What the outside has said. */
export interface Told {
  readonly sample: Sample;
  readonly input: Json;
  /** The outputs of tasks that were accepted, and what people gave in their place, by node. */
  readonly outputs: ReadonlyMap<string, Json>;
  /** What people have put in place of what savepoints pass on. */
  readonly replaced: ReadonlyMap<string, Json>;
  /** The sides that people have chosen for conditions that could not be decided. */
  readonly sides: ReadonlyMap<string, "then" | "else">;
}

/** What is foretold of an instance. */
export interface Flow {
  readonly nodes: ReadonlyMap<string, Reached>;
  /** The ways through the branches of forks, by fork and branch. */
  readonly branches: ReadonlyMap<string, ReadonlyMap<string, Way>>;
  readonly whole: Way;
  /** What is wrong with the values of nodes that make their own. */
  readonly wrong: readonly string[];
}

const open: Way = { at: "open" };
const failed: Way = { at: "failed" };

/** Follows the flow as far as it has come. */
export const followFlow = (told: Told, facts: Facts): Flow => new Follower(told, facts).follow();

class Follower {
  readonly #told: Told;
  readonly #facts: Facts;
  readonly #nodes = new Map<string, Reached>();
  readonly #branches = new Map<string, Map<string, Way>>();
  readonly #wrong: string[] = [];

  constructor(told: Told, facts: Facts) {
    this.#told = told;
    this.#facts = facts;
  }

  follow(): Flow {
    const whole = this.#through(this.#told.sample.definition.nodes, this.#told.input);
    return { nodes: this.#nodes, branches: this.#branches, whole, wrong: this.#wrong };
  }

  #through(list: readonly NodeJson[], passed: Json): Way {
    let value = passed;
    for (const node of list) {
      const way = this.#over(node, value);
      this.#nodes.set(node.name, { passed: value, way });
      if (way.at !== "ended") return way;
      value = way.value;
    }
    return { at: "ended", value };
  }

  #over(node: NodeJson, passed: Json): Way {
    const status = this.#facts.steps.get(node.name)?.status;
    switch (node.kind) {
      case "task": {
        const output = this.#told.outputs.get(node.name);
        if (status === "completed" && output !== undefined) return { at: "ended", value: output };
        return status === "failed" ? failed : open;
      }
      case "savepoint": {
        const value = this.#told.replaced.get(node.name) ?? passed;
        return status === "completed" ? { at: "ended", value } : open;
      }
      case "sleep":
        return status === "completed" ? { at: "ended", value: passed } : status === "failed" ? failed : open;
      case "human":
        return this.#overHuman(node, passed, status);
      case "signal":
        return this.#overSignal(node.name, status);
      case "end":
        return node.how !== "complete" ? failed : status === "completed" ? { at: "early", value: passed } : open;
      case "condition": {
        const side = this.#told.sides.get(node.name) ?? sideOf(this.#told, this.#nodes, node.name, passed);
        const actual = this.#facts.steps.get(node.name)?.side ?? null;
        if (status === undefined) return open;
        if (actual !== side) this.#wrong.push(`${node.name} took the side ${actual}, and ${side} is right`);
        if (side === null) return status === "failed" ? failed : open;
        return this.#through(node[side], passed);
      }
      case "fork":
        return this.#overFork(node, passed, status);
    }
  }

  #overHuman(node: HumanJson, passed: Json, status: string | undefined): Way {
    const output = this.#facts.steps.get(node.name)?.output;
    const given = this.#told.outputs.get(node.name);
    if (given !== undefined && status === "completed") return { at: "ended", value: given };
    if (status === "failed") return failed;
    const isOver = status === "confirmed" || status === "rejected";
    if (!isOver || output === undefined) return open;
    if (status === "rejected" && node.onReject !== "continue") return failed;
    const input = mapped(this.#told, this.#nodes, node.name, passed);
    const { decision, ...rest } = output as Record<string, Json>;
    const kind = (decision as { kind?: unknown } | undefined)?.kind;
    const right = typeof input === "object" && input !== null ? { ...input, decision: null } : { value: input };
    const { decision: _, ...expected } = right as Record<string, Json>;
    if (!same(rest, expected)) this.#wrong.push(`${node.name} passes on ${text(rest)}, and ${text(expected)} is right`);
    if (kind !== (status === "confirmed" ? "confirm" : "reject")) {
      this.#wrong.push(`${node.name} is ${status} and passes on the decision ${text(kind)}`);
    }
    return { at: "ended", value: output };
  }

  #overSignal(name: string, status: string | undefined): Way {
    if (status === "failed") return failed;
    if (status !== "completed") return open;
    const given = this.#told.outputs.get(name);
    const taken = this.#facts.signals.filter(({ node }) => node === name);
    if (given === undefined && taken.length !== 1) this.#wrong.push(`${name} has taken ${taken.length} signals`);
    return { at: "ended", value: given ?? taken[0]?.payload ?? null };
  }

  #overFork(node: ForkJson, passed: Json, status: string | undefined): Way {
    if (status === undefined) return open;
    const ways = new Map(node.branches.map(({ name, nodes }) => [name, this.#through(nodes, passed)]));
    this.#branches.set(node.name, ways);
    const winners = this.#facts.steps.get(node.name)?.winners;
    if (status === "completed" && winners != null) {
      const values = winners.map((name): [string, Json] => {
        const way = ways.get(name);
        // Of one that has lost a join around it, branches may have been undone.
        return [name, way?.at === "ended" || way?.at === "early" ? way.value : null];
      });
      return { at: "ended", value: Object.fromEntries(values) };
    }
    const lost = [...ways.values()].filter(({ at }) => at === "failed").length;
    return node.branches.length - lost < needOf(node) ? failed : open;
  }
}

/** How many branches must arrive before a join fires. */
export const needOf = ({ join = "all", branches }: ForkJson): number =>
  join === "all" ? branches.length : join === "any" ? 1 : join.atLeast;

type Passed = ReadonlyMap<string, Reached>;

const valueAt = (nodes: Passed, name: string): Json | undefined => {
  const way = nodes.get(name)?.way;
  return way?.at === "ended" ? way.value : undefined;
};

const sideOf = ({ sample, input }: Told, nodes: Passed, name: string, passed: Json): "then" | "else" | null => {
  const rule: Rule = sample.rules.get(name) ?? { by: "never" };
  if (rule.by === "never") return null;
  const asked =
    rule.by === "input"
      ? member(member(input, "sides"), name)
      : member(rule.by === "step" ? valueAt(nodes, rule.step) : passed, "ok");
  if (rule.by === "input" && asked === undefined) return null;
  return asked === true ? "then" : "else";
};

/** What the mapping of a node makes, `undefined` when it fails; of a compensation when `~` stands before the name. */
export const mapped = ({ sample, input }: Told, nodes: Passed, name: string, passed: Json): Json | undefined => {
  const rule: MappingRule | undefined = sample.mappings.get(name);
  if (rule === undefined || rule.by === "value") return passed;
  if (rule.by !== "step" && rule.by !== "parts") return undefined;
  const value = valueAt(nodes, rule.step);
  if (rule.by === "step") return value;
  const n = member(value, "n") as Json | undefined;
  return {
    start: (member(input, "start") as Json | undefined) ?? null,
    ...(n !== undefined && { n }),
    fixed: [1, "x"],
  };
};

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/** A value as text, the same for values that are the same. */
export const text = (value: unknown): string => JSON.stringify(sorted(value)) ?? "nothing";

/** Whether two values are the same JSON. */
export const same = (one: unknown, other: unknown): boolean => one === other || text(one) === text(other);

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
};
