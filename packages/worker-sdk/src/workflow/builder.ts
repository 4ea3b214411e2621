/** What stands behind the chain at run time. Its types are erased; `sequence.ts` gives them. */
import type { DefinitionJson, NodeJson } from "@floxy/shared";
import { fingerprint, parseDefinition } from "@floxy/shared";
import { toJsonSchema } from "../handler/schema.ts";
import type { Workflow, WorkflowOptions } from "./built.ts";
import type { Chain } from "./chain.ts";
import { append, listOf } from "./chain.ts";
import { conditionText } from "./condition.ts";
import type { Place } from "./flow.ts";
import { invalid } from "./invalid.ts";
import type { StepHandle } from "./step.ts";
import type { AnyPlacement, AnyScope } from "./task.ts";
import { scopeAfter, taskOf } from "./task.ts";

type Continue = (start: SequenceBuilder) => unknown;

interface AnySides {
  readonly when: unknown;
  readonly then: Continue;
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

  savepoint(name: string): SequenceBuilder {
    return this.with({ kind: "savepoint", name });
  }

  fork(name: string, branches: Readonly<Record<string, Continue>>): SequenceBuilder {
    return this.branched(name, Object.entries(branches));
  }

  parallel(name: string, steps: readonly StepHandle[]): SequenceBuilder {
    // Not by way of an object, in which two steps of one name would become one.
    return this.branched(
      name,
      steps.map((step) => [step.name, (branch) => branch.step(step)]),
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

  build(): Workflow {
    if (this.place !== "root") {
      invalid("", "not_outermost", "only the outermost sequence is built; return the branch or side as it is");
    }
    const { name, version, description, input, priority, metadata } = this.options;
    const inputSchema = input === undefined ? undefined : toJsonSchema(input);
    const definition: DefinitionJson = parseDefinition({
      format: 1,
      name,
      version,
      ...(description !== undefined && { description }),
      ...(inputSchema !== undefined && { inputSchema }),
      ...(priority !== undefined && { priority }),
      ...(metadata !== undefined && { metadata }),
      nodes: listOf(this.nodes),
    });
    const built = { definition, fingerprint: fingerprint(definition), inputSchema: input };
    return built;
  }

  private with(node: NodeJson, ran: readonly StepHandle[] = []): SequenceBuilder {
    const { options, place, origin } = this;
    return new SequenceBuilder(options, place, origin, append(this.certain, ran), append(this.nodes, [node]));
  }

  private branched(name: string, branches: readonly (readonly [string, Continue])[]): SequenceBuilder {
    const ends = branches.map(([branch, run]) => ({
      name: branch,
      end: this.nested("branch", run, `branch '${branch}' of fork '${name}'`),
    }));
    return this.with(
      { kind: "fork", name, branches: ends.map(({ name, end }) => ({ name, nodes: listOf(end.nodes) })) },
      ends.flatMap(({ end }) => listOf(end.certain, this.certain)),
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
