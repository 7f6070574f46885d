/**
 * Preference lists: for each partition all nodes, its owners first, then who stands in for them.
 *
 *   partition 7 │  c  a  f  │  b  │  e  d  g  …
 *               │  owners   │  the first fallback: dealt
 *               │                 │  the rest: zones in turn, scattered
 *
 * While a node is down, the first node past the owners takes its part of each partition that it
 * owns. So that place is dealt: for each node d, the partitions that d owns are shared among the
 * others in proportion to capacity. Dealt greedily, then evened out until nothing improves or the
 * passes are used up: each change lowers the sum over pairs of standIns² / capacity.
 *
 * Zones come before evenness: a fallback is taken from the zones that the owners use least, so that
 * copies stay as far apart as they were.
 *
 * Lists are a function of the layout alone, since each node makes them for itself. Where lists of
 * another layout are at hand they save work, and the result is the same to the byte:
 *
 *   the same owners, zones, capacities   the table itself
 *   the same zones, node by node         rows whose owners and first fallback are the same are
 *                                        copied: the rest of a row follows from these
 *   other nodes                          every row names other nodes: all are made
 *
 * 30 nodes, 1,024 partitions on Bun: 1.6 ms from nothing, 0.01 for the table itself, 1.0 where one
 * row's owners differ. Less cannot be saved after larger changes: where one node's capacity differs,
 * 957 first fallbacks of 1,024 do, because sharing every node's load equally is one bargain of all.
 */

import { Scatter } from "./scatter.ts";
import { Terms } from "./terms.ts";
import type { PlacementNode } from "./terms.ts";

/** Lists of another layout, with what they were made of. Nothing of it is changed. */
export interface FormerLists {
  readonly nodes: readonly PlacementNode[];
  readonly partitionBits: number;
  readonly owners: Uint16Array;
  readonly preference: Uint16Array;
}

/** Two or three are enough as a rule; a bound, so that a huge layout cannot take for ever. */
const EVENING_PASSES_MAX = 8;

/**
 * Rows of all nodes for each partition; not to be changed, since it may be the former table.
 * @param owners rows of `terms.copies`, in their order
 * @param former any layout's lists; null where there are none
 */
export function preferenceTable(
  terms: Terms,
  owners: Uint16Array,
  former: FormerLists | null,
): Uint16Array {
  const { copies, partitionCount } = terms;
  const nodeCount = terms.nodes.length;
  const known = former !== null && hasZones(former, terms, owners) ? former : null;
  if (known !== null && hasOwners(known, terms, owners)) return known.preference;
  const fallbacks = nodeCount > copies ? new Fallbacks(terms, owners).deal() : new Uint16Array(0);
  const table = new Uint16Array(partitionCount * nodeCount);
  const tail = new Tail(terms);
  for (let partition = 0; partition < partitionCount; partition++) {
    const [start, end] = [partition * nodeCount, (partition + 1) * nodeCount];
    const row = table.subarray(start, end);
    row.set(owners.subarray(partition * copies, (partition + 1) * copies));
    if (nodeCount === copies) continue;
    row[copies] = fallbacks[partition];
    const formerRow = known?.preference.subarray(start, end);
    if (formerRow !== undefined && startsAs(formerRow, row, copies + 1)) row.set(formerRow);
    else tail.fill(row, copies + 1, partition);
  }
  return table;
}

/** Whether a former layout has rows of the same shape, and the same zones, node by node. */
function hasZones(former: FormerLists, terms: Terms, owners: Uint16Array): boolean {
  const { nodes, partitionBits } = former;
  if (partitionBits !== terms.partitionBits || nodes.length !== terms.nodes.length) return false;
  if (former.owners.length !== owners.length) return false;
  const { zoneOf } = new Terms(nodes, partitionBits, terms.copies);
  return startsAs(zoneOf, terms.zoneOf, nodes.length);
}

function hasOwners(former: FormerLists, terms: Terms, owners: Uint16Array): boolean {
  return (
    terms.nodes.every(({ capacity }, node) => capacity === former.nodes[node].capacity) &&
    startsAs(former.owners, owners, owners.length)
  );
}

function startsAs(left: Uint16Array, right: Uint16Array, length: number): boolean {
  for (let index = 0; index < length; index++) if (left[index] !== right[index]) return false;
  return true;
}

/** Deals the first place past the owners. */
class Fallbacks {
  readonly #terms: Terms;
  readonly #owners: Uint16Array;
  readonly #fallbacks: Uint16Array;
  /** Owner, fallback → partitions in which that fallback stands in for that owner. */
  readonly #standIns: Uint32Array;
  readonly #isOwner: Uint8Array;
  readonly #zoneHits: Uint8Array;

  constructor(terms: Terms, owners: Uint16Array) {
    const nodeCount = terms.nodes.length;
    this.#terms = terms;
    this.#owners = owners;
    this.#fallbacks = new Uint16Array(terms.partitionCount);
    this.#standIns = new Uint32Array(nodeCount * nodeCount);
    this.#isOwner = new Uint8Array(nodeCount);
    this.#zoneHits = new Uint8Array(terms.zoneCount);
  }

