/**
 * What does it cost to find who holds a name?
 *
 * From a 16-byte name to the first three nodes of its preference list, hash included, in a ring of
 * 1,024 partitions and 30 nodes. References: the runtime's own MD5 alone, without any ring (our
 * bound on Bun is 1.25 × of it); consistent hashing with 150 tokens a node and a binary search; and
 * what one writes without thinking: node:crypto and a Map from partition to a list of ids.
 */

import { createHash, hash } from "node:crypto";
import { md5Into } from "../../core/md5.ts";
import { TokenRing } from "../../core/placement/token-ring.ts";
import { assign, preferenceLists } from "../../core/placement.ts";
import { Ring } from "../../core/ring.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep } from "../question.ts";

/** A power of two: works take one after the other. */
const NAMES = 1024;
const NODES = 30;
const REPLICAS = 3;
const PARTITION_BITS = 10;
const TOKENS_OF_NODE = 150;

const random = new SeededRandom(1);
const names = Array.from({ length: NAMES }, (_, index) =>
  new TextEncoder().encode(`cart/user-${100_000 + index}`),
);
const nodes = Array.from({ length: NODES }, (_, index) => ({
  id: `node-${index}`,
  capacity: 1,
  zone: `zone-${index % 3}`,
}));
const table = preferenceLists(assign({ nodes, partitionBits: PARTITION_BITS, replicas: REPLICAS }));
const ring = new Ring(PARTITION_BITS, table);
const tokenRing = new TokenRing(
  nodes.map(() => TOKENS_OF_NODE),
  Uint32Array.from({ length: NODES * TOKENS_OF_NODE }, () => random.uint32()),
);
const idsOfPartitions = new Map(
  Array.from({ length: ring.partitionCount }, (_, partition) => {
    const row = table.subarray(ring.rowOf(partition), ring.rowOf(partition + 1));
    return [partition, Array.from(row, (node) => nodes[node].id)];
  }),
);

const owners = new Uint16Array(REPLICAS);
const position = new Uint32Array(4);
const digest = new Uint8Array(16);
let taken = 0;

function take(): Uint8Array {
  taken = (taken + 1) % NAMES;
  return names[taken];
}

function partitionByCrypto(name: Uint8Array): number {
  return createHash("md5").update(name).digest().readUInt32BE(0) >>> (32 - PARTITION_BITS);
}

await ask("What does it cost to find who holds a name?", [
  {
    title: "name → 3 of 30 nodes",
    works: [
      {
        name: "Ring.preferenceInto",
        run() {
          keep(ring.preferenceInto(take(), 0, 16, REPLICAS, owners, 0) + owners[2]);
        },
      },
      typeof Bun === "undefined" ? null : {
        name: "Bun.MD5.hash alone",
        isReference: true,
        run() {
          Bun.MD5.hash(take(), digest);
          keep(digest[0]);
        },
      },
      // Newer than Node 20.
      typeof hash !== "function" ? null : {
        name: "node:crypto hash alone",
        isReference: true,
        run: () => keep(hash("md5", take(), "buffer")[0]),
      },
      {
        name: "node:crypto createHash alone",
        isReference: true,
        run: () => keep(createHash("md5").update(take()).digest()[0]),
      },
      {
        name: "tokens: md5Into, TokenRing.ownersInto",
        isReference: true,
        run() {
          md5Into(take(), 0, 16, position, 0);
          keep(tokenRing.ownersInto(position[0], REPLICAS, owners, 0) + owners[2]);
        },
      },
      {
        name: "Map: createHash, a list of ids",
        isReference: true,
        run() {
          const ids = idsOfPartitions.get(partitionByCrypto(take())) ?? [];
          keep(ids.slice(0, REPLICAS).length);
        },
      },
    ],
  },
  {
    title: "partition known → 3 of 30 nodes",
    works: [
      {
        name: "Ring.rowOf and three reads",
        run() {
          taken = (taken + 1) % NAMES;
          const row = ring.rowOf(taken);
          keep(ring.table[row] + ring.table[row + 1] + ring.table[row + 2]);
        },
      },
      {
        name: "Map: a list of ids",
        isReference: true,
        run() {
          taken = (taken + 1) % NAMES;
          keep((idsOfPartitions.get(taken) ?? []).slice(0, REPLICAS).length);
        },
      },
    ],
  },
]);
