/**
 * A fixed sequence of numbers without a pattern, for spreading things out evenly.
 *
 * Placement must be the same on every node and every runtime, so it has no randomness; but
 * neighbours in a list should not be neighbours everywhere, or the load of a dead node would fall
 * on one other. A scatter is splitmix32 started from a number that the caller names (a partition,
 * say).
 */
export class Scatter {
  #state: number;

  constructor(start: number) {
    this.#state = start | 0;
  }

  /** A whole number from 0 to `bound` - 1; `bound` at most 2^32. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) % bound;
  }

  /** Shuffles the first `count` entries in place. */
  shuffle(list: Uint16Array, count: number): void {
    for (let last = count - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const moved = list[last];
      list[last] = list[other];
      list[other] = moved;
    }
  }
}
