/**
 * The ring as naively as it can be said: positions as big integers, lists as arrays.
 */

import { createHash } from "node:crypto";

const RING_LENGTH = 1n << 128n;

/** The 128-bit position of a name. */
export function modelPosition(name: Uint8Array): bigint {
  return BigInt(`0x${createHash("md5").update(name).digest("hex")}`);
}

/** The partition whose interval holds a position: interval by interval. */
export function modelPartition(position: bigint, partitionCount: number): number {
  const width = RING_LENGTH / BigInt(partitionCount);
  return Number(position / width);
}

/** Consistent hashing: all tokens clockwise from a position, first mention of each node. */
export function modelOwners(
  tokens: readonly { readonly position: number; readonly node: number }[],
  position: number,
  count: number,
): number[] {
  const sorted = [...tokens].sort((a, b) => a.position - b.position || a.node - b.node);
  const clockwise = [
    ...sorted.filter((token) => token.position >= position),
    ...sorted.filter((token) => token.position < position),
  ];
  return [...new Set(clockwise.map((token) => token.node))].slice(0, count);
}
