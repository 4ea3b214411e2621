/** What a worker does about the signals that end its process. */

/**
 * Stops on these signals, and lets the process end then. One that comes again meanwhile, as npm and terminals send it,
 * changes nothing. Answers how to forget the signals; that is done before the process ends.
 */
export const stopOnSignals = (signals: readonly NodeJS.Signals[], stop: () => Promise<void>): (() => void) => {
  const onSignal = (signal: NodeJS.Signals): void => {
    void stop().then(() => {
      // Our listener has kept the signal from ending the process. If nobody else handles it, it does so now.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
};
