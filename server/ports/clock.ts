/**
 * Time, as the product sees it. Two clocks and one way to wait:
 *
 *   nowMs()      the wall clock: may jump in both directions; goes into versions and logs only
 *   elapsedMs()  never goes back: deadlines, back-off, latencies
 *   after()      a callback later; soon() a callback at the end of this turn of the event loop
 *
 * The simulator hands over a clock of its own (test/simulation/clock.ts); nothing else in the
 * product reads time or sets a timer.
 */

export interface Timer {
  /** Stops the timer; harmless when it has fired or was cancelled before. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970, whole. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start, fractional. */
  elapsedMs(): number;
  /** Calls back once, `delayMs` (≥ 0) from now. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls back once, when the work at hand is done and before time moves on noticeably. */
  soon(callback: () => void): void;
}

class SystemTimer implements Timer {
  readonly #handle: ReturnType<typeof setTimeout>;
  constructor(delayMs: number, callback: () => void) {
    this.#handle = setTimeout(callback, delayMs);
  }
  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  after: (delayMs, callback) => new SystemTimer(delayMs, callback),
  soon: (callback) => {
    setImmediate(callback);
  },
};
