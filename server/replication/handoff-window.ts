/**
 * How many hints may be on their way to one owner: as many as it takes without getting slower.
 *
 *   answered as fast as ever     a little more          1 ── 2 ── 3 ─ … ─ 16
 *   slower, or not taken         a third less
 *
 * An owner that has just come back has its own work to do; it paces those who hand over to it by what it takes to
 * answer, as a congested network does (Jacobson 1988), and no other owner has to wait for it.
 */

const WINDOW_MAX = 16;
const LESS = 2 / 3;
/** So much slower than its best is slower. */
const SLOW_TIMES = 2;
const SLOW_MS = 5;
/** The best is forgotten slowly: an owner may have become slower for good. */
const BEST_GROWS = 1.01;

export interface HandoffReport {
  /** The owner's name, or its id where it is none any more. */
  readonly to: string;
  readonly delivered: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly window: number;
  /** What its last answer took. */
  readonly latencyMs: number;
}

export class HandoffWindow {
  inFlight = 0;
  delivered = 0;
  failed = 0;
  latencyMs = 0;
  #window = 1;
  #bestMs = Infinity;

  get hasRoom(): boolean {
    return this.inFlight < Math.floor(this.#window);
  }

  get size(): number {
    return Math.floor(this.#window);
  }

  began(): void {
    this.inFlight++;
  }

  /** @param tookMs from the sending to the answer */
  ended(tookMs: number, isDelivered: boolean): void {
    this.inFlight--;
    this.latencyMs = tookMs;
    if (isDelivered) this.delivered++;
    else this.failed++;
    this.#bestMs = Math.min(this.#bestMs * BEST_GROWS, tookMs);
    const isSlow = !isDelivered || tookMs > SLOW_TIMES * this.#bestMs + SLOW_MS;
    if (isSlow) this.#window = Math.max(1, this.#window * LESS);
    else this.#window = Math.min(WINDOW_MAX, this.#window + 1 / this.#window);
  }
}
