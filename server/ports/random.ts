/**
 * Randomness, as the product sees it: bytes that nobody can guess. Node ids, actors, request ids and
 * keys come from here, and so does the choice of a gossip peer; the simulator hands over a seeded one.
 */

export interface Random {
  /** Fills the whole array with random bytes. */
  fill(bytes: Uint8Array): void;
  /** A whole number from 0 to `bound` - 1, `bound` from 1 to 2^32. */
  below(bound: number): number;
}

const word = new Uint32Array(1);

/** The cryptographic generator of the runtime. */
export const systemRandom: Random = {
  fill: (bytes) => {
    crypto.getRandomValues(bytes);
  },
  below: (bound) => {
    crypto.getRandomValues(word);
    return word[0] % bound;
  },
};
