/**
 * From one layout to the next with as few moved slots as the quotas allow.
 *
 * Every node has a count of slots and a quota; a hole counts as held by *nobody*, whose quota is 0.
 * Slots go from where there are too many to where there are too few along *hops*: in one partition,
 * node a hands its slot to node b.
 *
 *   surplus ──p──► node ──q──► node ──r──► deficit      each arrow: one partition changes one owner
 *
 * A hop costs +1 where it makes a slot moved, -1 where it takes such a move back, 0 where neither
 * or both (a slot is *moved* if its owner did not own that partition before). This is the
 * minimum-cost flow of successive cheapest paths, on a graph with one vertex a node instead of one
 * a slot: between two nodes it only counts, for each cost, the partitions that could make the hop.
 * A join is then a few hundred paths of one hop; longer ones appear where zones or distinctness
 * stand in the way.
 *
 * Of equally cheap partitions the one is taken that evens out which nodes share partitions: a dead
 * node's work and the repair of a lost disk fall on its partners.
 *
 * Invariant after every hop: rows name a node at most once and have at most `repeatsMax` repeats,
 * so whatever order things happen in, no illegal row can come out.
 */

import type { Terms } from "./terms.ts";

/** An odd step visits all partitions (a power of two) in an order without a pattern. */
const PARTITION_STEP = 0x9e3779b1;
/** Partitions to choose from for a hop: more spread partners better and take longer. */
const CANDIDATES_MAX = 32;
const UNREACHED = 0x7fffffff;
const FORBIDDEN = 2;

const WORD_BITS = 32;
const WORD_SHIFT = 5;
const LAST_BIT = 31;

/** A layout to go on from, its nodes numbered as in the new one. */
export interface Inheritance {
  /**
   * Owners of each partition, `width` a row; `nobody` (the number of nodes) for nodes that are
   * gone.
   */
  readonly rows: Uint16Array;
  readonly width: number;
}

/** Rows of `terms.copies` owners in which node i has `quotas[i]` slots. */
export function rebalanceRows(
  terms: Terms,
  quotas: Uint32Array,
  inherited: Inheritance,
): Uint16Array {
  const rebalance = new Rebalance(terms, quotas, inherited);
  rebalance.run();
  return rebalance.rows;
}

class Rebalance {
  readonly rows: Uint16Array;
  readonly #terms: Terms;
  readonly #quotas: Uint32Array;
  readonly #inherited: Inheritance;
  /** The index that stands for a hole's holder. */
  readonly #nobody: number;
  /** Node → slots above (or below) its quota; nobody: the holes. */
  readonly #surplus: Int32Array;
  /** Cost + 1, source, target → partitions in which that hop is open. */
  readonly #hops: Int32Array;
  readonly #hopsPerCost: number;
  /** A bit for each of these counts that is not 0: a search looks at 32 targets at once. */
  readonly #open: Int32Array;
  readonly #wordsPerNode: number;
  readonly #wordsPerCost: number;
  /** Node, node → partitions that both own. */
  readonly #pairs: Uint32Array;

  /** Of the row last loaded: members, former owners, members in each zone, repeats. */
  readonly #isMember: Uint8Array;
  readonly #wasOwner: Uint8Array;
  readonly #zoneHits: Uint8Array;
  #repeats = 0;

  /** Of the search under way: price of reaching a node, and the node before it. */
  readonly #price: Int32Array;
  readonly #before: Int32Array;
  /** Where the next look for a partition begins. */
  #cursor = 0;

