/**
 * How many replica slots each node is to hold: in proportion to capacity, as far as the terms let
 * it.
 *
 * Slots are granted one by one, each to the node with the smallest (2 · granted + 1) / capacity:
 * the divisor method of Sainte-Laguë, which lands on the nearest whole share, in exact integers. A
 * divisor method is chosen over largest remainders because it is monotone: when a node joins, no
 * other node's quota rises, and when one goes, no other's falls. So a join moves slots to the new
 * node alone and a removal moves those of the removed node alone; largest remainders now and then
 * move one between two bystanders.
 *
 * Bounds: no node more than Q (it holds a partition once). With as many zones as copies or more, no
 * zone more than Q (a row visits it at most once); with fewer, no zone less than Q (each row must
 * visit it), so each zone is granted its Q first. Bounds that nest like this (node in zone in
 * cluster) leave the greedy grant optimal, and leave a placement that reaches all quotas.
 *
 * Ties go to nodes that held more before, so that rounding moves nothing, then by index.
 */

import type { Terms } from "./terms.ts";

/**
 * The quota of each node; they add up to copies · Q.
 * @param held slots that each node has held before this change; zeros for a first layout
 */
export function quotasOf(terms: Terms, held: Uint32Array): Uint32Array {
  const grants = new Grants(terms, held);
  const { copies, partitionCount, zoneCount } = terms;
  if (zoneCount >= copies) {
    grants.grant(everyNode(terms), copies * partitionCount, partitionCount);
    return grants.quotas;
  }
  for (let zone = 0; zone < zoneCount; zone++) {
    grants.grant(nodesOfZone(terms, zone), partitionCount, partitionCount);
  }
  grants.grant(everyNode(terms), (copies - zoneCount) * partitionCount, copies * partitionCount);
  return grants.quotas;
}

/** The nodes of a zone, by rising index. */
export function nodesOfZone(terms: Terms, zone: number): Uint16Array {
  return everyNode(terms).filter((node) => terms.zoneOf[node] === zone);
}

function everyNode(terms: Terms): Uint16Array {
  return Uint16Array.from(terms.nodes, (_, node) => node);
}

/** Grants slots; the nodes that still want one wait in a binary heap, the most entitled on top. */
class Grants {
  readonly quotas: Uint32Array;
  readonly #terms: Terms;
  readonly #held: Uint32Array;
  readonly #zoneTotals: Uint32Array;
  #heap: Uint16Array;
  #heapLength: number;

  constructor(terms: Terms, held: Uint32Array) {
    this.quotas = new Uint32Array(terms.nodes.length);
    this.#terms = terms;
    this.#held = held;
    this.#zoneTotals = new Uint32Array(terms.zoneCount);
    this.#heap = new Uint16Array(0);
    this.#heapLength = 0;
  }

  /** Grants `slotCount` slots among `nodes`, no zone beyond `zoneMax` in all. */
  grant(nodes: Uint16Array, slotCount: number, zoneMax: number): void {
    const { partitionCount, zoneOf } = this.#terms;
    this.#heap = nodes;
    this.#heapLength = nodes.length;
    for (let index = (nodes.length >> 1) - 1; index >= 0; index--) this.#sink(index);
    let left = slotCount;
    while (left > 0) {
      const node = this.#heap[0];
      if (this.quotas[node] === partitionCount || this.#zoneTotals[zoneOf[node]] === zoneMax) {
        this.#heap[0] = this.#heap[--this.#heapLength];
      } else {
        this.quotas[node]++;
        this.#zoneTotals[zoneOf[node]]++;
        left--;
      }
      this.#sink(0);
    }
  }

  #sink(start: number): void {
    const heap = this.#heap;
    let parent = start;
    for (let child = 2 * parent + 1; child < this.#heapLength; child = 2 * parent + 1) {
      if (child + 1 < this.#heapLength && this.#precedes(heap[child + 1], heap[child])) child++;
      if (!this.#precedes(heap[child], heap[parent])) return;
      const moved = heap[parent];
      heap[parent] = heap[child];
      heap[child] = moved;
      parent = child;
    }
  }

  /** True where `left` is to get a slot before `right`; a total order. */
  #precedes(left: number, right: number): boolean {
    const { nodes } = this.#terms;
    const leftWaits = (2 * this.quotas[left] + 1) * nodes[right].capacity;
    const rightWaits = (2 * this.quotas[right] + 1) * nodes[left].capacity;
    if (leftWaits !== rightWaits) return leftWaits < rightWaits;
    const leftHeldMore = this.#held[left] > this.quotas[left];
    const rightHeldMore = this.#held[right] > this.quotas[right];
    return leftHeldMore === rightHeldMore ? left < right : leftHeldMore;
  }
}
