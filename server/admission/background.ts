/**
 * The admission controller: what work in the background may go on now, and how fast. Paper 6.5.
 *
 *   transfer ─┐                          ┌ requests of the last minute: their p99 against a target
 *   handoff  ─┼─► one lane, byte by byte ┤
 *   scrub …  ─┘    step · step · step    └ a step that begins late: others were busy
 *
 * Whoever works in the background does it in short steps, says what a step cost, in bytes, and is called for
 * the next one when its turn has come. All kinds share one lane, so each gets on in proportion to its steps
 * and none starves. The lane's speed lies between two bounds:
 *
 *   a step comes late                 half as fast from now on    the load as a request feels it, at once
 *   a step comes in time              a little faster
 *   once a second, p99 > limit        half of what was allowed    what users feel, the slow signal
 *                  p99 < 0.7 limit    half as much again
 *
 * The limit is the target that the operator set, or a little more than what requests took while nothing went on
 * beside them, whichever is less: those who are used to two milliseconds feel five. What is known of that time
 * is forgotten slowly, since the load may have grown meanwhile.
 *
 * The lower bound holds whatever the load is: a store that gives no space back while it is busy fills the
 * disk. A kind that an administrator has paused waits until it is resumed (node-pauses.ts).
 */

import type { Clock, Timer } from "../ports/clock.ts";
import type { LatencyWindow } from "./latency-window.ts";

export const BACKGROUND_KINDS = [
  "handoff",
  "transfer",
  "anti-entropy",
  "compaction",
  "scrub",
  "reaping",
] as const;
export type BackgroundKind = (typeof BACKGROUND_KINDS)[number];

const BYTES_PER_SECOND_MAX = 32 << 20;
const BYTES_PER_SECOND_MIN = 4 << 20;
/** Timers come up to a millisecond late on an idle machine. */
const LATE_MS = 2;
const SLOWER = 0.5;
const FASTER = 1.005;
const JUDGED_EVERY_MS = 1_000;
/** Between this part of the limit and all of it nothing changes. */
const WELL_BELOW = 0.7;
const RAISE = 1.5;
/** The lane has been empty for so long: requests are on their own. */
const QUIET_MS = 10_000;
/** What they took then, and so much more, is the limit; it doubles in some ten minutes. */
const QUIET_TIMES = 1.25;
const QUIET_MORE_MS = 0.5;
const QUIET_GROWS = 1 + Math.LN2 / 600;
/** Rates are told over this time. */
const RATE_MS = 5_000;

export interface BackgroundReport {
  readonly kind: BackgroundKind;
  readonly isPaused: boolean;
  /** Steps that wait for their turn, or for being resumed. */
  readonly waiting: number;
  /** Since the start, and lately. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

/** What is known of one kind. */
class Kind {
  readonly name: BackgroundKind;
  isPaused = false;
  waiting = 0;
  bytes = 0;
  /** Steps that were due while it was paused. */
  readonly held = new Set<() => void>();
  #sinceMs = 0;
  #recent = 0;
  #rate = 0;

  constructor(name: BackgroundKind) {
    this.name = name;
  }

  note(bytes: number, nowMs: number): void {
    this.rate(nowMs);
    this.bytes += bytes;
    this.#recent += bytes;
  }

  /** Bytes a second, over the last five to ten of them. */
  rate(nowMs: number): number {
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs >= RATE_MS) {
      this.#rate = (this.#recent * 1000) / elapsedMs;
      this.#recent = 0;
      this.#sinceMs = nowMs;
    }
    return this.#rate;
  }
}

export class Background {
  readonly #clock: Pick<Clock, "after" | "elapsedMs">;
  readonly #foreground: LatencyWindow;
  readonly #targetMs: number;
  readonly #kinds = new Map<BackgroundKind, Kind>(BACKGROUND_KINDS.map((name) => [name, new Kind(name)]));
  #rate = BYTES_PER_SECOND_MIN;
  /** What the requests' p99 allows. */
  #ceiling = BYTES_PER_SECOND_MAX;
  #judgedMs = 0;
  /** What requests took while nothing went on beside them; Infinity: nobody knows. */
  #quietMs = Infinity;
  #busyAtMs = -Infinity;
  /** Until when the lane is taken by steps that were granted. */
  #takenUntilMs = 0;

