/**
 * The contract that the paper's three strategies share (section 6.2): whom does a position of the
 * ring belong to, and how much of the ring has each node?
 *
 *                 the ring is cut by        a partition is placed by     made by
 *   strategy 1    random tokens             where its tokens fell        TokenRing
 *   strategy 2    Q equal partitions        the tokens after its end     PartitionTable over a
 *                                                                        TokenRing's partitionOwners
 *   strategy 3    Q equal partitions        a free choice, Q/S each      PartitionTable over the
 *                                                                        owners of assign (placement)
 *
 * The store uses strategy 3, and on its hot path a table of its own (ring). This contract is for
 * comparing them (Figure 8) and for who wants consistent hashing as it was first published.
 *
 * Positions are the top 32 bits of ring positions; nodes are indexes.
 */

export interface Strategy {
  readonly nodeCount: number;

  /**
   * Writes the first `count` distinct nodes of a position's preference list to `target`, from
   * `targetIndex` on.
   * @returns how many there are: fewer where the strategy knows fewer
   */
  ownersInto(position: number, count: number, target: Uint16Array, targetIndex: number): number;

  /** The share of the ring, 0 to 1, that each node is among the first `copies` for. */
  shares(copies: number): Float64Array;
}
