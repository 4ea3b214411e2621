/** Why an embedded server could not be had. */
export type EmbeddedPostgresErrorCode =
  | "UNSUPPORTED_PLATFORM"
  | "BINARIES_MISSING"
  | "DIRECTORY_UNSAFE"
  | "START_FAILED";

/** The error of this package. Tell errors apart by {@link EmbeddedPostgresError.code}. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";

  constructor(
    readonly code: EmbeddedPostgresErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
