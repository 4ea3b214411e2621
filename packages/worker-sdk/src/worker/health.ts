/** How a worker is doing. */
export interface WorkerHealth {
  readonly workerId: string;
  /** How many handlers run. */
  readonly running: number;
  /** How many more could. */
  readonly free: number;
  /** How long ago the queue was last looked at successfully, in milliseconds: the one figure that shows a dead worker. */
  readonly lastLookAgeMs: number;
  /** Whether notifications arrive; polling goes on either way. */
  readonly listening: boolean;
}
