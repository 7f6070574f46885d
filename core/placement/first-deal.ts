/**
 * The first layout of a cluster: quotas in, rows out, nothing to keep.
 *
 * Partitions are dealt one after the other by *systematic sampling*. With `left` partitions to go,
 * lay the nodes end to end, each as long as the slots it has still to get, zone beside zone; the
 * line is copies · left long. A comb of `copies` teeth, `left` apart, laid on it at a scattered
 * offset, picks the row:
 *
 *   zone 1 ────────────────┐┌─ zone 2 ───────┐┌─ zone 3 ──────
 *   │  a   │     c    │ b  ││   d   │   e    ││   f   │  g   │
 *          ▲                    ▲                    ▲
 *          └────── left ────────┴────── left ────────┘
 *
 *   - no node is longer than `left`, so no node is hit twice;
 *   - a zone no longer than `left` is hit at most once, one at least as long at least once;
 *   - all three bounds still hold for `left` - 1 afterwards, so quotas and terms are met exactly,
 *     with no search and no repair.
 *
 * The order of zones and of the nodes in them is scattered anew for each partition, so that each
 * node shares partitions with all others about equally.
 */

import { nodesOfZone } from "./quota.ts";
import { Scatter } from "./scatter.ts";
import type { Terms } from "./terms.ts";

/** Rows of `terms.copies` owners for each partition; node i gets `quotas[i]` slots exactly. */
export function dealRows(terms: Terms, quotas: Uint32Array): Uint16Array {
  const { copies, partitionCount, zoneCount } = terms;
  const owners = new Uint16Array(partitionCount * copies);
  const remaining = quotas.slice();
  const scatter = new Scatter(partitionCount);
  const zones = Uint16Array.from({ length: zoneCount }, (_, zone) => zone);
  const nodes = Array.from(zones, (zone) => nodesOfZone(terms, zone));
  for (let partition = 0; partition < partitionCount; partition++) {
    const left = partitionCount - partition;
    let tooth = scatter.below(left);
    let end = 0;
    let slot = partition * copies;
    scatter.shuffle(zones, zoneCount);
    for (const zone of zones) {
      scatter.shuffle(nodes[zone], nodes[zone].length);
      for (const node of nodes[zone]) {
        end += remaining[node];
        if (tooth >= end) continue;
        owners[slot++] = node;
        remaining[node]--;
        tooth += left;
      }
    }
  }
  return owners;
}
