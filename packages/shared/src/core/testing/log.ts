/** What a run tells about itself, in the order in which it happened. */
import type { Json } from "../../vocabulary/json.ts";
import type { InstanceStatus, Lane, StepStatus } from "../../vocabulary/status.ts";

/** One thing that happened. */
export type LogEntry =
  /** A step was put into the queue. */
  | { readonly type: "enqueued"; readonly node: string; readonly lane: Lane }
  /** A worker took a step; `input` is what a forward handler got. */
  | { readonly type: "leased"; readonly node: string; readonly lane: Lane; readonly input: Json | undefined }
  /** An attempt ended. `again`: it went back into the queue. `called`: the handler may have been called in it. */
  | {
      readonly type: "settled";
      readonly node: string;
      readonly lane: Lane;
      readonly completed: boolean;
      readonly again: boolean;
      readonly called: boolean;
      /** The error that it failed with. */
      readonly message: string;
    }
  | { readonly type: "step"; readonly node: string; readonly from: StepStatus | null; readonly to: StepStatus }
  | { readonly type: "instance"; readonly from: InstanceStatus; readonly to: InstanceStatus }
  | { readonly type: "frozen"; readonly boundary: string | null; readonly cause: string }
  /** A person dealt with a dead letter. */
  | { readonly type: "person"; readonly node: string; readonly act: "retry" | "skip" }
  /** A review that was asked again right after it was applied had more to say. */
  | { readonly type: "restless"; readonly decision: string };
