/**
 * The event that makes a version: a coordinator's put or delete, on top of what it holds.
 *
 *      held     {x, y}  seen x y         the context has seen x: x goes, y stays as a sibling
 *      context  seen x
 *      new dot  z                   ──►  {y, z}  seen x y z
 *
 * What the context has seen goes, and nothing else: two writes with one context through one
 * coordinator are both kept, since each new dot stands for itself (a plain vector clock would lose
 * one of them). Then the rules for twins and for lww (core/version-rules), and truncation (Dynamo
 * 4.4).
 *
 * Why truncation may return an old value, but never a deleted one. It takes the oldest entries out
 * of the clock; a dead version whose entry is gone may come back from a stale copy as a false
 * sibling. But the event of a tombstone (and of a version that expires: a tombstone to be) pins
 * each entry of its clock; merging keeps pins; pinned entries are never dropped. So every state
 * that has met a delete covers its past for good, and one that has not met it yet will when they
 * meet. While a tombstone lives nothing is dropped at all. (What was truncated before the delete
 * was made is no part of its past.) Nor is a write ever lost by it: entries that cover live
 * versions stay, and a clock that claims less kills less. The coordinator's own entries stay, so
 * that an actor never forgets a dot of its own.
 */

import { copyBytes } from "./bytes.ts";
import {
  compareDots,
  compareStamps,
  ENTRY_BYTES,
  entryCovers,
  isPinned,
  isSingle,
  PAIR,
  sameActor,
  SINGLE,
  STAMP_AT,
} from "./clock-entry.ts";
import {
  clockCovers,
  clockIncrement,
  clockMergeInto,
  clockPinAll,
  clockRemove,
} from "./vector-clock.ts";
import { areTwins, dropTwinsOfDead, keepLastWrite } from "./version-rules.ts";
import {
  clockCount,
  clockOffset,
  endsObject,
  findDotAmong,
  HEAD_BYTES,
  headLength,
  isLive,
  VERSION_BYTES,
  versionCount,
  versionOffset,
  writeHeadCounts,
} from "./version-set.ts";

/** sources[i] of an event's new version. */
export const FROM_EVENT = -1;

/** Clock entries that the latest eventInto dropped. */
export let entriesTruncated = 0;

/** Room that eventInto needs. `sources` needs one more than the held versions. */
export function eventLengthMax(held: Uint8Array, heldHead: number, contextCount: number): number {
  const added = VERSION_BYTES + (contextCount + 1) * ENTRY_BYTES;
  return HEAD_BYTES + headLength(held, heldHead) + added;
}

/**
 * A new version on top of what is held; returns the length of the result. `entriesTruncated` says
 * how many clock entries went; sources[i] is the held version that version i is, or FROM_EVENT.
 *
 * REQUIRES: held and context are well-formed; the version's dot is new, its stamp is greater than
 * any in held and context (a later write must win over what it saw); the target overlaps nothing.
 * @param context clock entries at context[contextOffset..]: what the writer has seen
 * @param version a version entry, 56 bytes at version[versionAt..]
 * @param dotAsPair 1: the coordinator is a complete primary that has never forgotten a dot of its
 *   own for this object, so that the dot says "and all of mine before it"; 0: the dot alone
 * @param entriesMax clock entries, pinned ones apart, beyond which the oldest go as far as they may
 */
export function eventInto(
  held: Uint8Array,
  heldHead: number,
  context: Uint8Array,
  contextOffset: number,
  contextCount: number,
  version: Uint8Array,
  versionAt: number,
  dotAsPair: number,
  entriesMax: number,
  target: Uint8Array,
  targetHead: number,
  sources: Int32Array,
): number {
  let versions = keepUnseenInto(
    held,
    heldHead,
    context,
    contextOffset,
    contextCount,
    target,
    targetHead,
    sources,
  );
  versions = dropTwinsOfDead(held, heldHead, target, targetHead, versions, sources);
  versions = insertVersion(target, targetHead, versions, version, versionAt, sources);
  versions = keepLastWrite(target, targetHead, versions, sources);
  assertLive(target, targetHead, versions, version, versionAt);
  const clock = versionOffset(targetHead, versions);
  const heldClock = clockOffset(held, heldHead);
  const heldCount = clockCount(held, heldHead);
  let entries = clockMergeInto(
    held,
    heldClock,
    heldCount,
    context,
    contextOffset,
    contextCount,
    target,
    clock,
  );
  assertUnseen(target, clock, entries, version, versionAt);
  const kind = dotAsPair === 1 ? PAIR : SINGLE;
  entries = clockIncrement(target, clock, entries, version, versionAt, kind);
  if (endsObject(version, versionAt)) clockPinAll(target, clock, entries);
  const kept = truncate(target, targetHead, versions, entries, entriesMax, version, versionAt);
  entriesTruncated = entries - kept;
  return writeHeadCounts(target, targetHead, versions, kept);
}

