/**
 * How far this node's wall clock is from its peers'.
 *
 *        sent ─────────── midpoint ─────────── received      by this node's steady clock
 *                            │
 *                     the peer said: 14:02:07.115            its wall clock, somewhere in between
 *
 * A peer's wall clock is remembered against this node's *steady* clock, so that a jump of the own
 * wall clock shows at once. The median of the peers' clocks counts: one mad clock moves nobody.
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
  /** The median of the fresh estimates; each put of a last-write-wins bucket asks for it. */
  #medianMs: number | null = null;
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
    return this.#medianMs === null ? 0 : Math.round(this.#clock.nowMs() - nowMs - this.#medianMs);
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
    // The two in the middle; the same one twice where their number is odd.
    const upper = offsets[offsets.length >> 1];
    const lower = offsets[(offsets.length - 1) >> 1];
    this.#medianMs = offsets.length === 0 ? null : (lower + upper) / 2;
  }
}
