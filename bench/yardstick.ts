/**
 * What the machine gives at this minute, whatever runs on it: figures of two runs may be compared where these two are
 * alike. On a machine that is shared with others both can change by a third within an hour.
 *
 *   steps   one multiplication after the other: the processor's clock
 *   reads   one word of 64 MiB after the other, each at a place that the word before decides: caches and memory
 */

const STEPS = 1 << 26;
const READS = 1 << 23;
const WORD_BITS = 24;
/** Knuth's multiplier (MMIX has 64 bits; this is its 32-bit kin, of full period with an odd addend). */
const FACTOR = 1664525;
const ADDEND = 1013904223;

export interface Yardstick {
  readonly stepsPerSecond: number;
  readonly readsPerSecond: number;
  /** Of all that was computed, so that nothing is left out. */
  readonly checksum: number;
}

export function measureMachine(): Yardstick {
  // Each word is written: pages that nobody wrote to are all one page.
  const words = new Uint32Array(1 << WORD_BITS).fill(ADDEND);
  const beganSteps = performance.now();
  let checksum = steps(STEPS);
  const stepsMs = performance.now() - beganSteps;
  const beganReads = performance.now();
  checksum ^= reads(words, READS);
  const readsMs = performance.now() - beganReads;
  return { stepsPerSecond: (STEPS * 1000) / stepsMs, readsPerSecond: (READS * 1000) / readsMs, checksum };
}

function steps(count: number): number {
  let state = 1;
  for (let step = 0; step < count; step++) state = (Math.imul(state, FACTOR) + ADDEND) | 0;
  return state;
}

function reads(words: Uint32Array, count: number): number {
  let state = 1;
  for (let read = 0; read < count; read++) {
    state = (Math.imul(state, FACTOR) + words[state >>> (32 - WORD_BITS)]) | 0;
  }
  return state;
}
