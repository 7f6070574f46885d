/**
 * Truncation: the oldest entries leave the clock of a new version (Dynamo 4.4). Only the
 * coordinator truncates, in the event that makes the version (core/version-event); a merge never.
 *
 *   (a,3) 10:02   (b,7) 09:15   (c,1) 09:40 pinned   (d,2) 11:30 live      limit 2
 *                  └─ the oldest that may go: it goes
 *
 *   stays   what covers a live version: no write is lost
 *           what the coordinator itself wrote: an actor never forgets a dot of its own
 *           what is pinned, and everything while a tombstone lives: no delete comes undone
 *
 * Why it may return an old value, but never a deleted one. A dead version whose entry is gone may
 * come back from a stale copy as a false sibling. But the event of a tombstone (and of a version
 * that expires: a tombstone to be) pins each entry of its clock; merging keeps pins; pinned entries
 * are never dropped. So every state that has met a delete covers its past for good, and one that has
 * not met it yet will when they meet. (What was truncated before the delete was made is no part of
 * its past.) Pinned entries do not count against the limit: or else, once they fill it, all that is
 * new would go.
 *
 * Nor is a write ever lost by it: a clock that claims less kills less.
 */

import {
  compareStamps,
  ENTRY_BYTES,
  entryCovers,
  isPinned,
  sameActor,
  STAMP_AT,
} from "./clock-entry.ts";
import { clockRemove } from "./vector-clock.ts";
import { endsObject, versionOffset } from "./version-set.ts";

/**
 * Drops the oldest entries that may go, until `entriesMax` without a pin are left; returns how many
 * are left. The clock lies behind the versions of a head under construction.
 * @param own the dot that the coordinator has just made: entries of its actor stay
 * @hot
 */
export function truncateClock(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  entries: number,
  entriesMax: number,
  own: Uint8Array,
  ownAt: number,
): number {
  if (entries <= entriesMax || holdsEnding(target, targetHead, versions)) return entries;
  const clock = versionOffset(targetHead, versions);
  for (let excess = countUnpinned(target, clock, entries) - entriesMax; excess > 0; excess--) {
    let oldest = -1;
    for (let index = 0; index < entries; index++) {
      const entry = clock + index * ENTRY_BYTES;
      if (isPinned(target, entry) || sameActor(target, entry, own, ownAt)) continue;
      if (coversLive(target, targetHead, versions, entry)) continue;
      if (oldest < 0 || isOlder(target, entry, clock + oldest * ENTRY_BYTES)) oldest = index;
    }
    if (oldest < 0) return entries;
    entries = clockRemove(target, clock, entries, oldest);
  }
  return entries;
}

function countUnpinned(bytes: Uint8Array, clock: number, entries: number): number {
  let count = 0;
  for (let index = 0; index < entries; index++) {
    if (!isPinned(bytes, clock + index * ENTRY_BYTES)) count++;
  }
  return count;
}

function isOlder(bytes: Uint8Array, entry: number, other: number): boolean {
  return compareStamps(bytes, entry + STAMP_AT, bytes, other + STAMP_AT) < 0;
}

/** Whether a live version is, or will be, a tombstone. */
function holdsEnding(bytes: Uint8Array, head: number, versions: number): boolean {
  for (let index = 0; index < versions; index++) {
    if (endsObject(bytes, versionOffset(head, index))) return true;
  }
  return false;
}

function coversLive(bytes: Uint8Array, head: number, versions: number, entry: number): boolean {
  for (let index = 0; index < versions; index++) {
    if (entryCovers(bytes, entry, bytes, versionOffset(head, index))) return true;
  }
  return false;
}
