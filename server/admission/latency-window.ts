/**
 * How long requests took lately: counts in buckets that grow by an eighth or less, of six times ten seconds.
 *
 *   slot   0 … 9 s │ 10 … 19 s │ … │ 50 … 59 s │ then the first one again
 *   bucket 1 µs … 1.125 … 1.25 … 2 µs … 4 µs … 67 s, eight for each doubling
 *
 * Noting one costs an increment. Percentiles are upper bounds of buckets: at most 12.5 % too high.
 */

import type { Clock } from "../ports/clock.ts";

const SLOTS = 6;
const SLOT_MS = 10_000;
const OCTAVES = 27;
const BUCKETS = OCTAVES * 8;

export class LatencyWindow {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #counts = new Uint32Array(SLOTS * BUCKETS);
  /** Number of the ten seconds that the newest slot counts. */
  #period: number;

  constructor(clock: Pick<Clock, "elapsedMs">) {
    this.#clock = clock;
    this.#period = Math.floor(clock.elapsedMs() / SLOT_MS);
  }

  /** @param tookMs what a request took, ≥ 0 */
  note(tookMs: number): void {
    this.#turn();
    this.#counts[(this.#period % SLOTS) * BUCKETS + bucketOf(tookMs)]++;
  }

  /** Requests of the last 50 to 60 seconds. */
  get count(): number {
    this.#turn();
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** What so large a part (0 to 1) of the last minute's requests took at most, ms; 0: there was none. */
  percentile(part: number): number {
    let left = Math.ceil(this.count * part);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let slot = 0; slot < SLOTS; slot++) left -= this.#counts[slot * BUCKETS + bucket];
      if (left <= 0) return boundMs(bucket);
    }
    return boundMs(BUCKETS - 1);
  }

  /** Empties the slots whose time is over. */
  #turn(): void {
    const period = Math.floor(this.#clock.elapsedMs() / SLOT_MS);
    const passed = Math.min(SLOTS, period - this.#period);
    for (let step = 0; step < passed; step++) {
      const slot = (period - step) % SLOTS;
      this.#counts.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
    }
    this.#period = period;
  }
}

/** The bits of a number of microseconds: its octave, and the three bits below the first. */
function bucketOf(tookMs: number): number {
  const micros = Math.max(1, Math.min(2 ** 26, Math.ceil(tookMs * 1000)));
  const octave = 31 - Math.clz32(micros);
  const eighth = octave < 3 ? (micros << (3 - octave)) & 7 : (micros >>> (octave - 3)) & 7;
  return octave * 8 + eighth;
}

function boundMs(bucket: number): number {
  return (2 ** (bucket >> 3) * (9 + (bucket & 7))) / 8 / 1000;
}
