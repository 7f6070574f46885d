/**
 * The event that makes a version: a coordinator's put or delete, on top of what it holds.
 *
 *      held     {x, y}  seen x y         the context has seen x: x goes, y stays as a sibling
 *      context  seen x
 *      new dot  z                   ──►  {y, z}  seen x y z
 *
 *   discard    what the context has seen goes, and nothing else
 *   rules      for twins and for lww (core/version-rules), as in every head
 *   increment  the clock is all that was held and seen, and the new dot
 *   truncate   of that, the oldest entries beyond a limit (core/version-truncate)
 *
 * Two writes with one context through one coordinator are both kept, since each new dot stands for
 * itself; a plain vector clock, in which the second counter covers the first, would lose one of
 * them. (Dotted version vectors: Preguiça, Almeida et al., 2012–2014; their event and discard.)
 */

import { copyBytes } from "./bytes.ts";
import {
  compareDots,
  ENTRY_BYTES,
  isSingle,
  PAIR,
  SINGLE,
} from "./clock-entry.ts";
import {
  clockCovers,
  clockIncrement,
  clockMergeInto,
  clockPinAll,
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
import { truncateClock } from "./version-truncate.ts";

/** sources[i] of an event's new version. */
export const FROM_EVENT = -1;

/** Clock entries that the latest eventInto dropped. */
export let entriesTruncated = 0;

/** Room that eventInto needs. `sources` needs one more than the held versions. @hot */
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
 * @hot
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
  let versions = discardInto(
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
  const kept = truncateClock(
    target,
    targetHead,
    versions,
    entries,
    entriesMax,
    version,
    versionAt,
  );
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
 * @hot
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

/**
 * The field's discard: copies the held versions that the context has not seen; returns how many.
 * @hot
 */
export function discardInto(
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