/**
 * What a client is to carry after its put: the context it gave and the new dot alone (honest
 * clocks: it was shown nothing else); returns the count of entries. Those single dots of the given
 * context are left out whose versions the put superseded for good: the state with the new dot
 * covers them, wherever it arrives; so the context of a client that goes on from its own puts does
 * not grow. After a delete all stay, pinned: the client's next put may be made where neither the
 * delete nor its past is known yet.
 *
 * REQUIRES: room for contextCount + 1 entries, and one for each twin, at the target
 * @param head the head after the event
 */
export function contextAfterPutInto(
  context: Uint8Array,
  contextOffset: number,
  contextCount: number,
  head: Uint8Array,
  headOffset: number,
  version: Uint8Array,
  versionAt: number,
  target: Uint8Array,
  targetOffset: number,
): number {
  const clock = clockOffset(head, headOffset);
  const clockEntries = clockCount(head, headOffset);
  const ends = endsObject(version, versionAt);
  let count = 0;
  for (let index = 0; index < contextCount; index++) {
    const entry = contextOffset + index * ENTRY_BYTES;
    const isCovered = !ends &&
      isSingle(context, entry) &&
      clockCovers(head, clock, clockEntries, context, entry) &&
      !isLive(head, headOffset, context, entry);
    if (isCovered) continue;
    copyBytes(context, entry, target, targetOffset + count * ENTRY_BYTES, ENTRY_BYTES);
    count++;
  }
  count = clockIncrement(target, targetOffset, count, version, versionAt, SINGLE);
  for (let index = versionCount(head, headOffset) - 1; index >= 0; index--) {
    const other = versionOffset(headOffset, index);
    if (!areTwins(head, other, version, versionAt)) continue;
    count = clockIncrement(target, targetOffset, count, head, other, SINGLE);
  }
  if (ends) clockPinAll(target, targetOffset, count);
  return count;
}

/** The held versions that the context has not seen; returns how many. */
function keepUnseenInto(
  held: Uint8Array,
  heldHead: number,
  context: Uint8Array,
  contextOffset: number,
  contextCount: number,
  target: Uint8Array,
  targetHead: number,
  sources: Int32Array,
): number {
  const heldCount = versionCount(held, heldHead);
  let kept = 0;
  for (let index = 0; index < heldCount; index++) {
    const at = versionOffset(heldHead, index);
    if (clockCovers(context, contextOffset, contextCount, held, at)) continue;
    copyBytes(held, at, target, versionOffset(targetHead, kept), VERSION_BYTES);
    sources[kept++] = index;
  }
  return kept;
}

/** Puts the new version in its place among those in dot order. */
function insertVersion(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  version: Uint8Array,
  versionAt: number,
  sources: Int32Array,
): number {
  let index = 0;
  while (
    index < versions &&
    compareDots(target, versionOffset(targetHead, index), version, versionAt) < 0
  ) {
    index++;
  }
  const at = versionOffset(targetHead, index);
  if (index < versions) {
    target.copyWithin(at + VERSION_BYTES, at, versionOffset(targetHead, versions));
    sources.copyWithin(index + 1, index, versions);
  }
  copyBytes(version, versionAt, target, at, VERSION_BYTES);
  sources[index] = FROM_EVENT;
  return versions + 1;
}

/** A new version of policy lww must be the greatest, or an acknowledged write would be no write. */
function assertLive(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  version: Uint8Array,
  versionAt: number,
): void {
  if (findDotAmong(target, targetHead, versions, version, versionAt) >= 0) return;
  throw new Error("Cannot make a version: its stamp is below a held one, wanted a greater stamp");
}

/** A dot is never issued twice. */
function assertUnseen(
  clock: Uint8Array,
  offset: number,
  count: number,
  version: Uint8Array,
  versionAt: number,
): void {
  if (!clockCovers(clock, offset, count, version, versionAt)) return;
  throw new Error("Cannot make a version: its dot is covered by what is held, wanted a new one");
}

/** Drops the oldest entries that may go until entriesMax are left; returns how many are left. */
function truncate(
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

/**
 * Pinned entries do not count against the limit: or else, once they fill it, all that is new would
 * go.
 */
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
