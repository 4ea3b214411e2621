/** The largest input, output or metadata, in bytes of its JSON in UTF-8: 1 MiB. */
export const defaultPayloadLimit = 1_048_576;

/** The longest name of a definition, node, branch or handler, in characters. */
export const nameLimit = 100;

/** The longest idempotency key, in characters. */
export const idempotencyKeyLimit = 200;

/** The deepest nesting of a JSON payload. */
export const jsonDepthLimit = 200;

/** The most nodes of a definition, counted at all depths. */
export const nodeCountLimit = 10_000;

/** The deepest nesting of forks and conditions. */
export const nestingLimit = 50;

/** The longest message kept of an error, in characters. */
export const errorMessageLimit = 4_000;

/** The longest stack kept of an error, in characters. */
export const errorStackLimit = 4_000;
