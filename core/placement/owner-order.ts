/**
 * The order of a partition's owners: who coordinates first, who stands in next.
 *
 * Data is the same on all owners, work is not: the first healthy owner coordinates what other nodes
 * forward, and with N = 1 it is the only owner. So the first place is dealt in proportion to slots,
 * and the next places so that a dead node's work goes to all its partners alike.
 *
 * A bucket may have fewer copies than the cluster. Its owners are the first of the row, so as long
 * as a row has an owner in a zone that is not named yet, that one comes next: the first n owners
 * lie in as many zones as n owners can.
 */

import type { Terms } from "./terms.ts";

/** Reorders each row of `owners` in place; which nodes are in it stays as it is. */
export function orderOwners(terms: Terms, owners: Uint16Array): void {
  const slots = new Uint32Array(terms.nodes.length);
  for (const node of owners) slots[node]++;
  dealFirstPlaces(terms, owners, slots);
  dealOtherPlaces(terms, owners);
}

/** First places in proportion to slots: dealt greedily, then evened out until nothing improves. */
function dealFirstPlaces(terms: Terms, owners: Uint16Array, slots: Uint32Array): void {
  const { copies } = terms;
  const firsts = new Uint32Array(slots.length);
  for (let first = 0; first < owners.length; first += copies) {
    let best = first;
    for (let slot = first + 1; slot < first + copies; slot++) {
      const bestNode = owners[best];
      const node = owners[slot];
      const bestLoad = (2 * firsts[bestNode] + 1) * slots[node];
      if ((2 * firsts[node] + 1) * slots[bestNode] < bestLoad) best = slot;
    }
    swap(owners, first, best);
    firsts[owners[first]]++;
  }
  while (evenFirstPlaces(owners, copies, slots, firsts)) continue;
}

/**
 * Gives first places away where that brings both sides nearer to their share. Each exchange lowers
 * the sum of firsts² / slots, so this comes to an end. Returns whether there was any.
 */
function evenFirstPlaces(
  owners: Uint16Array,
  copies: number,
  slots: Uint32Array,
  firsts: Uint32Array,
): boolean {
  let improved = false;
  for (let first = 0; first < owners.length; first += copies) {
    for (let slot = first + 1; slot < first + copies; slot++) {
      const giver = owners[first];
      const taker = owners[slot];
      const kept = (2 * firsts[giver] - 1) * slots[taker];
      const given = (2 * firsts[taker] + 1) * slots[giver];
      if (kept <= given) continue;
      swap(owners, first, slot);
      firsts[giver]--;
      firsts[taker]++;
      improved = true;
    }
  }
  return improved;
}

/** Further places: a fresh zone first; then whoever stands in least often for the first so far. */
function dealOtherPlaces(terms: Terms, owners: Uint16Array): void {
  const { copies, zoneOf } = terms;
  const nodeCount = terms.nodes.length;
  const takeovers = new Uint32Array(nodeCount * nodeCount);
  const zoneHits = new Uint8Array(terms.zoneCount);
  for (let first = 0; first < owners.length; first += copies) {
    const end = first + copies;
    const takeoverRow = owners[first] * nodeCount;
    zoneHits[zoneOf[owners[first]]] = 1;
    for (let place = first + 1; place < end; place++) {
      let best = place;
      for (let slot = place + 1; slot < end; slot++) {
        const zoneLead = zoneHits[zoneOf[owners[slot]]] - zoneHits[zoneOf[owners[best]]];
        const lead = takeovers[takeoverRow + owners[slot]] - takeovers[takeoverRow + owners[best]];
        if (zoneLead < 0 || (zoneLead === 0 && lead < 0)) best = slot;
      }
      swap(owners, place, best);
      zoneHits[zoneOf[owners[place]]] = 1;
      if (place === first + 1) takeovers[takeoverRow + owners[place]]++;
    }
    for (let slot = first; slot < end; slot++) zoneHits[zoneOf[owners[slot]]] = 0;
  }
}

function swap(list: Uint16Array, left: number, right: number): void {
  const moved = list[left];
  list[left] = list[right];
  list[right] = moved;
}
