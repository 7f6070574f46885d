/**
 * A small seeded generator for tests and simulations: 32-bit integers only, so that a seed gives the
 * same numbers on every runtime. Not for anything that must not be guessed.
 *
 * The generator is splitmix32: a counter with an odd step, mixed.
 */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return this.uint32() % bound;
  }

  fill(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) bytes[index] = this.uint32() >>> 24;
  }

  /** True `numerator` times out of `denominator`. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }
}

/** The seed of a randomised test: SEED from the environment, else a fixed one. */
export function seedFrom(environment: string | undefined, fallback: number): number {
  const given = Number(environment);
  return Number.isSafeInteger(given) && given > 0 ? given : fallback;
}

/** Whether long tests of pure code run in full here: on Bun, which the product is built with. */
export const IN_FULL = typeof Bun !== "undefined";
/** What the other runtimes leave out of a long test: four of five rounds. */
const THINNER = IN_FULL ? 1 : 5;

/**
 * How often a long random test of pure code runs here: in full on Bun; a fifth on the other runtimes, where
 * it is to show that they make no difference.
 */
export function roundsHere(rounds: number): number {
  return Math.ceil(rounds / THINNER);
}

/** The size of a single large piece of work: in full on Bun, as large as the idea needs elsewhere. */
export function sizeHere(full: number, elsewhere: number): number {
  return IN_FULL ? full : elsewhere;
}

/** The same for a test that goes through places one by one: the step from each to the next that is tried. */
export function everyHere(step: number): number {
  return step * THINNER;
}