  /** @param targetMs what 99 % of all requests should take at most */
  constructor(
    clock: Pick<Clock, "after" | "elapsedMs">,
    foreground: LatencyWindow,
    targetMs: number,
  ) {
    this.#clock = clock;
    this.#foreground = foreground;
    this.#targetMs = targetMs;
  }

  /** The speed of the lane now. */
  get bytesPerSecond(): number {
    return this.#rate;
  }

  /** Calls `step` once it may go on, after a step that cost so many bytes (0: the work begins). */
  after(kind: BackgroundKind, bytes: number, step: () => void): Timer {
    const about = this.#about(kind);
    const now = this.#clock.elapsedMs();
    about.note(bytes, now);
    this.#judge(now);
    if (bytes > 0) this.#busyAtMs = now;
    this.#takenUntilMs = Math.max(now, this.#takenUntilMs) + (bytes * 1000) / this.#rate;
    const dueMs = this.#takenUntilMs;
    about.waiting++;
    let isOver = false;
    const begin = (): void => {
      isOver = true;
      about.waiting--;
      about.held.delete(begin);
      step();
    };
    const timer = this.#clock.after(dueMs - now, () => {
      if (bytes > 0) this.#began(dueMs);
      if (about.isPaused) about.held.add(begin);
      else begin();
    });
    return {
      cancel: () => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        about.waiting--;
        about.held.delete(begin);
      },
    };
  }

  isPaused(kind: BackgroundKind): boolean {
    return this.#about(kind).isPaused;
  }

  /** No step of this kind begins any more. */
  pause(kind: BackgroundKind): void {
    this.#about(kind).isPaused = true;
  }

  resume(kind: BackgroundKind): void {
    const about = this.#about(kind);
    about.isPaused = false;
    for (const begin of [...about.held]) begin();
  }

  report(): BackgroundReport[] {
    const now = this.#clock.elapsedMs();
    return [...this.#kinds.values()].map((about) => ({
      kind: about.name,
      isPaused: about.isPaused,
      waiting: about.waiting,
      bytes: about.bytes,
      bytesPerSecond: Math.round(about.rate(now)),
    }));
  }

  #about(kind: BackgroundKind): Kind {
    const about = this.#kinds.get(kind);
    if (about === undefined) throw new Error(`There is no kind of work '${kind}'`);
    return about;
  }

  /** A step begins: late or in time? */
  #began(dueMs: number): void {
    const isLate = this.#clock.elapsedMs() - dueMs > LATE_MS;
    this.#setRate(this.#rate * (isLate ? SLOWER : FASTER));
  }

  #judge(now: number): void {
    if (now - this.#judgedMs < JUDGED_EVERY_MS) return;
    this.#judgedMs = now;
    const p99 = this.#foreground.percentile(0.99);
    if (now - this.#busyAtMs < QUIET_MS) this.#quietMs *= QUIET_GROWS;
    else this.#quietMs = p99 > 0 ? p99 : Infinity;
    const limitMs = Math.min(this.#targetMs, QUIET_TIMES * this.#quietMs + QUIET_MORE_MS);
    if (p99 > limitMs) this.#ceiling *= SLOWER;
    else if (p99 < WELL_BELOW * limitMs) this.#ceiling *= RAISE;
    this.#ceiling = Math.min(BYTES_PER_SECOND_MAX, Math.max(BYTES_PER_SECOND_MIN, this.#ceiling));
    this.#setRate(this.#rate);
  }

  #setRate(rate: number): void {
    this.#rate = Math.min(this.#ceiling, Math.max(BYTES_PER_SECOND_MIN, rate));
  }
}
