/**
 * Who owns which partition: strategy 3 of the Dynamo paper (section 6.2).
 *
 * The ring is cut in Q equal partitions, and which nodes hold one is a free choice, apart from
 * where it lies. A layout is that choice:
 *
 *   nodes ──► quota       how many slots each gets          placement/quota
 *         ──► rows        the first layout, or              placement/first-deal
 *                         the fewest moves from the last    placement/rebalance
 *         ──► order       who of the owners comes first     placement/owner-order
 *         ──► preference  and who stands in for them        placement/preference
 *
 * What every layout keeps (distinct nodes, then zones, then capacity) is said in placement/terms.
 *
 * Everything here is integers, divisions and fixed orders: the same input gives the same bytes on every
 * node and every runtime. It is cold code, for changes of membership; the hot path reads its tables
 * (ring).
 */

import { dealRows } from "./placement/first-deal.ts";
import { orderOwners } from "./placement/owner-order.ts";
import { preferenceTable } from "./placement/preference.ts";
import type { FormerLists } from "./placement/preference.ts";
import { quotasOf } from "./placement/quota.ts";
import { rebalanceRows } from "./placement/rebalance.ts";
import type { Inheritance } from "./placement/rebalance.ts";
import { Terms } from "./placement/terms.ts";
import type { PlacementNode } from "./placement/terms.ts";

export type { FormerLists } from "./placement/preference.ts";
export type { PlacementNode } from "./placement/terms.ts";

/** A layout to go on from: whole rows of owners, indexes into its own `nodes`. */
export interface FormerLayout {
  readonly nodes: readonly PlacementNode[];
  readonly owners: Uint16Array;
}

export interface PlacementRequest {
  /** Nodes by a fixed order (by id, say): owners are indexes into this list. */
  readonly nodes: readonly PlacementNode[];
  /** Q = 2 ^ partitionBits partitions. */
  readonly partitionBits: number;
  /** N: copies of each partition, as far as there are nodes. */
  readonly replicas: number;
  /** The layout that this one follows; absent for the first. */
  readonly former?: FormerLayout;
}

export interface Assignment {
  readonly nodes: readonly PlacementNode[];
  readonly partitionBits: number;
  /** Copies of each partition: min(replicas, nodes). */
  readonly copies: number;
  /** Q rows of `copies` indexes into `nodes`, in order of preference. */
  readonly owners: Uint16Array;
  /** Replica slots that each node holds. */
  readonly slots: Uint32Array;
  /** Slots whose owner did not own that partition in the former layout. */
  readonly movedSlots: number;
}

/** What a plan shows of a node: shares of all replica slots, from 0 to 1. */
export interface NodeBalance {
  readonly node: PlacementNode;
  readonly slots: number;
  /** In proportion to capacity alone. */
  readonly idealShare: number;
  /** What distinctness, zones and whole slots left of it. */
  readonly reachedShare: number;
}

/**
 * Assigns every partition to `min(replicas, nodes)` nodes, moving no more slots than it must.
 * @throws RangeError where the nodes, the numbers or the former layout do not fit together
 */
export function assign(request: PlacementRequest): Assignment {
  const { nodes, partitionBits } = request;
  const terms = new Terms(nodes, partitionBits, request.replicas);
  const inherited = inherit(terms, request.former ?? { nodes: [], owners: new Uint16Array(0) });
  const held = countSlots(inherited.rows, nodes.length);
  const slots = quotasOf(terms, held);
  const isFirst = held.every((count) => count === 0);
  const owners = isFirst ? dealRows(terms, slots) : rebalanceRows(terms, slots, inherited);
  orderOwners(terms, owners);
  const movedSlots = countMoved(terms, owners, inherited);
  return { nodes, partitionBits, copies: terms.copies, owners, slots, movedSlots };
}

/**
 * Preference lists: Q rows of all nodes, the owners first, in their order, then every other node so
 * that a dead node's load is shared by all. Not to be changed.
 * @param former lists of any other layout: what they have in common with these is not made again
 */
export function preferenceLists(
  layout: Pick<Assignment, "nodes" | "partitionBits" | "owners">,
  former: FormerLists | null = null,
): Uint16Array {
  const { nodes, partitionBits, owners } = layout;
  const copies = owners.length / 2 ** partitionBits;
  return preferenceTable(new Terms(nodes, partitionBits, copies), owners, former);
}

/** Ideal and reached share of every node. */
export function balanceOf(layout: Pick<Assignment, "nodes" | "owners">): NodeBalance[] {
  const slots = countSlots(layout.owners, layout.nodes.length);
  const capacity = layout.nodes.reduce((sum, node) => sum + node.capacity, 0);
  return layout.nodes.map((node, index) => ({
    node,
    slots: slots[index],
    idealShare: node.capacity / capacity,
    reachedShare: slots[index] / layout.owners.length,
  }));
}

/** Load-balance efficiency (paper 6.2, Figure 8): mean load / load of the hottest node. */
export function efficiency(loads: ArrayLike<number>): number {
  let sum = 0;
  let hottest = 0;
  for (let node = 0; node < loads.length; node++) {
    sum += loads[node];
    if (loads[node] > hottest) hottest = loads[node];
  }
  return sum / loads.length / hottest;
}

/** Slots of each node in rows of owners; entries that name no node are passed over. */
export function countSlots(owners: Uint16Array, nodeCount: number): Uint32Array {
  const slots = new Uint32Array(nodeCount);
  for (const node of owners) if (node < nodeCount) slots[node]++;
  return slots;
}

/** The former layout in the new one's numbers. */
function inherit(terms: Terms, former: FormerLayout): Inheritance {
  const width = former.owners.length / terms.partitionCount;
  if (!Number.isInteger(width)) {
    throw new RangeError(
      `Cannot go on from a layout of ${former.owners.length} slots: ` +
        `wanted whole rows for ${terms.partitionCount} partitions`,
    );
  }
  const nobody = terms.nodes.length;
  const numbers = new Map(terms.nodes.map((node, index) => [node.id, index]));
  const renumbered = Uint16Array.from(former.nodes, (node) => numbers.get(node.id) ?? nobody);
  const rows = former.owners.map((owner) => renumbered[owner] ?? nobody);
  return { rows, width };
}

function countMoved(terms: Terms, owners: Uint16Array, inherited: Inheritance): number {
  const { rows, width } = inherited;
  let moved = 0;
  for (let slot = 0; slot < owners.length; slot++) {
    const start = Math.floor(slot / terms.copies) * width;
    const found = rows.indexOf(owners[slot], start);
    if (found < 0 || found >= start + width) moved++;
  }
  return moved;
}
