/** Who owns which partitions, by one layout or several. */

import type { Layout } from "../membership/layout.ts";

/** Which partitions a node owns in any of the layouts: a byte each. */
export function ownedPartitions(layouts: readonly Layout[], id: string): Uint8Array {
  const owned = new Uint8Array(layouts[0].partitions);
  for (const layout of layouts) {
    const index = layout.indexOf(id);
    if (index < 0) continue;
    for (let slot = 0; slot < layout.owners.length; slot++) {
      if (layout.owners[slot] !== index) continue;
      owned[Math.floor(slot / layout.ownersPerPartition)] = 1;
    }
  }
  return owned;
}

/** Ids of the owners of a partition. */
export function ownersOf(layout: Layout, partition: number): string[] {
  const start = partition * layout.ownersPerPartition;
  const owners: string[] = [];
  for (let rank = 0; rank < layout.ownersPerPartition; rank++) {
    owners.push(layout.nodes[layout.owners[start + rank]].id);
  }
  return owners;
}

