/** The acts of operators that are recorded for the audit, named by their verbs. */
export const acts = [
  "cancel",
  "abort",
  "decide",
  "signal",
  "requeue",
  "discard",
  "resolve",
  "retry_compensation",
  "skip_compensation",
  "resume",
  "reprioritise",
  "pause",
  "unpause",
  "deprecate",
  "undeprecate",
  "set_retention",
  "remove_retention",
] as const;

/** The name of an act. */
export type Act = (typeof acts)[number];
