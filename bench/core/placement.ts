/**
 * How long does a change of membership compute?
 *
 * Placement is cold code, run when an administrator changes the cluster, but a plan is shown while
 * somebody waits, and every node makes its own preference lists when a layout is adopted. The
 * default ring of 1,024 partitions, 3 copies, 30 nodes in 3 zones.
 * References: what one would write first. For a layout, partitions dealt at random; for a change, that
 * again from nothing, which moves nearly everything; for the lists, a walk to the next distinct
 * nodes. They know no zones and no minimum of moves, and leave a hottest node of 1.06 times the mean
 * (Figure 8).
 */

import { assign, type PlacementNode, preferenceLists } from "../../core/placement.ts";
import { TokenRing } from "../../core/placement/token-ring.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep } from "../question.ts";

const PARTITION_BITS = 10;
const PARTITIONS = 2 ** PARTITION_BITS;
const REPLICAS = 3;
const NODES = 30;

const random = new SeededRandom(1);

function nodesOf(count: number): PlacementNode[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `node-${String(index).padStart(2, "0")}`,
    capacity: 1,
    zone: `zone-${index % 3}`,
  }));
}

/** Equal partitions dealt at random; copies go on to the next distinct nodes. */
function dealAtRandom(nodeCount: number, copies: number): number {
  const words = Uint32Array.from({ length: PARTITIONS }, (_, index) => index << 22);
  for (let last = PARTITIONS - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [words[last], words[other]] = [words[other], words[last]];
  }
  const counts = Array.from({ length: nodeCount }, (_, node) => {
    return Math.floor((PARTITIONS + node) / nodeCount);
  });
  return new TokenRing(counts, words).partitionOwners(PARTITION_BITS, copies)[0];
}

const request = { partitionBits: PARTITION_BITS, replicas: REPLICAS };
const layout = assign({ ...request, nodes: nodesOf(NODES) });
const grown = assign({ ...request, nodes: nodesOf(NODES + 1), former: layout });

await ask("How long does a change of membership compute?", [
  {
    title: "the first layout, 30 nodes",
    works: [
      {
        name: "assign",
        run: () => keep(assign({ ...request, nodes: nodesOf(NODES) }).owners[0]),
      },
      {
        name: "dealt at random",
        isReference: true,
        run: () => keep(dealAtRandom(NODES, REPLICAS)),
      },
    ],
  },
  {
    title: "a join, 30 + 1 nodes",
    works: [
      {
        name: "assign",
        run: () => keep(assign({ ...request, nodes: nodesOf(NODES + 1), former: layout }).owners[0]),
      },
      {
        name: "dealt at random",
        isReference: true,
        run: () => keep(dealAtRandom(NODES + 1, REPLICAS)),
      },
    ],
  },
  {
    title: "a leave, 31 - 1 nodes",
    works: [
      {
        name: "assign",
        run: () => keep(assign({ ...request, nodes: nodesOf(NODES), former: grown }).owners[0]),
      },
      {
        name: "dealt at random",
        isReference: true,
        run: () => keep(dealAtRandom(NODES, REPLICAS)),
      },
    ],
  },
  {
    title: "preference lists of all nodes, 30 nodes",
    works: [
      { name: "preferenceLists", run: () => keep(preferenceLists(layout)[0]) },
      {
        name: "next distinct nodes",
        isReference: true,
        run: () => keep(dealAtRandom(NODES, NODES)),
      },
    ],
  },
]);
