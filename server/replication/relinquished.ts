/**
 * What this node owns in a live layout and not in the newest: its new owners have to have it before the
 * newest counts.
 *
 *   put, W=1 ──► here alone    new layout, without this node    get, R=3 ──► must find it
 *
 * A new owner becomes complete by one complete replica, and that one need not have a write that fewer
 * than all acknowledged. Quorums of a layout meet the writes of the one before only if all who go have
 * shown what they hold to all who own it from now on. So a node that is to own less compares with each
 * of the newest owners, and says that it is synced (LiveLayouts.syncTarget) only after that.
 */

import type { Layout } from "../membership/layout.ts";
import { ownedPartitions, ownersOf } from "./ownership.ts";

export class Relinquished {
  /** The newest layout when the comparisons were made: with another one they begin anew. */
  #number = 0;
  /** Peers that a partition was compared with, by its number. */
  readonly #compared = new Map<number, Set<string>>();

  /** A comparison that began when all members had adopted layout `number` ended well. */
  compared(number: number, partition: number, peer: string): void {
    if (number !== this.#number) return;
    const peers = this.#compared.get(partition) ?? new Set<string>();
    this.#compared.set(partition, peers.add(peer));
  }

  /**
   * Who still has to be shown what is held here.
   * @param layouts all live ones, oldest first
   */
  pending(layouts: readonly Layout[], self: string): Set<string> {
    const newest = layouts[layouts.length - 1];
    const ids = new Set<string>();
    if (layouts.length < 2) return ids;
    this.#begin(newest.number);
    const owned = ownedPartitions(layouts, self);
    const kept = ownedPartitions([newest], self);
    for (let partition = 0; partition < owned.length; partition++) {
      if (owned[partition] === 0 || kept[partition] === 1) continue;
      const seen = this.#compared.get(partition);
      for (const id of ownersOf(newest, partition)) if (seen?.has(id) !== true) ids.add(id);
    }
    return ids;
  }

  #begin(number: number): void {
    if (number === this.#number) return;
    this.#number = number;
    this.#compared.clear();
  }
}
