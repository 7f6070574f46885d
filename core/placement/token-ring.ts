/**
 * Strategies 1 and 2 of the Dynamo paper (section 6.2): nodes at random tokens on the ring.
 *
 *   strategy 1   keys go to the nodes met clockwise from the key: a partition is what lies between
 *                two tokens, and every one has another length
 *   strategy 2   the ring is cut in Q equal partitions, and a partition goes to the nodes met
 *                clockwise from its end: tokens place partitions, and cut none
 *
 *        a      b  a        c   b            c    tokens, each with its node
 *   ─────●──────●──●────────●───●────────────●───►
 *    k1 ─┘          k2 ─────┘       distinct nodes only: k2 goes to c, b, a
 *
 * The store itself uses strategy 3 (placement); strategy says how the three compare. Tokens are the
 * top 32 bits of ring positions; this floor has no randomness, so the caller gives them.
 */

import type { Strategy } from "./strategy.ts";
import { checkWhole } from "./terms.ts";
import { NODES_MAX } from "../limits.ts";

const RING_LENGTH = 2 ** 32;

export class TokenRing implements Strategy {
  readonly nodeCount: number;
  /** Rising. */
  readonly #positions: Uint32Array;
  /** The node at each of them. */
  readonly #nodes: Uint16Array;

  /**
   * @param tokenCounts how many tokens each node has, in proportion to its capacity; 1 or more
   * @param words random positions, at least as many as there are tokens
   * @throws RangeError where nodes, counts and words do not fit together
   */
  constructor(tokenCounts: readonly number[], words: Uint32Array) {
    checkWhole("the number of nodes", tokenCounts.length, 1, NODES_MAX);
    for (const count of tokenCounts) checkWhole("a node's tokens", count, 1, words.length);
    const tokenCount = tokenCounts.reduce((sum, count) => sum + count, 0);
    checkWhole("the number of tokens", tokenCount, 1, words.length);
    this.nodeCount = tokenCounts.length;
    const tokens = sortTokens(tokenCounts, words);
    this.#positions = Uint32Array.from(tokens, (token) => Math.floor(token / NODES_MAX));
    this.#nodes = Uint16Array.from(tokens, (token) => token % NODES_MAX);
  }

  /**
   * Strategy 1: writes the first `count` distinct nodes at or after `position`, clockwise.
   * @returns how many there are: fewer where the ring has fewer nodes
   */
  ownersInto(position: number, count: number, target: Uint16Array, targetIndex: number): number {
    const tokenCount = this.#positions.length;
    const wanted = Math.min(count, this.nodeCount);
    let token = this.#firstAt(position);
    let found = 0;
    while (found < wanted) {
      const node = this.#nodes[token % tokenCount];
      const seen = target.indexOf(node, targetIndex);
      if (seen < 0 || seen >= targetIndex + found) target[targetIndex + found++] = node;
      token++;
    }
    return found;
  }

  /** Strategy 1: the share of the ring that each node is among the first `copies` for. */
  shares(copies: number): Float64Array {
    const shares = new Float64Array(this.nodeCount);
    const owners = new Uint16Array(copies);
    let previous = this.#positions[this.#positions.length - 1] - RING_LENGTH;
    for (const position of this.#positions) {
      const found = this.ownersInto(position, copies, owners, 0);
      for (let rank = 0; rank < found; rank++) {
        shares[owners[rank]] += (position - previous) / RING_LENGTH;
      }
      previous = position;
    }
    return shares;
  }

  /** Strategy 2: rows of min(copies, nodes) owners for each of 2 ^ partitionBits partitions. */
  partitionOwners(partitionBits: number, copies: number): Uint16Array {
    const partitionCount = 2 ** partitionBits;
    const width = Math.min(copies, this.nodeCount);
    const owners = new Uint16Array(partitionCount * width);
    for (let partition = 0; partition < partitionCount; partition++) {
      const end = ((partition + 1) * (RING_LENGTH / partitionCount)) % RING_LENGTH;
      this.ownersInto(end, width, owners, partition * width);
    }
    return owners;
  }

  /** The first token at or after `position`; the number of tokens where there is none. */
  #firstAt(position: number): number {
    let low = 0;
    let high = this.#positions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#positions[middle] < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Position and node in one number (42 bits), so that tokens at one position have an order too. */
function sortTokens(tokenCounts: readonly number[], words: Uint32Array): Float64Array {
  const tokens: number[] = [];
  for (let node = 0; node < tokenCounts.length; node++) {
    for (let count = tokenCounts[node]; count > 0; count--) {
      tokens.push(words[tokens.length] * NODES_MAX + node);
    }
  }
  return Float64Array.from(tokens).sort();
}
