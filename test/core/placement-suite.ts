/**
 * Placement on every runtime: random layouts and random changes of them, each looked at row by row
 * and held against naive models; the figures that the paper and the specification ask for; and that
 * every runtime comes to the same bytes.
 *
 * CASES and SEED in the environment run more, or others.
 */

import process from "node:process";
import {
  assign,
  balanceOf,
  efficiency,
  preferenceLists,
  type Assignment,
  type PlacementNode,
  type PlacementRequest,
} from "../../core/placement.ts";
import { fewestMoves, modelQuotas, rowFault } from "../model/placement-model.ts";
import { everyHere, roundsHere, SeededRandom, seedFrom, sizeHere } from "../random.ts";
import type { Case, Check } from "../suite.ts";

const CASES = seedFrom(process.env.CASES, roundsHere(1_000));
const SEED = seedFrom(process.env.SEED, 62);
/** Up to so many partitions the slow models are asked as well. */
const MODEL_PARTITIONS_MAX = 16;
/** Whole slots: where a fair share is a few, a tenth of it is less than one. */
const WHOLE_SLOTS = 1.5;

function nodesOf(count: number, zoneCount = 1): PlacementNode[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `node-${String(index).padStart(4, "0")}`,
    capacity: 1,
    zone: `zone-${index % zoneCount}`,
  }));
}

function rowOf(table: Uint16Array, partition: number, width: number): number[] {
  return Array.from(table.subarray(partition * width, (partition + 1) * width));
}

function rowsOf(layout: Assignment): number[][] {
  const { partitionCount, copies } = termsOf(layout);
  return Array.from({ length: partitionCount }, (_, partition) =>
    rowOf(layout.owners, partition, copies),
  );
}

function termsOf(layout: Assignment) {
  const { nodes, copies, partitionBits } = layout;
  return { nodes, copies, partitionCount: 2 ** partitionBits };
}

/** A partition's owners in another layout's numbers; those that are gone are left out. */
function formerOwners(former: Assignment, layout: Assignment, partition: number): number[] {
  return rowOf(former.owners, partition, former.copies)
    .map((owner) => layout.nodes.findIndex((node) => node.id === former.nodes[owner].id))
    .filter((node) => node >= 0);
}

/** Draws clusters and changes to them. */
class Clusters {
  readonly #random: SeededRandom;
  #named = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  request(): PlacementRequest {
    const random = this.#random;
    const zoneCount = 1 + random.below(5);
    const isSmall = random.chance(1, 4);
    const nodes = Array.from({ length: 1 + random.below(isSmall ? 8 : 30) }, () =>
      this.#node(zoneCount),
    );
    const partitionBits = 3 + random.below(isSmall ? 2 : random.chance(1, 8) ? 8 : 5);
    return { nodes, partitionBits, replicas: 1 + random.below(random.chance(1, 2) ? 3 : 5) };
  }

  /** A join, a removal, a replacement, another zone or capacity, or several at once. */
  change(nodes: readonly PlacementNode[]): PlacementNode[] {
    const random = this.#random;
    const changed = [...nodes];
    const index = random.below(changed.length);
    const kind = random.below(6);
    if (kind === 0) changed.splice(index, 0, this.#node(5));
    else if (kind === 1 && changed.length > 1) changed.splice(index, 1);
    else if (kind === 2) changed[index] = this.#node(5);
    else if (kind === 3) changed[index] = { ...changed[index], zone: `z${random.below(5)}` };
    else if (kind === 4) changed[index] = { ...changed[index], capacity: 1 + random.below(4) };
    else changed.splice(index, 1, this.#node(3), this.#node(3), this.#node(3));
    return changed;
  }

  #node(zoneCount: number): PlacementNode {
    const random = this.#random;
    const id = `n${this.#named++}`;
    return { id, capacity: 1 + random.below(4), zone: `z${random.below(zoneCount)}` };
  }
}

