/**
 * Read repair (section 5 of the paper): when all replicas that were asked have ended, those that hold less
 * than all together are sent the merge, this node among them.
 *
 * No repair is written to a stand-in: it holds hints, and those go to their owners. The merge carries the label
 * of its reading's beginning, so that one from before a closed round brings nothing back (replication/rounds.ts).
 */

import type { ObjectName } from "../../core/object-name.ts";
import { PURPOSE_REPAIR } from "../../core/replica-frames.ts";
import { headDigestInto } from "../../core/version-set.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Replication } from "../replication/replication.ts";
import type { Slot } from "./gather-slot.ts";

export interface RepairOrder {
  readonly name: ObjectName;
  /** Number of the newest layout of the plan that was read by. */
  readonly layout: number;
  readonly round: number;
  readonly timeoutMs: number;
  /** All that were asked, and what came of it. */
  readonly slots: readonly Slot[];
  /** All that they hold. */
  readonly merged: VersionSet;
  /** Of what was read here; 0, 0: nothing was. */
  readonly localDigest0: number;
  readonly localDigest1: number;
}

const digest = new Uint32Array(2);

export function repairReplicas(replication: Replication, order: RepairOrder): void {
  const { head } = order.merged;
  headDigestInto(head, 0, head.length, digest, 0);
  const isLocalStale = digest[0] !== order.localDigest0 || digest[1] !== order.localDigest1;
  for (const slot of order.slots) {
    if (slot.target.hintFor !== null) continue;
    if (slot.target.member.isSelf) {
      if (isLocalStale) repairHere(replication, order);
    } else if (isStale(slot, head, isLocalStale)) repairThere(replication, slot, order);
  }
}

function isStale(slot: Slot, merged: Uint8Array, isLocalStale: boolean): boolean {
  if (slot.state === "absent" || slot.isDamaged) return true;
  if (slot.state === "agreed") return isLocalStale;
  if (slot.state !== "held" || slot.set === null) return false;
  const { head } = slot.set;
  return head.length !== merged.length || head.some((byte, i) => byte !== merged[i]);
}

function repairHere(replication: Replication, { name, merged, layout, round }: RepairOrder): void {
  replication.objects.restore(name, merged, { layout, round }, (change) => {
    if (change.isChanged) replication.counters.readRepairs++;
  });
}

function repairThere(replication: Replication, slot: Slot, order: RepairOrder): void {
  const { name, merged, timeoutMs, round } = order;
  replication.counters.readRepairs++;
  const how = { purpose: PURPOSE_REPAIR, durable: false, hintFor: null, timeoutMs, round };
  const load = (give: (set: VersionSet | null) => void): void => give(merged);
  replication.deliver(slot.target.member, name, merged, how, load, () => {});
}
