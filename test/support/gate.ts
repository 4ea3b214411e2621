/** Gates: what a test holds closed to make a handler wait, instead of sleeping. */

/** A promise that a test opens. */
export interface Gate<T = void> {
  /** Resolves when the gate is opened. */
  readonly passed: Promise<T>;
  readonly isOpen: boolean;
  open(value: T): void;
}

/** Makes a closed gate. */
export const gate = <T = void>(): Gate<T> => {
  let isOpen = false;
  let resolve: (value: T) => void = () => {};
  const passed = new Promise<T>((done) => {
    resolve = done;
  });
  return {
    passed,
    get isOpen() {
      return isOpen;
    },
    open(value) {
      isOpen = true;
      resolve(value);
    },
  };
};

/** Rejects when the signal fires, with its reason; for handlers that do as they are told. */
export const stopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