/** Every row is legal, and every node has the slots that the layout says. */
function checkRows(check: Check, layout: Assignment, what: string): void {
  const slots = layout.nodes.map(() => 0);
  for (const node of layout.owners) slots[node]++;
  check.equal(rowFault(termsOf(layout), rowsOf(layout)), "", `${what}: every row is legal`);
  check.equal(slots.join(), layout.slots.join(), `${what}: slots are counted right`);
}

/**
 * Shares are as near to capacity as the terms let them be: wherever a slot could go from one node
 * to another and bring both nearer, a bound forbids it.
 */
function checkShares(check: Check, layout: Assignment, what: string): void {
  const { nodes, copies, slots } = layout;
  const { partitionCount } = termsOf(layout);
  const zones = new Map<string, number>();
  nodes.forEach(({ zone }, node) => zones.set(zone, (zones.get(zone) ?? 0) + slots[node]));
  const isBound = (from: number, to: number) => {
    if (slots[to] === partitionCount) return true;
    if (nodes[from].zone === nodes[to].zone) return false;
    const [least, most] = zones.size < copies ? [partitionCount, Infinity] : [0, partitionCount];
    return zones.get(nodes[from].zone) === least || zones.get(nodes[to].zone) === most;
  };
  let unfair = "";
  for (let from = 0; from < nodes.length; from++) {
    for (let to = 0; to < nodes.length; to++) {
      const isBetter =
        (2 * slots[from] - 1) * nodes[to].capacity > (2 * slots[to] + 1) * nodes[from].capacity;
      if (isBetter && slots[from] > 0 && !isBound(from, to)) unfair = `${from} to ${to}`;
    }
  }
  check.equal(unfair, "", `${what}: no slot could go from one to another for the better`);
}

/** All nodes once, the owners first, any n of the first owners in as many zones as can be. */
function checkPreference(check: Check, layout: Assignment, what: string): void {
  const { nodes, copies, partitionBits } = layout;
  const table = preferenceLists(layout);
  const zoneCount = new Set(nodes.map((node) => node.zone)).size;
  let fault = "";
  for (let partition = 0; partition < 2 ** partitionBits; partition++) {
    const row = rowOf(table, partition, nodes.length);
    const owners = rowOf(layout.owners, partition, copies);
    if (new Set(row).size !== nodes.length) fault = `${partition}: not every node once`;
    if (owners.some((owner, rank) => row[rank] !== owner)) fault = `${partition}: owners not first`;
    for (let count = 1; count <= copies; count++) {
      const zones = new Set(owners.slice(0, count).map((owner) => nodes[owner].zone)).size;
      if (zones < Math.min(count, zoneCount)) fault = `${partition}: ${count} in ${zones} zones`;
    }
    const ownerZones = owners.map((owner) => nodes[owner].zone);
    const isFresh = (node: number) => !ownerZones.includes(nodes[node].zone);
    if (row.slice(copies).some(isFresh) && !isFresh(row[copies])) fault = `${partition}: fallback`;
  }
  check.equal(fault, "", `${what}: preference lists`);
}

/** Only what must move has moved. */
function checkMoves(check: Check, former: Assignment, layout: Assignment, what: string): void {
  const terms = termsOf(layout);
  const held = layout.nodes.map(() => 0);
  let moved = 0;
  for (let partition = 0; partition < terms.partitionCount; partition++) {
    const before = formerOwners(former, layout, partition);
    for (const node of before) held[node]++;
    const row = rowOf(layout.owners, partition, layout.copies);
    moved += row.filter((node) => !before.includes(node)).length;
  }
  check.equal(layout.movedSlots, moved, `${what}: moves are counted right`);
  const gained = held.reduce((sum, had, node) => sum + Math.max(0, layout.slots[node] - had), 0);
  check.ok(moved >= gained, `${what}: what a node gains has moved`);
  if (terms.partitionCount <= MODEL_PARTITIONS_MAX) {
    check.same([...layout.slots], modelQuotas(terms, held), `${what}: the model's quotas`);
  }
  // Where just that has moved, nothing less can have; otherwise zones or distinctness stood in the
  // way, and the model knows what that costs at least.
  if (moved === gained || terms.partitionCount > MODEL_PARTITIONS_MAX) return;
  const fewest = fewestMoves(terms, layout.slots, (one) => formerOwners(former, layout, one));
  check.equal(moved, fewest, `${what}: as few moves as the model's minimum-cost flow`);
}

