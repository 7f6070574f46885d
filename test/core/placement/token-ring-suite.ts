/**
 * Strategies 1 and 2 on every runtime, held against the naive model. (How they compare: Figure 8,
 * test/bench/figure-8-suite.)
 */

import { TokenRing } from "../../../core/placement/token-ring.ts";
import { modelOwners } from "../../model/ring-model.ts";
import { SeededRandom } from "../../random.ts";
import type { Case } from "../../suite.ts";

function randomWords(random: SeededRandom, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, () => random.uint32());
}

export const suite: readonly Case[] = [
  {
    name: "TokenRing finds the owners that the model finds, also past the ring's end",
    run(check) {
      const random = new SeededRandom(61);
      for (let round = 0; round < 300; round++) {
        const counts = Array.from({ length: 1 + random.below(10) }, () => 1 + random.below(5));
        const words = randomWords(random, 50);
        // Few different positions now and then: tokens that share one have an order too.
        if (random.chance(1, 4)) words.forEach((word, at) => (words[at] = word % 7));
        const ring = new TokenRing(counts, words);
        const nodes = counts.flatMap((count, node) => Array.from({ length: count }, () => node));
        const tokens = nodes.map((node, at) => ({ position: words[at], node }));
        const positions = [0, 0xffffffff, words[0], (words[0] + 1) >>> 0, random.uint32()];
        for (const position of positions) {
          const count = 1 + random.below(12);
          const target = new Uint16Array(14).fill(999);
          const found = ring.ownersInto(position, count, target, 1);
          const wanted = modelOwners(tokens, position, count);
          check.same([...target.subarray(1, 1 + found)], wanted, `round ${round}, ${position}`);
          check.ok(target[0] === 999 && target[1 + found] === 999, "and writes nothing else");
        }
      }
    },
  },
  {
    name: "TokenRing.shares() add up to one ring a copy, in proportion to what lies before a token",
    run(check) {
      const half = 2 ** 31;
      const ring = new TokenRing([1, 1, 1], Uint32Array.of(0, half, half / 2));
      check.same([...ring.shares(1)], [0.5, 0.25, 0.25], "one copy");
      check.same([...ring.shares(3)], [1, 1, 1], "three copies on three nodes");
      check.same([...ring.shares(5)], [1, 1, 1], "no more copies than nodes");
    },
  },
  {
    name: "TokenRing.partitionOwners() takes the nodes met clockwise from a partition's end",
    run(check) {
      const quarter = 2 ** 30;
      const ring = new TokenRing([1, 1], Uint32Array.of(quarter, 2 * quarter + 1));
      check.same([...ring.partitionOwners(2, 1)], [0, 1, 0, 0], "four partitions, one copy");
      check.same([...ring.partitionOwners(2, 2)], [0, 1, 1, 0, 0, 1, 0, 1], "two copies");
    },
  },
  {
    name: "TokenRing refuses too few words, no nodes and nodes without tokens",
    run(check) {
      check.throws(() => new TokenRing([1, 2], new Uint32Array(2)), "3 tokens, 2 words");
      check.throws(() => new TokenRing([], new Uint32Array(2)), "no nodes");
      check.throws(() => new TokenRing([1, 0], new Uint32Array(2)), "a node without tokens");
    },
  },
];
