/**
 * The ring on every runtime: known answers, the naive model, and that the hot way allocates
 * nothing.
 */

import { assign, preferenceLists } from "../../core/placement.ts";
import { partitionOf, partitionOfName, Ring } from "../../core/ring.ts";
import { HEAP_NOISE_BYTES, HOT_CALLS, steadyHeapGrowth } from "../heap-growth.ts";
import { modelPartition, modelPosition } from "../model/ring-model.ts";
import { SeededRandom } from "../random.ts";
import type { Case } from "../suite.ts";
import { collidingNames } from "./md5-collision.ts";

const nodes = Array.from({ length: 7 }, (_, index) => ({
  id: `n${index}`,
  capacity: 1,
  zone: `z${index % 3}`,
}));
const table = preferenceLists(assign({ nodes, partitionBits: 10, replicas: 3 }));

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export const suite: readonly Case[] = [
  {
    name: "partitionOf() cuts the ring in equal parts, from 1 to 65,536",
    run(check) {
      for (let bits = 0; bits <= 16; bits++) {
        const width = 2 ** (32 - bits);
        for (const partition of [0, 1, 2 ** bits >> 1, 2 ** bits - 1]) {
          if (partition >= 2 ** bits) continue;
          const first = partition * width;
          check.equal(partitionOf(first, bits), partition, `${bits} bits: its first position`);
          check.equal(partitionOf(first + width - 1, bits), partition, `${bits} bits: its last`);
        }
      }
    },
  },
  {
    name: "partitionOfName() gives known answers",
    run(check) {
      // The first eight digits of what md5sum prints; the top ten of their bits are the partition.
      const answers: readonly (readonly [string, number])[] = [
        ["cart/user-17", 0x04bc947a >>> 22],
        ["b/k", 0x9dde8d2e >>> 22],
        ["sessions/αβγ", 0xe01fd71d >>> 22],
        [`a/${"x".repeat(4096)}`, 0xa6e2a0c8 >>> 22],
      ];
      for (const [name, partition] of answers) {
        const bytes = bytesOf(name);
        check.equal(partitionOfName(bytes, 0, bytes.length, 10), partition, name);
      }
    },
  },
  {
    name: "partitionOfName() equals the model on random names, wherever they lie",
    run(check) {
      const random = new SeededRandom(43);
      const bytes = new Uint8Array(300);
      for (let round = 0; round < 5_000; round++) {
        random.fill(bytes);
        const start = random.below(50);
        const end = start + 1 + random.below(200);
        const bits = random.below(17);
        const wanted = modelPartition(modelPosition(bytes.subarray(start, end)), 2 ** bits);
        check.equal(partitionOfName(bytes, start, end, bits), wanted, `round ${round}`);
      }
    },
  },
  {
    name: "Ring gives the partition's row of the table, whole or its beginning",
    run(check) {
      const ring = new Ring(10, table);
      const name = bytesOf("__cart/user-17__");
      const partition = partitionOfName(name, 2, name.length - 2, 10);
      const row = table.slice(partition * 7, partition * 7 + 7);
      check.equal(ring.nodeCount, 7, "nodes");
      check.equal(ring.rowOf(partition), partition * 7, "row of a partition");
      check.equal(ring.rowOfName(name, 2, name.length - 2), partition * 7, "row of a name");
      const target = new Uint16Array(9).fill(99);
      const end = name.length - 2;
      check.equal(ring.preferenceInto(name, 2, end, 3, target, 1), 3, "three are asked for");
      check.same([...target], [99, ...row.slice(0, 3), 99, 99, 99, 99, 99], "three are written");
      check.equal(ring.preferenceInto(name, 2, end, 100, target, 1), 7, "all that there are");
      check.same([...target], [99, ...row, 99], "all are written");
    },
  },
  {
    name: "Names with one MD5 have one preference list",
    run(check) {
      const ring = new Ring(10, table);
      const [left, right] = collidingNames("key");
      const row = ring.rowOfName(left, 0, left.length);
      check.equal(ring.rowOfName(right, 0, right.length), row, "one row");
    },
  },
  {
    name: "Ring refuses a table of broken rows",
    run(check) {
      check.throws(() => new Ring(3, new Uint16Array(25)), "25 entries for 8 partitions");
      check.throws(() => new Ring(3, new Uint16Array(0)), "no entry");
    },
  },
  {
    name: "Many names to their preference lists allocate nothing",
    async run(check) {
      const ring = new Ring(10, table);
      const name = bytesOf("bucket/key-00001");
      const target = new Uint16Array(3);
      const rows = new Int32Array(1);
      const growth = await steadyHeapGrowth((calls) => {
        for (let call = 0; call < calls; call++) {
          name[15] = call;
          ring.preferenceInto(name, 0, name.length, 3, target, 0);
          rows[0] ^= ring.rowOfName(name, 0, name.length) + ring.rowOf(call & 1023);
          rows[0] ^= partitionOfName(name, 0, name.length, 10) + partitionOf(call << 8, 10);
        }
      }, HOT_CALLS);
      check.ok(growth <= HEAP_NOISE_BYTES, `the heap grew by ${growth} bytes`);
    },
  },
];
