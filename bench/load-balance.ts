/**
 * How evenly do the paper's three strategies spread load, for how many entries of metadata? (Figure
 * 8)
 *
 *   bun bench/load-balance.ts        deno run -A bench/load-balance.ts
 *
 * 30 nodes, 3 copies, keys spread evenly: a node's load is the share of the ring for which it is
 * among the first three. Efficiency = mean load / load of the hottest node; the paper's plot reads
 * 0.81, 0.82 and 0.94 at 1,000 entries a node. Strategies 1 and 2 are means over random rings of
 * fixed seeds, strategy 3 has no randomness: the output is the same everywhere, a checksum of
 * itself.
 */

import { assign, countSlots, efficiency } from "../core/placement.ts";
import { TokenRing } from "../core/placement/token-ring.ts";
import { SeededRandom } from "../test/random.ts";

const NODES = 30;
const COPIES = 3;
const RINGS = 20;
const PARTITION_BITS = [7, 8, 9, 10, 11, 12, 13];

/** A ring with so many tokens a node. */
function ringOf(seed: number, tokens: number): TokenRing {
  const random = new SeededRandom(seed);
  const words = Uint32Array.from({ length: NODES * tokens }, () => random.uint32());
  return new TokenRing(new Array<number>(NODES).fill(tokens), words);
}

function meanOf(measure: (seed: number) => number): number {
  let sum = 0;
  for (let seed = 1; seed <= RINGS; seed++) sum += measure(seed);
  return sum / RINGS;
}

const nodes = Array.from({ length: NODES }, (_, index) => ({
  id: String(index).padStart(2, "0"),
  capacity: 1,
  zone: "one",
}));

console.log("   entries   strategy 1   strategy 2   strategy 3");
for (const partitionBits of PARTITION_BITS) {
  const partitions = 2 ** partitionBits;
  const tokens = Math.max(1, Math.round(partitions / NODES));
  const first = meanOf((seed) => efficiency(ringOf(seed, tokens).shares(COPIES)));
  const second = meanOf((seed) => {
    const owners = ringOf(seed, tokens).partitionOwners(partitionBits, COPIES);
    return efficiency(countSlots(owners, NODES));
  });
  const third = efficiency(assign({ nodes, partitionBits, replicas: COPIES }).slots);
  const columns = [first, second, third].map((value) => value.toFixed(4).padStart(13));
  console.log(String(partitions).padStart(10) + columns.join(""));
}