  constructor(terms: Terms, quotas: Uint32Array, inherited: Inheritance) {
    const nodeCount = terms.nodes.length;
    this.rows = new Uint16Array(terms.partitionCount * terms.copies).fill(nodeCount);
    this.#terms = terms;
    this.#quotas = quotas;
    this.#inherited = inherited;
    this.#nobody = nodeCount;
    this.#surplus = new Int32Array(nodeCount + 1);
    this.#hopsPerCost = (nodeCount + 1) * nodeCount;
    this.#hops = new Int32Array(3 * this.#hopsPerCost);
    this.#wordsPerNode = Math.ceil(nodeCount / WORD_BITS);
    this.#wordsPerCost = (nodeCount + 1) * this.#wordsPerNode;
    this.#open = new Int32Array(3 * this.#wordsPerCost);
    this.#pairs = new Uint32Array(nodeCount * nodeCount);
    this.#isMember = new Uint8Array(nodeCount + 1);
    this.#wasOwner = new Uint8Array(nodeCount + 1);
    this.#zoneHits = new Uint8Array(terms.zoneCount);
    this.#price = new Int32Array(nodeCount + 1);
    this.#before = new Int32Array(nodeCount + 1);
    for (let node = 0; node < nodeCount; node++) this.#surplus[node] = -quotas[node];
    for (const node of inherited.rows) if (node !== nodeCount) this.#surplus[node]++;
    for (let partition = 0; partition < terms.partitionCount; partition++) {
      this.#keepLegal(partition);
      this.#countHops(partition, 1);
    }
    // Each pair of a row is met from both sides here, so every pair counts twice: halved at once.
    for (let slot = 0; slot < this.rows.length; slot++) this.#countPairs(slot, 1);
    for (let pair = 0; pair < this.#pairs.length; pair++) this.#pairs[pair] >>>= 1;
  }

  run(): void {
    let patience = 4 * this.rows.length + 1_000;
    for (;;) {
      const target = this.#search();
      if (target < 0) break;
      if (--patience < 0) throw new Error("Placement does not settle: this is a defect");
      let pushes = this.#pushesAt(target);
      while (pushes-- > 0 && this.#push(target)) continue;
    }
    for (const surplus of this.#surplus) {
      if (surplus !== 0) throw new Error("Placement misses a quota: this is a defect");
    }
  }

  /**
   * Takes over the former owners that a partition may keep; from its row's end, some may have to
   * go.
   */
  #keepLegal(partition: number): void {
    const { copies, repeatsMax, zoneOf } = this.#terms;
    const kept = this.#formerOwners(partition);
    for (const node of kept) this.#zoneHits[zoneOf[node]]++;
    let repeats = kept.length - new Set(kept.map((node) => zoneOf[node])).size;
    while (kept.length > copies || repeats > repeatsMax) {
      const mayGo = (node: number) => repeats <= repeatsMax || this.#zoneHits[zoneOf[node]] > 1;
      const [leaver] = kept.splice(kept.findLastIndex(mayGo), 1);
      if (this.#zoneHits[zoneOf[leaver]]-- > 1) repeats--;
      this.#surplus[leaver]--;
    }
    this.#zoneHits.fill(0);
    this.rows.set(kept, partition * copies);
    this.#surplus[this.#nobody] += copies - kept.length;
  }

  #formerOwners(partition: number): number[] {
    const { rows, width } = this.#inherited;
    const row = rows.subarray(partition * width, (partition + 1) * width);
    return Array.from(row).filter((node) => node !== this.#nobody);
  }

  /** Adds (`sign` 1) or takes off (-1) a partition's open hops. */
  #countHops(partition: number, sign: number): void {
    const { copies } = this.#terms;
    const start = partition * copies;
    this.#load(partition);
    for (let slot = start; slot < start + copies; slot++) {
      const source = this.rows[slot];
      for (let target = 0; target < this.#nobody; target++) {
        const cost = this.#hopCost(source, target);
        if (cost === FORBIDDEN) continue;
        const count = (this.#hops[this.#hopIndex(cost, source, target)] += sign);
        const word = this.#openWord(cost, source, target);
        if (count === 0) this.#open[word] &= ~(1 << target);
        else this.#open[word] |= 1 << target;
      }
      // Holes lie at a row's end, and all holes of a row open the same hops: count them once.
      if (source === this.#nobody) break;
    }
    this.#unload(partition);
  }

  #hopIndex(cost: number, source: number, target: number): number {
    return (cost + 1) * this.#hopsPerCost + source * this.#nobody + target;
  }

  /** The cost of `source` handing its slot to `target` in the loaded row, or FORBIDDEN. */
  #hopCost(source: number, target: number): number {
    if (this.#isMember[target] === 1) return FORBIDDEN;
    const { zoneOf, repeatsMax } = this.#terms;
    let repeats = this.#repeats;
    let targetHits = this.#zoneHits[zoneOf[target]];
    if (source !== this.#nobody) {
      if (this.#zoneHits[zoneOf[source]] > 1) repeats--;
      if (zoneOf[source] === zoneOf[target]) targetHits--;
    }
    if (targetHits > 0) repeats++;
    if (repeats > repeatsMax) return FORBIDDEN;
    return this.#wasOwner[source] - this.#wasOwner[target];
  }

  #load(partition: number): void {
    const { copies, zoneOf } = this.#terms;
    const { rows, width } = this.#inherited;
    this.#repeats = 0;
    for (let slot = partition * copies; slot < (partition + 1) * copies; slot++) {
      const node = this.rows[slot];
      if (node === this.#nobody) continue;
      this.#isMember[node] = 1;
      if (this.#zoneHits[zoneOf[node]]++ > 0) this.#repeats++;
    }
    for (let slot = partition * width; slot < (partition + 1) * width; slot++) {
      if (rows[slot] !== this.#nobody) this.#wasOwner[rows[slot]] = 1;
    }
  }

  #unload(partition: number): void {
    const { copies, zoneOf } = this.#terms;
    const { rows, width } = this.#inherited;
    for (let slot = partition * copies; slot < (partition + 1) * copies; slot++) {
      const node = this.rows[slot];
      if (node === this.#nobody) continue;
      this.#isMember[node] = 0;
      this.#zoneHits[zoneOf[node]] = 0;
    }
    for (let slot = partition * width; slot < (partition + 1) * width; slot++) {
      this.#wasOwner[rows[slot]] = 0;
    }
  }

  /**
   * Prices the cheapest way from any surplus to every node (Bellman and Ford: costs may be
   * negative), fewer hops first among equals. Returns the cheapest node in deficit, the neediest
   * among equals, or -1 where nothing is left to do.
   */
  #search(): number {
    const price = this.#price.fill(UNREACHED);
    let active = this.#sources();
    for (const source of active) {
      price[source] = 0;
      this.#before[source] = -1;
    }
    for (let round = 0; round <= this.#nobody && active.length > 0; round++) {
      active = this.#relax(active);
    }
    let cheapest = -1;
    for (let node = 0; node < this.#nobody; node++) {
      if (this.#surplus[node] >= 0 || price[node] === UNREACHED) continue;
      const lead = cheapest < 0 ? -1 : price[node] - price[cheapest];
      const isNeedier = cheapest < 0 || this.#surplus[node] < this.#surplus[cheapest];
      if (lead < 0 || (lead === 0 && isNeedier)) cheapest = node;
    }
    return cheapest;
  }

  /** Everyone with a surplus, the largest first. */
  #sources(): number[] {
    const surplus = this.#surplus;
    const sources = Array.from(surplus.keys()).filter((node) => surplus[node] > 0);
    return sources.sort((left, right) => surplus[right] - surplus[left] || left - right);
  }

  /** Follows all hops from `active`; returns the nodes that became cheaper. */
  #relax(active: readonly number[]): number[] {
    const cheaper: number[] = [];
    const isQueued = new Uint8Array(this.#nobody + 1);
    let highest = 0;
    for (let node = 0; node < this.#nobody; node++) highest = Math.max(highest, this.#price[node]);
    for (const source of active) this.#relaxFrom(source, highest, cheaper, isQueued);
    return cheaper;
  }

  /**
   * Follows the open hops from one node, targets in order. Costs that are no gain for any target, whose
   * prices are `highest` at most, are left out: nearly all of a large layout's time is spent here (1,000 nodes: 38 s when
   * each hop was looked at, now 2).
   */
  #relaxFrom(source: number, highest: number, cheaper: number[], isQueued: Uint8Array): void {
    const gain = this.#price[source] + this.#hopPrice(-1);
    const even = this.#price[source] + this.#hopPrice(0);
    const loss = this.#price[source] + this.#hopPrice(1);
    let word = this.#openWord(-1, source, 0);
    for (let first = 0; first < this.#nobody; first += WORD_BITS, word++) {
      const gains = gain < highest ? this.#open[word] : 0;
      const evens = even < highest ? this.#open[word + this.#wordsPerCost] : 0;
      const losses = loss < highest ? this.#open[word + 2 * this.#wordsPerCost] : 0;
      let left = gains | evens | losses;
      while (left !== 0) {
        const bit = left & -left;
        left ^= bit;
        const target = first + LAST_BIT - Math.clz32(bit);
        const price = (gains & bit) !== 0 ? gain : (evens & bit) !== 0 ? even : loss;
        if (price >= this.#price[target]) continue;
        this.#price[target] = price;
        this.#before[target] = source;
        if (isQueued[target] === 0) cheaper.push(target);
        isQueued[target] = 1;
      }
    }
  }

  /** Where the word of a hop's bit lies. */
  #openWord(cost: number, source: number, target: number): number {
    return (cost + 1) * this.#wordsPerCost + source * this.#wordsPerNode + (target >>> WORD_SHIFT);
  }

  #cheapestHop(source: number, target: number): number {
    for (let cost = -1; cost < FORBIDDEN; cost++) {
      if (this.#hops[this.#hopIndex(cost, source, target)] > 0) return cost;
    }
    return FORBIDDEN;
  }

  /**
   * How often to use one path before looking again: a part of the need, so that donors take turns.
   */
  #pushesAt(target: number): number {
    return Math.max(1, -this.#surplus[target] >> 3);
  }

  /** Moves one slot along the path to `target`; false where the path is used up. */
  #push(target: number): boolean {
    const path = this.#pathTo(target);
    if (this.#surplus[target] >= 0 || this.#surplus[path[0]] <= 0) return false;
    if (this.#priceOf(path) !== this.#price[target]) return false;
    for (let index = 0; index + 1 < path.length; index++) {
      if (!this.#hop(path[index], path[index + 1])) return false;
    }
    return true;
  }

  /** What a path costs now: earlier pushes may have used up its cheapest hops. */
  #priceOf(path: readonly number[]): number {
    let price = 0;
    for (let index = 0; index + 1 < path.length; index++) {
      price += this.#hopPrice(this.#cheapestHop(path[index], path[index + 1]));
    }
    return price;
  }

  /** Cost before everything else, then the number of hops: a path has at most one a node. */
  #hopPrice(cost: number): number {
    return cost * (this.#nobody + 2) + 1;
  }

  /** The nodes from a surplus to `target`. */
  #pathTo(target: number): number[] {
    const path = [target];
    for (let node = this.#before[target]; node >= 0; node = this.#before[node]) {
      path.unshift(node);
      if (path.length > this.#nobody + 1) throw new Error("Placement runs in a circle: a defect");
    }
    return path;
  }

  /** One hop at its cheapest; false where none is open. */
  #hop(source: number, target: number): boolean {
    const cost = this.#cheapestHop(source, target);
    if (cost === FORBIDDEN) return false;
    const slot = this.#findSlot(source, target, cost);
    const partition = Math.floor(slot / this.#terms.copies);
    this.#countHops(partition, -1);
    this.#countPairs(slot, -1);
    this.rows[slot] = target;
    this.#countPairs(slot, 1);
    this.#countHops(partition, 1);
    this.#surplus[source]--;
    this.#surplus[target]++;
    return true;
  }

  /**
   * Of the first candidates for a hop, the slot that leaves partners most even.
   * REQUIRES: the count of that hop is above zero.
   */
  #findSlot(source: number, target: number, cost: number): number {
    const { copies, partitionCount } = this.#terms;
    let best = -1;
    let bestCrowding = 0;
    let candidates = 0;
    for (let looks = 0; looks < partitionCount && candidates < CANDIDATES_MAX; looks++) {
      const partition = Math.imul(this.#cursor++, PARTITION_STEP) & (partitionCount - 1);
      const slot = this.#slotOf(source, partition * copies);
      if (slot < 0 || !this.#isOpen(partition, source, target, cost)) continue;
      const crowding = this.#crowding(slot, target);
      if (best < 0 || crowding < bestCrowding) {
        best = slot;
        bestCrowding = crowding;
      }
      candidates++;
    }
    return best;
  }

  /** Where in the row from `start` on a node is; -1 where it is not. */
  #slotOf(node: number, start: number): number {
    for (let slot = start; slot < start + this.#terms.copies; slot++) {
      if (this.rows[slot] === node) return slot;
    }
    return -1;
  }

  #isOpen(partition: number, source: number, target: number, cost: number): boolean {
    this.#load(partition);
    const found = this.#hopCost(source, target) === cost;
    this.#unload(partition);
    return found;
  }

  /**
   * What giving `slot` to `target` would add to the sum over pairs of partitions² / expected ones.
   */
  #crowding(slot: number, target: number): number {
    const source = this.rows[slot];
    const start = slot - (slot % this.#terms.copies);
    let crowding = 0;
    for (let other = start; other < start + this.#terms.copies; other++) {
      const partner = this.rows[other];
      if (other === slot || partner === this.#nobody) continue;
      crowding += (2 * this.#pairs[this.#pairIndex(target, partner)] + 1) / this.#quotas[partner];
      if (source === this.#nobody) continue;
      crowding -= (2 * this.#pairs[this.#pairIndex(source, partner)] - 1) / this.#quotas[partner];
    }
    return crowding;
  }

  /**
   * Adds (`sign` 1) or takes off (-1) the pairs that a slot's owner makes with the rest of its row.
   */
  #countPairs(slot: number, sign: number): void {
    const node = this.rows[slot];
    if (node === this.#nobody) return;
    const start = slot - (slot % this.#terms.copies);
    for (let other = start; other < start + this.#terms.copies; other++) {
      const partner = this.rows[other];
      if (other === slot || partner === this.#nobody) continue;
      this.#pairs[this.#pairIndex(node, partner)] += sign;
      this.#pairs[this.#pairIndex(partner, node)] += sign;
    }
  }

  #pairIndex(node: number, partner: number): number {
    return node * this.#nobody + partner;
  }
}
