/**
 * Figure 8 of the Dynamo paper, simulated: how evenly do the three strategies spread load?
 *
 * Keys are spread evenly, so a node's load is the share of the ring for which it is among the first
 * three of 30. An entry of metadata is a token where nodes have tokens, a partition where they do not:
 *
 *   strategy 1   T random tokens a node, so 30 · T entries
 *   strategy 2   the same tokens place 1,024 equal partitions. The paper does not name its Q; this
 *                one gives its curve to within 0.01, with the fall beyond 4,000 tokens: from there
 *                on more tokens only make each partition's owners independent of its neighbours'
 *   strategy 3   as published: Q equal partitions, Q/S each, dealt at random; a partition's copies
 *                go on to the next distinct nodes clockwise
 *   ours         strategy 3 with our assignment, which chooses all three copies (placement)
 *
 * The first three are taken over random rings of fixed seeds, the last has no randomness: every runtime
 * comes to the same figures.
 */

import { assign, efficiency } from "../../core/placement.ts";
import { PartitionTable } from "../../core/placement/partition-table.ts";
import type { Strategy } from "../../core/placement/strategy.ts";
import { TokenRing } from "../../core/placement/token-ring.ts";
import { SeededRandom } from "../../test/random.ts";

export const NODES = 30;
export const COPIES = 3;
/** Q of strategy 2. */
export const STRATEGY_2_PARTITION_BITS = 10;
const RING_LENGTH = 2 ** 32;

/** Efficiencies of some rings: their mean, and what one in ten falls short of and exceeds. */
export interface Efficiency {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Strategy 1 with `tokens` a node, over `rings` random rings (seeds 1, 2, 3 …). */
export function strategy1(tokens: number, rings: number): Efficiency {
  return efficiencyOf(rings, (random) => tokenRing(random, tokens));
}

/** Strategy 2 with `tokens` a node. */
export function strategy2(tokens: number, rings: number): Efficiency {
  return efficiencyOf(rings, (random) => {
    const rows = tokenRing(random, tokens).partitionOwners(STRATEGY_2_PARTITION_BITS, COPIES);
    return new PartitionTable(NODES, STRATEGY_2_PARTITION_BITS, rows);
  });
}

/** Strategy 3 as published: partitions dealt at random. */
export function strategy3(partitionBits: number, rings: number): Efficiency {
  return efficiencyOf(rings, (random) => randomDeal(random, 2 ** partitionBits));
}

/** Strategy 3 with our assignment. */
export function strategy3Assigned(partitionBits: number): number {
  const nodes = Array.from({ length: NODES }, (_, index) => ({
    id: String(index).padStart(2, "0"),
    capacity: 1,
    zone: "one",
  }));
  const { owners } = assign({ nodes, partitionBits, replicas: COPIES });
  return efficiency(new PartitionTable(NODES, partitionBits, owners).shares(COPIES));
}

function efficiencyOf(rings: number, make: (random: SeededRandom) => Strategy): Efficiency {
  const found = Array.from({ length: rings }, (_, ring) => {
    return efficiency(make(new SeededRandom(ring + 1)).shares(COPIES));
  });
  const sorted = [...found].sort((left, right) => left - right);
  const at = (share: number) => sorted[Math.round(share * (rings - 1))];
  const mean = found.reduce((sum, one) => sum + one, 0) / rings;
  return { mean, low: at(0.1), high: at(0.9) };
}

function tokenRing(random: SeededRandom, tokens: number): TokenRing {
  const words = Uint32Array.from({ length: NODES * tokens }, () => random.uint32());
  return new TokenRing(new Array<number>(NODES).fill(tokens), words);
}

/** Tokens at equal distances, shuffled among the nodes: a ring of equal partitions. */
function randomDeal(random: SeededRandom, partitions: number): TokenRing {
  const words = Uint32Array.from({ length: partitions }, (_, index) => {
    return index * (RING_LENGTH / partitions);
  });
  for (let last = partitions - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [words[last], words[other]] = [words[other], words[last]];
  }
  const counts = Array.from({ length: NODES }, (_, node) => {
    return Math.floor((partitions + node) / NODES);
  });
  return new TokenRing(counts, words);
}
