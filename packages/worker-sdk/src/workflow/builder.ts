/** What stands behind the chain at run time. Its types are erased; `sequence.ts` gives them. */
import type { DefinitionJson, EndJson, NodeJson } from "@floxy/shared";
import { fingerprint, parseDefinition } from "@floxy/shared";
import { toJsonSchema } from "../handler/schema.ts";
import type { Workflow, WorkflowOptions } from "./built.ts";
import type { Chain } from "./chain.ts";
import { append, listOf } from "./chain.ts";
import { conditionText } from "./condition.ts";
import { defined } from "./defined.ts";
import type { Place } from "./flow.ts";
import type { AnyHumanOptions } from "./human.ts";
import { humanOf, rejectedName, rejectedText } from "./human.ts";
import { invalid } from "./invalid.ts";
import type { JoinOptions } from "./join.ts";
import type { SavepointOptions } from "./savepoint.ts";
import type { StepHandle } from "./step.ts";
import type { AnyPlacement, AnyScope } from "./task.ts";
import { scopeAfter, taskOf } from "./task.ts";
import type { AnySignalOptions, AnySleepOptions } from "./wait.ts";
import { signalOf, sleepOf } from "./wait.ts";

type Continue = (start: SequenceBuilder) => unknown;

interface AnyCase {
  readonly when: unknown;
  readonly then: Continue;
}

interface AnySides extends AnyCase {
  readonly else?: Continue | undefined;
}

interface AnySwitch {
  readonly cases: readonly AnyCase[];
  readonly else?: Continue;
}

class SequenceBuilder {
  constructor(
    private readonly options: WorkflowOptions,
    private readonly place: Place,
    /** The same in all sequences that one start was continued to. */
    private readonly origin: symbol,
    /** The steps that certainly ran. */
    private readonly certain: Chain<StepHandle> | undefined,
    private readonly nodes?: Chain<NodeJson> | undefined,
  ) {}

  step(step: StepHandle, placement: AnyPlacement = {}): SequenceBuilder {
    return this.with(taskOf(step, placement, scopeAfter(this.certain)), [step]);
  }

  savepoint(name: string, options: SavepointOptions = {}): SequenceBuilder {
    return this.with({ kind: "savepoint", name, ...defined(options) });
  }

  fork(name: string, branches: Readonly<Record<string, Continue>>, options: JoinOptions = {}): SequenceBuilder {
    return this.branched(name, Object.entries(branches), options);
  }

  parallel(name: string, steps: readonly StepHandle[], options: JoinOptions = {}): SequenceBuilder {
    // Not by way of an object, in which two steps of one name would become one.
    return this.branched(
      name,
      steps.map((step) => [step.name, (branch) => branch.step(step)]),
      options,
    );
  }

  condition(name: string, sides: AnySides): SequenceBuilder {
    const when = typeof sides.when === "function" ? callWhen(sides.when, scopeAfter(this.certain)) : sides.when;
    const place = this.place === "branch" ? "branch" : "side";
    const side = (word: "then" | "else", run: Continue = (start) => start): readonly NodeJson[] =>
      listOf(this.nested(place, run, `side '${word}' of condition '${name}'`).nodes);
    return this.with({
      kind: "condition",
      name,
      when: conditionText(when),
      then: side("then", sides.then),
      else: side("else", sides.else),
    });
  }

  switch(name: string, { cases, else: otherwise }: AnySwitch): SequenceBuilder {
    const from = (start: SequenceBuilder, index: number): SequenceBuilder => {
      const one = cases[index] ?? invalid(`switch ${name}`, "no_cases", "a switch needs at least one case");
      const isLast = index === cases.length - 1;
      return start.condition(index === 0 ? name : `${name}.${index + 1}`, {
        ...one,
        else: isLast ? otherwise : (side) => from(side, index + 1),
      });
    };
    return from(this, 0);
  }

  human(name: string, options: AnyHumanOptions = {}): SequenceBuilder {
    const asked = this.with(humanOf(name, options, scopeAfter(this.certain)));
    const { onReject } = options;
    if (typeof onReject !== "function") return asked;
    return asked.condition(rejectedName(name), { when: rejectedText, then: (side) => onReject(side) });
  }

  sleep(name: string, options: AnySleepOptions): SequenceBuilder {
    return this.with(sleepOf(name, options, scopeAfter(this.certain)));
  }

  signal(name: string, options: AnySignalOptions = {}): SequenceBuilder {
    return this.with(signalOf(name, options));
  }

  complete(name: string): SequenceBuilder {
    // What follows an end is a problem of the definition, reported with all others when it is built.
    return this.with({ kind: "end", name, how: "complete" });
  }

  fail(name: string, options: Pick<EndJson, "message">): SequenceBuilder {
    return this.with({ kind: "end", name, how: "fail", ...defined(options) });
  }

  rollbackTo(name: string, savepoint: string, options: Pick<EndJson, "message"> = {}): SequenceBuilder {
    return this.with({ kind: "end", name, how: "rollbackTo", savepoint, ...defined(options) });
  }

  build(): Workflow {
    if (this.place !== "root") {
      invalid("", "not_outermost", "only the outermost sequence is built; return the branch or side as it is");
    }
    const { input, ...options } = this.options;
    const inputSchema = input === undefined ? undefined : toJsonSchema(input);
    const definition: DefinitionJson = parseDefinition({
      format: 1,
      ...defined({ ...options, inputSchema }),
      nodes: listOf(this.nodes),
    });
    const built = { definition, fingerprint: fingerprint(definition), inputSchema: input };
    return built;
  }

  private with(node: NodeJson, ran: readonly StepHandle[] = []): SequenceBuilder {
    const { options, place, origin } = this;
    return new SequenceBuilder(options, place, origin, append(this.certain, ran), append(this.nodes, [node]));
  }

  private branched(
    name: string,
    branches: readonly (readonly [string, Continue])[],
    options: JoinOptions,
  ): SequenceBuilder {
    const ends = branches.map(([branch, run]) => ({
      name: branch,
      end: this.nested("branch", run, `branch '${branch}' of fork '${name}'`),
    }));
    return this.with(
      {
        kind: "fork",
        name,
        branches: ends.map(({ name, end }) => ({ name, nodes: listOf(end.nodes) })),
        ...defined(options),
      },
      (options.join ?? "all") === "all" ? ends.flatMap(({ end }) => listOf(end.certain, this.certain)) : [],
    );
  }

  /** Lets a function continue a new sequence, and sees to it that the one it returns is that one. */
  private nested(place: Place, run: Continue, where: string): SequenceBuilder {
    const start = new SequenceBuilder(this.options, place, Symbol(where), this.certain);
    const end = run(start);
    if (end instanceof SequenceBuilder && end.origin === start.origin) return end;
    return invalid(where, "not_continued", "it must return the sequence that it was given, continued");
  }
}

const callWhen = (when: unknown, scope: AnyScope): unknown => (when as (scope: AnyScope) => unknown)(scope);

/** The outermost sequence, still empty. */
export const startSequence = (options: WorkflowOptions): SequenceBuilder =>
  new SequenceBuilder(options, "root", Symbol(options.name), undefined);
