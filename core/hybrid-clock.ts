/**
 * A hybrid logical clock (Kulkarni et al., 2014): stamps that follow the wall clock and still
 * exceed every stamp that was issued or observed before, however wall clocks jump.
 *
 *   stamp = (milliseconds, logical 0 to 65,535), ordered by milliseconds, then logical
 *
 *   wall clock   100   101    90    90   102
 *   observed                       ▲ (105, 7)
 *   next()      100.0 101.0 101.1  │ 105.8 105.9      it waits in place until time has caught up
 *
 * When the logical part is full the milliseconds go ahead by one: 65,536 stamps within a
 * millisecond cost a millisecond of drift. It starts from the stamp that its owner has persisted.
 *
 * A clock with a bound is never further ahead of its wall clock than that: it does not follow a stamp from
 * beyond, and falls back to a wall clock that went back by more. One mad wall clock would else take
 * along every clock that ever saw a stamp of its, for good (their section 5, "bounding"; what lies beyond
 * is ignored).
 */

import { stampLogical, stampMs } from "./clock-entry.ts";

/** The largest stamp that 48 bits of milliseconds can say: in the year 10889. */
export const STAMP_MS_MAX = 2 ** 48 - 1;
export const STAMP_LOGICAL_MAX = 65_535;

export class HybridClock {
  #ms: number;
  #logical: number;
  readonly #aheadMsMax: number;

  /**
   * @param ms and @param logical the greatest stamp that is known to have been issued before
   * @param aheadMsMax how far it may be ahead of the wall clock; default: without a bound
   */
  constructor(ms: number, logical: number, aheadMsMax = Infinity) {
    this.#ms = ms;
    this.#logical = logical;
    this.#aheadMsMax = aheadMsMax;
  }

  /** Milliseconds since 1970 of the latest stamp. */
  get ms(): number {
    return this.#ms;
  }

  get logical(): number {
    return this.#logical;
  }

  /** Whether it may follow a stamp of this time. @hot */
  mayFollow(ms: number, nowMs: number): boolean {
    return ms - nowMs <= this.#aheadMsMax;
  }

  /**
   * Goes on behind what was persisted, which may be an upper bound: as far as the wall clock allows.
   * @param ms and @param logical the persisted stamp
   */
  resume(ms: number, logical: number, nowMs: number): void {
    this.observe(Math.min(ms, nowMs + this.#aheadMsMax), logical);
  }

  /**
   * Draws the next stamp, to be read from `ms` and `logical`: greater than any before, within the bound.
   * @param nowMs the wall clock, whole milliseconds since 1970
   * @throws RangeError where stamps have run out (an observed stamp was STAMP_MS_MAX)
   * @hot
   */
  next(nowMs: number): void {
    if (nowMs > this.#ms || !this.mayFollow(this.#ms, nowMs)) {
      this.#ms = nowMs;
      this.#logical = 0;
    } else if (this.#logical < STAMP_LOGICAL_MAX) {
      this.#logical++;
    } else {
      this.#ms++;
      this.#logical = 0;
    }
    if (this.#ms > STAMP_MS_MAX) {
      throw new RangeError(`Cannot draw a stamp: ${this.#ms} ms, limit is ${STAMP_MS_MAX}`);
    }
  }

  /** Makes every later stamp greater than this one. @hot */
  observe(ms: number, logical: number): void {
    if (ms > this.#ms) {
      this.#ms = ms;
      this.#logical = logical;
    } else if (ms === this.#ms && logical > this.#logical) {
      this.#logical = logical;
    }
  }

  /**
   * Observes a packed stamp where it stands; -1: there is none (newestStamp of an empty head).
   * @hot
   */
  observeAt(bytes: Uint8Array, stamp: number): void {
    if (stamp >= 0) this.observe(stampMs(bytes, stamp), stampLogical(bytes, stamp));
  }
}
