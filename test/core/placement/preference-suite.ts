/**
 * Preference lists on every runtime: a name's list in random rings against what the paper says of
 * it, said naively; how few keys a join moves; and that lists which go on from a former layout's are
 * those that are made from nothing.
 *
 * CASES and SEED in the environment run more (CASES=100000 once before a release), or others.
 */

import process from "node:process";
import { assign, preferenceLists, type Assignment } from "../../../core/placement.ts";
import { Ring } from "../../../core/ring.ts";
import { listFault } from "../../model/placement-model.ts";
import { modelPartition, modelPosition } from "../../model/ring-model.ts";
import { roundsHere, SeededRandom, seedFrom } from "../../random.ts";
import type { Case } from "../../suite.ts";

const CASES = seedFrom(process.env.CASES, roundsHere(2_000));
const SEED = seedFrom(process.env.SEED, 45);
const AGAIN = `again: SEED=${SEED} CASES=${CASES} bun test/runtimes.ts placement/preference`;
const NAMES_OF_RING = 5;
/** Of all keys, beyond the newcomer's fair part. */
const MOVED_EXCESS_MAX = 0.05;

let named = 0;

function nodeFrom(random: SeededRandom, zoneCount: number) {
  const id = `n${String(named++).padStart(7, "0")}`;
  return { id, capacity: 1 + random.below(4), zone: `z${random.below(zoneCount)}` };
}

/** 1 to 24 nodes in 1 to 5 zones, 1 to 1,024 partitions (few as a rule), 1 to 5 copies. */
function layoutFrom(random: SeededRandom): Assignment {
  const zoneCount = 1 + random.below(5);
  const nodes = Array.from({ length: 1 + random.below(24) }, () => nodeFrom(random, zoneCount));
  const partitionBits = random.below(random.chance(1, 10) ? 11 : 7);
  return assign({ nodes, partitionBits, replicas: 1 + random.below(5) });
}

/** The same nodes, or one of them changed, and the owners that follow, or some by hand. */
function changeOf(former: Assignment, random: SeededRandom): Assignment {
  const kind = random.below(6);
  const nodes = [...former.nodes];
  const at = random.below(nodes.length);
  if (kind === 0) nodes[at] = { ...nodes[at], capacity: 1 + random.below(6) };
  if (kind === 1) nodes[at] = { ...nodes[at], zone: `z${random.below(5)}` };
  if (kind === 2) nodes[at] = nodeFrom(random, 5);
  if (kind === 3) nodes.push(nodeFrom(random, 5));
  if (kind === 4 && nodes.length > 1) nodes.splice(at, 1);
  const { partitionBits, copies } = former;
  if (kind < 5) return assign({ nodes, partitionBits, replicas: copies, former });
  const owners = former.owners.slice();
  const row = random.below(2 ** partitionBits) * copies;
  owners.subarray(row, row + copies).reverse();
  return { ...former, owners };
}

/** Of the keys, how many get an owner that they had not. */
function movedShare(former: Assignment, layout: Assignment): number {
  let moved = 0;
  for (let row = 0; row < layout.owners.length; row += layout.copies) {
    const before = former.owners.subarray(row, row + layout.copies);
    if (!layout.owners.subarray(row, row + layout.copies).every((one) => before.includes(one))) {
      moved++;
    }
  }
  return moved / 2 ** layout.partitionBits;
}

export const suite: readonly Case[] = [
  {
    name: `A name's list is what the paper says, for ${CASES * NAMES_OF_RING} names of random rings`,
    run(check) {
      const random = new SeededRandom(SEED);
      const target = new Uint16Array(32);
      for (let round = 0; round < CASES; round++) {
        const { nodes, partitionBits, copies, owners } = layoutFrom(random);
        const ring = new Ring(partitionBits, preferenceLists({ nodes, partitionBits, owners }));
        for (let draw = 0; draw < NAMES_OF_RING; draw++) {
          const name = new Uint8Array(3 + random.below(60));
          random.fill(name);
          const partition = modelPartition(modelPosition(name), 2 ** partitionBits);
          const held = Array.from(owners.subarray(partition * copies, (partition + 1) * copies));
          const count = 1 + random.below(nodes.length + 2);
          const written = ring.preferenceInto(name, 0, name.length, count, target, 0);
          check.equal(written, Math.min(count, nodes.length), `round ${round}: length; ${AGAIN}`);
          const list = Array.from(target.subarray(0, written));
          check.equal(listFault(nodes, held, list), "", `round ${round}; ${AGAIN}`);
        }
      }
    },
  },
  {
    name: `A join moves no more keys than the newcomer's part and a little, in ${CASES} rings`,
    run(check) {
      const random = new SeededRandom(SEED);
      let worst = "";
      for (let round = 0; round < CASES; round++) {
        const count = 1 + random.below(24);
        const nodes = Array.from({ length: count + 1 }, (_, index) => ({
          ...nodeFrom(random, 1),
          id: `n${index}`,
          capacity: 1,
        }));
        const request = { partitionBits: random.below(11), replicas: 1 };
        const former = assign({ ...request, nodes: nodes.slice(0, count) });
        const moved = movedShare(former, assign({ ...request, nodes, former }));
        if (moved > 1 / (count + 1) + MOVED_EXCESS_MAX) worst = `${moved} of ${count} + 1 nodes`;
      }
      check.equal(worst, "", AGAIN);
    },
  },
  {
    name: `Lists that go on from former ones equal those made from nothing, in ${CASES} changes`,
    run(check) {
      const random = new SeededRandom(SEED);
      let [shared, differing] = [0, 0];
      for (let round = 0; round < CASES; round++) {
        const former = layoutFrom(random);
        const formerLists = { ...former, preference: preferenceLists(former) };
        const before = formerLists.preference.slice();
        const layout = changeOf(former, random);
        const lists = preferenceLists(layout, formerLists);
        if (lists === formerLists.preference) shared++;
        if (lists.join() !== preferenceLists(layout).join()) differing++;
        if (before.join() !== formerLists.preference.join()) differing++;
        if (preferenceLists(former, formerLists) !== formerLists.preference) differing++;
      }
      check.equal(differing, 0, AGAIN);
      check.ok(shared > 0 && shared < CASES, `${shared} of ${CASES} changes left all as it was`);
    },
  },
];
