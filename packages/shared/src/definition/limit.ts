/** The longest expression, in characters. */
export const expressionLengthLimit = 4_000;

/** The deepest nesting of an expression: each operator, call, access or literal within another counts one. */
export const expressionDepthLimit = 200;

/** The most parts (operators, calls, accesses, literals) of one expression. */
export const expressionNodeLimit = 1_000;

/** The most elements of a list or map written out in an expression. */
export const expressionListLimit = 200;

/**
 * What one evaluation may cost, in units: one for each part that is evaluated, each time it is, and some for the size of
 * what is compared, searched or made. A tenth of a second or so; then the expression fails.
 */
export const expressionBudget = 1_000_000;

/** The most that one expression may give, in values (at all depths) and characters of text together: 2 Mi. */
export const resultLimit = 2_097_152;

/** The largest definition, in bytes of its JSON in UTF-8: 1 MiB. */
export const definitionSizeLimit = 1_048_576;

/** The most attempts that a retry policy may allow. */
export const maxAttemptsLimit = 1_000;

/** The longest delay or timeout, in milliseconds: 366 days. */
export const durationLimitMs = 31_622_400_000;

/** The highest version of a definition: what a PostgreSQL integer holds. */
export const versionLimit = 2_147_483_647;

/** The highest priority. */
export const priorityLimit = 100;

/** The longest description of a definition, in characters. */
export const descriptionLimit = 10_000;

/** The deepest nesting of a definition's JSON; a fork within a branch takes four levels, and mappings need some. */
export const definitionDepthLimit = 400;

/** The most problems reported of one definition. */
export const problemLimit = 1_000;

/** The most people that a node may name as those who decide. */
export const deciderCountLimit = 1_000;

/** The longest name of a person who decides, in characters. */
export const deciderLengthLimit = 200;