/**
 * For each dead node: its partitions go to the others in equal parts, within a tenth or what whole
 * slots allow. Returns the worst deviation from a fair part, for the message.
 */
function checkTail(check: Check, layout: Assignment, what: string): void {
  const { nodes, copies, slots, partitionBits } = layout;
  const table = preferenceLists(layout);
  const standIns = nodes.map(() => nodes.map(() => 0));
  for (let partition = 0; partition < 2 ** partitionBits; partition++) {
    const row = rowOf(table, partition, nodes.length);
    for (const owner of row.slice(0, copies)) standIns[owner][row[copies]]++;
  }
  let worst = "";
  for (let dead = 0; dead < nodes.length; dead++) {
    const fair = slots[dead] / (nodes.length - 1);
    for (let node = 0; node < nodes.length; node++) {
      const difference = Math.abs(standIns[dead][node] - fair);
      if (node === dead || difference <= Math.max(fair / 10, WHOLE_SLOTS)) continue;
      worst = `${node} stands in for ${dead} in ${standIns[dead][node]} partitions, fair ${fair}`;
    }
  }
  check.equal(worst, "", `${what}: a dead node's load is shared equally`);
}

/** First places in proportion to slots, within two. */
function checkFirstPlaces(check: Check, layout: Assignment, what: string): void {
  const firsts = layout.nodes.map(() => 0);
  for (let slot = 0; slot < layout.owners.length; slot += layout.copies) {
    firsts[layout.owners[slot]]++;
  }
  const differences = firsts.map((first, node) => first - layout.slots[node] / layout.copies);
  const worst = Math.max(...differences.map((difference) => Math.abs(difference)));
  check.ok(worst <= 2, `${what}: a node comes first ${worst} partitions off its part`);
}

/** FNV-1a over 16-bit entries. */
function fingerprint(tables: readonly Uint16Array[]): number {
  let hash = 0x811c9dc5;
  for (const table of tables) for (const entry of table) hash = Math.imul(hash ^ entry, 0x01000193);
  return hash >>> 0;
}