  deal(): Uint16Array {
    const { partitionCount } = this.#terms;
    for (let partition = 0; partition < partitionCount; partition++) {
      this.#choose(partition);
      this.#count(partition, 1);
    }
    for (let pass = 0; pass < EVENING_PASSES_MAX; pass++) {
      let changes = 0;
      for (let partition = 0; partition < partitionCount; partition++) {
        const before = this.#fallbacks[partition];
        this.#count(partition, -1);
        this.#choose(partition);
        this.#count(partition, 1);
        if (this.#fallbacks[partition] !== before) changes++;
      }
      if (changes === 0) break;
    }
    return this.#fallbacks;
  }

  #count(partition: number, sign: number): void {
    const { copies, nodes } = this.#terms;
    const fallback = this.#fallbacks[partition];
    for (let slot = partition * copies; slot < (partition + 1) * copies; slot++) {
      this.#standIns[this.#owners[slot] * nodes.length + fallback] += sign;
    }
  }

  /** Of the nodes in the zones that the owners use least: who stands in for these owners least. */
  #choose(partition: number): void {
    const { nodes, zoneOf } = this.#terms;
    this.#mark(partition, 1);
    let best = -1;
    let bestLoad = 0;
    for (let node = 0; node < nodes.length; node++) {
      if (this.#isOwner[node] === 1) continue;
      const zoneLead =
        best < 0 ? -1 : this.#zoneHits[zoneOf[node]] - this.#zoneHits[zoneOf[best]];
      if (zoneLead > 0) continue;
      const load = this.#load(partition, node) / nodes[node].capacity;
      if (zoneLead === 0 && load >= bestLoad) continue;
      best = node;
      bestLoad = load;
    }
    this.#fallbacks[partition] = best;
    this.#mark(partition, -1);
  }

  /** What one partition more would add to a node's squared stand-ins, but for its capacity. */
  #load(partition: number, node: number): number {
    const { copies, nodes } = this.#terms;
    let load = 0;
    for (let slot = partition * copies; slot < (partition + 1) * copies; slot++) {
      load += 2 * this.#standIns[this.#owners[slot] * nodes.length + node] + 1;
    }
    return load;
  }

  #mark(partition: number, sign: number): void {
    const { copies, zoneOf } = this.#terms;
    for (let slot = partition * copies; slot < (partition + 1) * copies; slot++) {
      this.#isOwner[this.#owners[slot]] += sign;
      this.#zoneHits[zoneOf[this.#owners[slot]]] += sign;
    }
  }
}

/** Fills up rows with the nodes that they do not name yet. */
class Tail {
  readonly #terms: Terms;
  readonly #isNamed: Uint8Array;
  readonly #zoneHits: Uint16Array;
  readonly #others: Uint16Array;
  /** Per node in `#others`: how many of its zone come before it in the row. */
  readonly #rounds: Uint16Array;

  constructor(terms: Terms) {
    const nodeCount = terms.nodes.length;
    this.#terms = terms;
    this.#isNamed = new Uint8Array(nodeCount);
    this.#zoneHits = new Uint16Array(terms.zoneCount);
    this.#others = new Uint16Array(nodeCount);
    this.#rounds = new Uint16Array(nodeCount);
  }

  /** REQUIRES: the first `length` entries of `row` are distinct nodes. */
  fill(row: Uint16Array, length: number, partition: number): void {
    const { zoneOf } = this.#terms;
    const otherCount = this.#collect(row, length, partition);
    let roundMax = 0;
    for (let index = 0; index < otherCount; index++) {
      const round = this.#zoneHits[zoneOf[this.#others[index]]]++;
      this.#rounds[index] = round;
      if (round > roundMax) roundMax = round;
    }
    this.#placeByRound(row, length, otherCount, roundMax);
  }

  /** Scatters the nodes that the row lacks into `#others`, counts zones of those it has. */
  #collect(row: Uint16Array, length: number, partition: number): number {
    this.#isNamed.fill(0);
    this.#zoneHits.fill(0);
    for (let index = 0; index < length; index++) {
      this.#isNamed[row[index]] = 1;
      this.#zoneHits[this.#terms.zoneOf[row[index]]]++;
    }
    let otherCount = 0;
    for (let node = 0; node < row.length; node++) {
      if (this.#isNamed[node] === 0) this.#others[otherCount++] = node;
    }
    new Scatter(partition).shuffle(this.#others, otherCount);
    return otherCount;
  }

  /** A counting sort: it keeps the scattered order within a round. */
  #placeByRound(row: Uint16Array, start: number, otherCount: number, roundMax: number): void {
    const places = new Uint16Array(roundMax + 2);
    for (let index = 0; index < otherCount; index++) places[this.#rounds[index] + 1]++;
    for (let round = 1; round <= roundMax; round++) places[round] += places[round - 1];
    for (let index = 0; index < otherCount; index++) {
      row[start + places[this.#rounds[index]]++] = this.#others[index];
    }
  }
}
