/**
 * The ring at work: a name → its partition → its preference list, without allocating.
 *
 *   name ──MD5──► position, 128 bits
 *                 │ top bits │ …        Q = 2 ^ bits equal partitions, so a partition is a prefix
 *                      │
 *                      ▼ partition
 *   table   …│ c a f b e d g │…         one row of all nodes for each: owners first, then fallbacks
 *
 * The table is made by placement when a layout is adopted and never changes afterwards. What a row
 * promises (distinct nodes, over as many zones as there are) is placement's word.
 *
 * All but some nanoseconds is MD5: from a 16-byte name to its first three nodes takes 91 ns on Bun,
 * as long as Bun.MD5 alone (bench/core/ring, November 2026).
 *
 * Source: Dynamo (SOSP 2007), 4.2, 4.3 and strategy 3 of 6.2.
 */

import { md5Into } from "./md5.ts";

/** The position of the name at work; valid within one call. */
const position = new Uint32Array(4);

/**
 * The partition that a position lies in.
 * @hot
 * @param position0 the position's most significant word, unsigned
 * @param partitionBits 0 to 16
 */
export function partitionOf(position0: number, partitionBits: number): number {
  // A shift by 32 would be a shift by 0, so a ring of one partition needs the shift in two parts.
  return (position0 >>> 1) >>> (31 - partitionBits);
}

/** The partition of a name's bytes, `input[start, end)`. @hot */
export function partitionOfName(
  input: Uint8Array,
  start: number,
  end: number,
  partitionBits: number,
): number {
  md5Into(input, start, end, position, 0);
  return partitionOf(position[0], partitionBits);
}

export class Ring {
  readonly partitionBits: number;
  readonly partitionCount: number;
  readonly nodeCount: number;
  /** Row p, from p · nodeCount on, is the preference list of partition p. Not to be changed. */
  readonly table: Uint16Array;

  /**
   * @param table preference lists, as placement makes them
   * @throws RangeError where the table is not made of whole rows
   */
  constructor(partitionBits: number, table: Uint16Array) {
    const partitionCount = 2 ** partitionBits;
    const nodeCount = table.length / partitionCount;
    if (!Number.isInteger(nodeCount) || nodeCount < 1) {
      throw new RangeError(
        `Cannot make a ring of ${table.length} entries: ` +
          `wanted whole rows for ${partitionCount} partitions`,
      );
    }
    this.partitionBits = partitionBits;
    this.partitionCount = partitionCount;
    this.nodeCount = nodeCount;
    this.table = table;
  }

  /** Where in `table` a partition's preference list begins; `nodeCount` entries long. @hot */
  rowOf(partition: number): number {
    return partition * this.nodeCount;
  }

  /** Where in `table` the preference list of the name `input[start, end)` begins. @hot */
  rowOfName(input: Uint8Array, start: number, end: number): number {
    return partitionOfName(input, start, end, this.partitionBits) * this.nodeCount;
  }

  /**
   * Copies the first entries of a name's preference list, `count` or all nodes where there are
   * fewer.
   * @hot
   * @returns the number of nodes written from `target[targetIndex]` on
   */
  preferenceInto(
    input: Uint8Array,
    start: number,
    end: number,
    count: number,
    target: Uint16Array,
    targetIndex: number,
  ): number {
    const row = this.rowOfName(input, start, end);
    const written = count < this.nodeCount ? count : this.nodeCount;
    for (let rank = 0; rank < written; rank++) target[targetIndex + rank] = this.table[row + rank];
    return written;
  }
}