export const suite: readonly Case[] = [
  {
    name: `assign() keeps nodes, zones, shares and movement in ${CASES} random layouts and changes`,
    run(check) {
      const clusters = new Clusters(new SeededRandom(SEED));
      for (let round = 0; round < CASES; round++) {
        const again = `round ${round}; again: SEED=${SEED} bun test/runtimes.ts core/placement`;
        const request = clusters.request();
        const former = assign(request);
        checkRows(check, former, again);
        checkShares(check, former, again);
        const changed = { ...request, nodes: clusters.change(request.nodes), former };
        const layout = assign(changed);
        checkRows(check, layout, again);
        checkShares(check, layout, again);
        checkMoves(check, former, layout, again);
        checkPreference(check, layout, again);
        if (round % 8 > 0) continue;
        check.same(assign(changed), layout, `${again}: once more gives the same`);
      }
    },
  },
  {
    name: "assign() moves 1/(S+1) of the slots at a join, all of them to the new node",
    run(check) {
      for (let count = 3; count <= 40; count += everyHere(1)) {
        const request = { partitionBits: 10, replicas: 3 };
        const former = assign({ ...request, nodes: nodesOf(count) });
        const layout = assign({ ...request, nodes: nodesOf(count + 1), former });
        check.equal(layout.movedSlots, layout.slots[count], `${count} + 1: to the new node alone`);
        const share = Math.floor((3 * 1024) / (count + 1));
        check.equal(layout.movedSlots, share, `${count} + 1: so many`);
      }
    },
  },
  {
    name: "assign() moves the removed node's slots at a removal, and a replacement's to it alone",
    run(check) {
      for (let count = 4; count <= 40; count += everyHere(1)) {
        const request = { partitionBits: 10, replicas: 3 };
        const former = assign({ ...request, nodes: nodesOf(count) });
        const removed = assign({ ...request, nodes: nodesOf(count).slice(1), former });
        check.equal(removed.movedSlots, former.slots[0], `${count} - 1`);
        const nodes = nodesOf(count).map((node, at) => (at === 1 ? { ...node, id: "new" } : node));
        const replaced = assign({ ...request, nodes, former });
        check.equal(replaced.movedSlots, former.slots[1], `${count}: one replaced`);
        check.equal(replaced.slots[1], former.slots[1], `${count}: the replacement has them all`);
      }
    },
  },
  {
    name: "assign() changes nothing where nothing changed, and comes back after a join and a leave",
    run(check) {
      const request = { partitionBits: 9, replicas: 3 };
      const layout = assign({ ...request, nodes: nodesOf(11, 3) });
      const same = assign({ ...request, nodes: nodesOf(11, 3), former: layout });
      check.equal(same.movedSlots, 0, "the same nodes");
      const grown = assign({ ...request, nodes: nodesOf(12, 3), former: layout });
      const back = assign({ ...request, nodes: nodesOf(11, 3), former: grown });
      check.equal(back.movedSlots, grown.slots[11], "back again");
    },
  },
  {
    name: "assign() grows a cluster from one node to thirty, balanced at every step",
    run(check) {
      let former = assign({ nodes: nodesOf(1), partitionBits: 10, replicas: 3 });
      for (let count = 2; count <= 30; count++) {
        const layout = assign({ nodes: nodesOf(count), partitionBits: 10, replicas: 3, former });
        checkRows(check, layout, `${count} nodes`);
        checkShares(check, layout, `${count} nodes`);
        checkFirstPlaces(check, layout, `${count} nodes`);
        if (count > 3) checkTail(check, layout, `${count} nodes, joined one by one`);
        former = layout;
      }
    },
  },
  {
    name: "assign() settles where a join to many zones needs paths over several nodes",
    run(check) {
      const request = { partitionBits: sizeHere(16, 13), replicas: 3 };
      const former = assign({ ...request, nodes: nodesOf(30, 4) });
      const layout = assign({ ...request, nodes: nodesOf(31, 4), former });
      checkRows(check, layout, `30 + 1 nodes, 4 zones, 2^${request.partitionBits} partitions`);
      check.equal(layout.movedSlots, layout.slots[30], "to the new node alone");
    },
  },
  {
    name: "assign() gives each of very many nodes its part",
    run(check) {
      const [partitionBits, count] = [sizeHere(10, 8), sizeHere(200, 50)];
      const request = { partitionBits, replicas: 3 };
      const former = assign({ ...request, nodes: nodesOf(3, 3) });
      const layout = assign({ ...request, nodes: nodesOf(count, 3), former });
      checkRows(check, layout, `3 → ${count} nodes`);
      const slots = new Set(layout.slots);
      check.same([...slots].sort(), [15, 16], "slots of a node");
    },
  },
  {
    name: "assign() is as balanced as whole slots allow: Figure 8, strategy 3",
    run(check) {
      const at = (partitionBits: number) =>
        efficiency(assign({ nodes: nodesOf(30), partitionBits, replicas: 3 }).slots);
      check.ok(at(10) >= 0.994, `Q = 1,024: ${at(10)}`);
      check.ok(at(8) >= 0.98, `Q = 256: ${at(8)}`);
    },
  },
  {
    name: "assign() gives twice the capacity twice the slots, and balanceOf() says so",
    run(check) {
      const nodes = nodesOf(9).map((node, at) => ({ ...node, capacity: at < 3 ? 2 : 1 }));
      const layout = assign({ nodes, partitionBits: 10, replicas: 3 });
      for (const { node, slots, idealShare, reachedShare } of balanceOf(layout)) {
        check.equal(slots, node.capacity * 256, `slots of ${node.id}`);
        check.equal(idealShare, node.capacity / 12, `ideal share of ${node.id}`);
        check.equal(reachedShare, node.capacity / 12, `reached share of ${node.id}`);
      }
    },
  },
  {
    name: "balanceOf() tells the ideal from what distinctness left of it",
    run(check) {
      const nodes = nodesOf(4).map((node, at) => ({ ...node, capacity: at === 0 ? 7 : 1 }));
      const [large] = balanceOf(assign({ nodes, partitionBits: 8, replicas: 3 }));
      check.equal(large.idealShare, 0.7, "its capacity's share");
      check.equal(large.reachedShare, 1 / 3, "one copy of everything is all it can hold");
    },
  },
  {
    name: "preferenceLists() share a dead node's load equally among the survivors",
    run(check) {
      for (let count = 4; count <= 30; count += everyHere(1)) {
        const layout = assign({ nodes: nodesOf(count), partitionBits: 10, replicas: 3 });
        checkTail(check, layout, `${count} nodes`);
        checkFirstPlaces(check, layout, `${count} nodes`);
      }
    },
  },
  {
    name: "preferenceLists() keep the zones apart in the fallbacks, round by round",
    run(check) {
      const layout = assign({ nodes: nodesOf(15, 5), partitionBits: 8, replicas: 3 });
      const table = preferenceLists(layout);
      let worst = 0;
      for (let partition = 0; partition < 256; partition++) {
        const zones = rowOf(table, partition, 15).map((node) => layout.nodes[node].zone);
        for (let round = 0; round < 15; round += 5) {
          worst = Math.max(worst, 5 - new Set(zones.slice(round, round + 5)).size);
        }
      }
      check.equal(worst, 0, "each five of a list lie in five zones");
    },
  },
  {
    name: "assign() refuses what cannot be placed",
    run(check) {
      const good = { nodes: nodesOf(3), partitionBits: 3, replicas: 3 };
      const capacity = (value: number) => [{ id: "a", zone: "z", capacity: value }];
      check.throws(() => assign({ ...good, nodes: [] }), "no node");
      check.throws(() => assign({ ...good, nodes: nodesOf(1025) }), "more nodes than NODES_MAX");
      const twice = [...nodesOf(1), ...nodesOf(1)];
      check.throws(() => assign({ ...good, nodes: twice }), "a node twice");
      check.throws(() => assign({ ...good, nodes: capacity(0) }), "no capacity");
      check.throws(() => assign({ ...good, nodes: capacity(1.5) }), "a broken capacity");
      check.throws(() => assign({ ...good, nodes: capacity(1e9 + 1) }), "a huge capacity");
      check.throws(() => assign({ ...good, replicas: 0 }), "no replica");
      check.throws(() => assign({ ...good, replicas: 9 }), "more replicas than REPLICAS_MAX");
      check.throws(() => assign({ ...good, partitionBits: 17 }), "more than 65,536 partitions");
      const former = { nodes: nodesOf(3), owners: new Uint16Array(25) };
      check.throws(() => assign({ ...good, former }), "a former layout of broken rows");
      check.equal(assign({ ...good, nodes: nodesOf(1024) }).copies, 3, "1,024 nodes are taken");
      check.equal(assign({ ...good, nodes: capacity(1e9) }).copies, 1, "the largest capacity too");
      check.equal(assign({ ...good, partitionBits: 0 }).owners.length, 3, "and one partition");
    },
  },
  {
    name: "Every runtime and every later version comes to these layouts",
    run(check) {
      // Owners are sent, fallbacks each node computes for itself: whoever changes these bytes makes
      // nodes of two versions disagree on who stands in for whom.
      const request = { partitionBits: 7, replicas: 3 };
      const nodes = nodesOf(13, 4).map((node, at) => ({ ...node, capacity: 1 + (at % 3) }));
      const former = assign({ ...request, nodes: nodes.slice(0, 5) });
      const layout = assign({ ...request, nodes, former });
      const removed = assign({ ...request, nodes: nodes.slice(2), former: layout });
      const tables = [former, layout, removed].flatMap((one) => [one.owners, preferenceLists(one)]);
      check.equal(fingerprint(tables), 3236328528, "fingerprint of owners and preference lists");
    },
  },
];
