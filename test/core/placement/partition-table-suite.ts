/**
 * The contract of the three strategies, on every runtime: the same questions to each, and what they
 * must agree on.
 */

import { assign, countSlots } from "../../../core/placement.ts";
import { PartitionTable } from "../../../core/placement/partition-table.ts";
import type { Strategy } from "../../../core/placement/strategy.ts";
import { TokenRing } from "../../../core/placement/token-ring.ts";
import { SeededRandom } from "../../random.ts";
import type { Case } from "../../suite.ts";

const NODES = 9;
const COPIES = 3;
const PARTITION_BITS = 6;
const random = new SeededRandom(81);
const words = Uint32Array.from({ length: NODES * 8 }, () => random.uint32());
const ring = new TokenRing(new Array<number>(NODES).fill(8), words);
const placed = ring.partitionOwners(PARTITION_BITS, COPIES);
const nodes = Array.from({ length: NODES }, (_, index) => ({
  id: String(index),
  capacity: 1,
  zone: `z${index % 3}`,
}));
const { owners } = assign({ nodes, partitionBits: PARTITION_BITS, replicas: COPIES });

const strategies: readonly (readonly [name: string, strategy: Strategy])[] = [
  ["strategy 1", ring],
  ["strategy 2", new PartitionTable(NODES, PARTITION_BITS, placed)],
  ["strategy 3", new PartitionTable(NODES, PARTITION_BITS, owners)],
];

/** What shares() must come to: owners asked at many evenly spread positions. */
function sampledShares(strategy: Strategy, copies: number, samples: number): number[] {
  const hits = new Array<number>(strategy.nodeCount).fill(0);
  const target = new Uint16Array(copies);
  for (let sample = 0; sample < samples; sample++) {
    const position = Math.floor(((sample + 0.5) / samples) * 2 ** 32);
    const found = strategy.ownersInto(position, copies, target, 0);
    for (let rank = 0; rank < found; rank++) hits[target[rank]]++;
  }
  return hits.map((count) => count / samples);
}

export const suite: readonly Case[] = [
  {
    name: "Every strategy gives distinct nodes, as many as asked for, and writes nothing else",
    run(check) {
      for (const [name, strategy] of strategies) {
        for (let round = 0; round < 200; round++) {
          const target = new Uint16Array(6).fill(999);
          const count = 1 + (round % COPIES);
          check.equal(strategy.ownersInto(random.uint32(), count, target, 1), count, name);
          const found = [...target.subarray(1, 1 + count)];
          check.equal(new Set(found).size, count, `${name}: distinct`);
          check.ok(found.every((node) => node < strategy.nodeCount), `${name}: nodes`);
          check.ok(target[0] === 999 && target[1 + count] === 999, `${name}: nothing else`);
        }
      }
    },
  },
  {
    name: "Every strategy's shares() are those of its owners, and add up to one ring a copy",
    run(check) {
      for (const [name, strategy] of strategies) {
        for (let copies = 1; copies <= COPIES; copies++) {
          const shares = [...strategy.shares(copies)];
          const sum = shares.reduce((total, share) => total + share, 0);
          check.ok(Math.abs(sum - copies) < 1e-9, `${name}: ${sum} for ${copies} copies`);
          const sampled = sampledShares(strategy, copies, 1 << 16);
          const worst = Math.max(...shares.map((share, node) => Math.abs(share - sampled[node])));
          check.ok(worst < 0.002, `${name}: shares are ${worst} off what its owners say`);
        }
      }
    },
  },
  {
    name: "PartitionTable.shares() count the slots of a node",
    run(check) {
      const slots = countSlots(owners, NODES);
      const shares = new PartitionTable(NODES, PARTITION_BITS, owners).shares(COPIES);
      check.same([...shares], Array.from(slots, (count) => count / 2 ** PARTITION_BITS), "shares");
    },
  },
  {
    name: "PartitionTable knows no more owners than its rows have",
    run(check) {
      const table = new PartitionTable(4, 1, Uint16Array.of(2, 0, 1, 3));
      const target = new Uint16Array(4).fill(9);
      check.equal(table.ownersInto(0x80000000, 3, target, 0), 2, "two of three");
      check.same([...target], [1, 3, 9, 9], "of the second partition");
    },
  },
  {
    name: "PartitionTable refuses rows that are not whole, and no nodes",
    run(check) {
      check.throws(() => new PartitionTable(4, 1, Uint16Array.of(2, 0, 1)), "a row and a half");
      check.throws(() => new PartitionTable(4, 1, new Uint16Array(0)), "no rows");
      check.throws(() => new PartitionTable(1, 1, Uint16Array.of(0, 0, 0, 0)), "more than nodes");
      check.throws(() => new PartitionTable(0, 0, Uint16Array.of(0)), "no nodes");
    },
  },
];
