/**
 * How far this node's wall clock is from its peers'.
 *
 *        sent ─────────── midpoint ─────────── received      by this node's steady clock
 *                            │
 *                     the peer said: 14:02:07.115            its wall clock, somewhere in between
 *
 * A peer's wall clock is remembered against this node's *steady* clock, so that a jump of the own
 * wall clock shows at once. The median of the peers' clocks counts: one mad clock moves nobody. Of an even
 * number of peers there are two in the middle, and the own clock is right anywhere between them: of two
 * peers one may be mad, and it agrees with the other.
 * Cristian, "Probabilistic clock synchronization" (1989).
 */

import type { Clock } from "../ports/clock.ts";

/** An estimate counts this long; gossip renews it. */
const FRESH_MS = 120_000;
/** An answer that took longer says too little about the time between. */
const ROUND_TRIP_MS_MAX = 1_000;

interface Estimate {
  /** The peer's wall clock minus this node's steady clock. */
  readonly offsetMs: number;
  readonly takenMs: number;
}

export class ClockSkew {
  readonly #clock: Clock;
  readonly #estimates = new Map<string, Estimate>();
  /** The fresh estimates in the middle; each put of a last-write-wins bucket asks for them. Infinity: none. */
  #lowerMs = Infinity;
  #upperMs = Infinity;
  /** Until when all of them are fresh. */
  #freshUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A peer's wall clock read `wallMs` between two moments of this node's steady clock. */
  measured(peer: string, wallMs: number, sentMs: number, receivedMs: number): void {
    if (receivedMs - sentMs > ROUND_TRIP_MS_MAX) return;
    const offsetMs = wallMs - (sentMs + receivedMs) / 2;
    this.#estimates.set(peer, { offsetMs, takenMs: receivedMs });
    this.#freshUntilMs = -Infinity;
  }

  /** How far the own wall clock is ahead of the median of the peers'; 0 with no fresh estimate. */
  skewMs(): number {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs > this.#freshUntilMs) this.#estimate(nowMs);
    if (this.#lowerMs === Infinity) return 0;
    const ownMs = this.#clock.nowMs() - nowMs;
    return Math.round(ownMs - Math.min(Math.max(ownMs, this.#lowerMs), this.#upperMs));
  }

  #estimate(nowMs: number): void {
    const offsets: number[] = [];
    this.#freshUntilMs = Infinity;
    for (const [peer, { offsetMs, takenMs }] of this.#estimates) {
      if (nowMs - takenMs > FRESH_MS) this.#estimates.delete(peer);
      else {
        offsets.push(offsetMs);
        this.#freshUntilMs = Math.min(this.#freshUntilMs, takenMs + FRESH_MS);
      }
    }
    offsets.sort((left, right) => left - right);
    // The same one twice where their number is odd.
    this.#lowerMs = offsets[(offsets.length - 1) >> 1] ?? Infinity;
    this.#upperMs = offsets[offsets.length >> 1] ?? Infinity;
  }
}
