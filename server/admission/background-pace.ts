/**
 * How fast work in the background may go, seen from the one thread that it shares with requests.
 *
 *   step ── asked to wait d ──▶ step            the timer came on time: a little faster
 *   step ── asked to wait d ────────▶ step      it came late, others were busy: half as fast
 *                            └ late ┘
 *
 * A rate between two bounds, in bytes a second. The lower bound holds whatever the load is: a store that
 * gives no space back while it is busy fills the disk. Lateness of timers is the load as a request feels
 * it, so nothing else is asked.
 */

import type { Pacer } from "../../storage/log/compaction.ts";
import type { Clock } from "../ports/clock.ts";

const BYTES_PER_SECOND_MAX = 32 << 20;
const BYTES_PER_SECOND_MIN = 2 << 20;
/** Timers come up to a millisecond late on an idle machine. */
const LATE_MS = 3;
const SLOWER = 0.5;
const FASTER = 1.02;

export class BackgroundPace implements Pacer {
  readonly #clock: Pick<Clock, "elapsedMs">;
  #bytesPerSecond: number;
  /** When the step that was granted last should have begun. */
  #dueMs: number;

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.#clock = clock;
    this.#bytesPerSecond = BYTES_PER_SECOND_MIN;
    this.#dueMs = Infinity;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** Milliseconds to wait after a step of so many bytes; 0 bytes: a piece of work begins. */
  grant(bytes: number): number {
    if (bytes === 0) {
      this.#dueMs = Infinity;
      return 0;
    }
    const now = this.#clock.elapsedMs();
    const isLate = now - this.#dueMs > LATE_MS;
    const rate = this.#bytesPerSecond * (isLate ? SLOWER : FASTER);
    this.#bytesPerSecond = Math.min(BYTES_PER_SECOND_MAX, Math.max(BYTES_PER_SECOND_MIN, rate));
    const delayMs = (bytes * 1000) / this.#bytesPerSecond;
    this.#dueMs = now + delayMs;
    return delayMs;
  }
}
