/** What an instance waits for that time alone does not bring, and how a test gives it. */
import type { InstanceView, StepView } from "@floxy/shared";
import { FloxyError } from "@floxy/shared";

/** Something that an instance waits for. */
export interface WaitsFor {
  readonly kind: "decision" | "signal" | "dead letter" | "pause";
  /** The step that waits; `null` for a pause of the definition. */
  readonly step: string | null;
  /** What it waits for, and how to give it. */
  readonly text: string;
}

/** All that an instance waits for. */
export const waitsOf = ({ steps, pause }: InstanceView): readonly WaitsFor[] => [
  ...steps.flatMap((step) => waitOf(step) ?? []),
  ...(pause === null ? [] : [{ kind: "pause", step: null, text: pauseText } as const]),
];

const pauseText = "its definition is paused: kit.operator.unpauseDefinition(name, { requestedBy: … })";

const waitOf = ({ step, decision, signal, status, deadLetter }: StepView): WaitsFor | undefined => {
  if (deadLetter !== null) {
    const { kind, error } = deadLetter;
    const [what, how] =
      kind === "forward"
        ? [
            "step",
            `run.requeue("${step}"), run.resolve("${step}", { output: … }) or run.discard("${step}", { reason: … })`,
          ]
        : [
            "compensation of step",
            `run.retryCompensation("${step}") or run.skipCompensation("${step}", { reason: … })`,
          ];
    return {
      kind: "dead letter",
      step,
      text: `${what} '${step}' has failed (${error.code}: ${error.message}): ${how}`,
    };
  }
  if (decision?.isOpen === true) {
    const by = decision.deciders?.[0] ?? "somebody";
    const who = decision.deciders === null ? "anybody" : decision.deciders.join(" or ");
    const how = `run.decide("${step}", { kind: "confirm", by: "${by}" })`;
    return { kind: "decision", step, text: `decision '${step}', which ${who} can make: ${how}` };
  }
  if (signal !== null && status === "waiting") {
    return {
      kind: "signal",
      step,
      text: `signal '${signal}' of step '${step}': run.signal("${signal}", { payload: … })`,
    };
  }
  return undefined;
};

/** The error for a test that waits for what does not come. */
export const stuck = (view: InstanceView, wanted: string, now: number): FloxyError => {
  const waits = waitsOf(view);
  const { instanceId, status, definition } = view;
  const list =
    waits.length === 0 ? "It is not known to wait for anything." : waits.map(({ text }) => `\n- ${text}`).join("");
  const message = `instance ${instanceId} of '${definition.name}' is '${status}' and does not come to ${wanted}: at ${new Date(now).toISOString()} nothing is left to be done, and no time will change that. It waits for:${list}`;
  return new FloxyError("WAIT_TIMEOUT", message, { data: { instanceId, status, waitsFor: waits } });
};

/** The error for a test that waits for something after the end. */
export const endedBefore = ({ instanceId, status, error }: InstanceView, wanted: string): FloxyError => {
  const why = error === null ? "" : ` (${error.code}: ${error.message})`;
  const message = `instance ${instanceId} has ended '${status}'${why} without coming to ${wanted}`;
  return new FloxyError("INSTANCE_TERMINAL", message, { data: { instanceId, status } });
};
