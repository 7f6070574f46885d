/**
 * Equal partitions and who holds them: strategies 2 and 3 of the Dynamo paper, once they have placed.
 *
 *   position ──► its top bits ──► partition p ──► row p:  │ c │ a │ f │   the first `count` of it
 *
 * Whatever chose the rows, all partitions are of one length, so a node's share of the ring is a count
 * of rows; that is what Figure 8 measures.
 */

import { partitionOf } from "../ring.ts";
import type { Strategy } from "./strategy.ts";
import { checkWhole } from "./terms.ts";
import { NODES_MAX } from "../limits.ts";

export class PartitionTable implements Strategy {
  readonly nodeCount: number;
  readonly #partitionBits: number;
  readonly #rows: Uint16Array;
  readonly #width: number;

  /**
   * @param rows for each of 2 ^ partitionBits partitions the nodes that hold it, as many in each row,
   *   in order of preference
   * @throws RangeError where the rows are not whole
   */
  constructor(nodeCount: number, partitionBits: number, rows: Uint16Array) {
    checkWhole("the number of nodes", nodeCount, 1, NODES_MAX);
    this.nodeCount = nodeCount;
    this.#partitionBits = partitionBits;
    this.#rows = rows;
    this.#width = rows.length / 2 ** partitionBits;
    checkWhole("the length of a row", this.#width, 1, nodeCount);
  }

  ownersInto(position: number, count: number, target: Uint16Array, targetIndex: number): number {
    const row = partitionOf(position, this.#partitionBits) * this.#width;
    const found = Math.min(count, this.#width);
    for (let rank = 0; rank < found; rank++) target[targetIndex + rank] = this.#rows[row + rank];
    return found;
  }

  shares(copies: number): Float64Array {
    const shares = new Float64Array(this.nodeCount);
    const share = 2 ** -this.#partitionBits;
    for (let slot = 0; slot < this.#rows.length; slot++) {
      if (slot % this.#width < copies) shares[this.#rows[slot]] += share;
    }
    return shares;
  }
}
