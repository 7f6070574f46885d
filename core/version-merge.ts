/**
 * How version sets change: the join of two states, and the event that makes a version (dotted version
 * vectors: Preguiça, Almeida et al., 2012–2014; Dynamo 4.4). Heads are packed as core/version-set says.
 *
 *   join    a version lives on if it is live in both, or live in one and unseen by the other's clock;
 *           the clock is the union. Nothing is ever truncated.
 *   event   what the context has seen goes; the new version comes; the clock is what was held, the
 *           context and the new dot: one writer's context kills nothing that the writer did not see
 *
 * Then two rules, the same for both:
 *
 *   twins   versions with one request id and one content are one write that two coordinators took.
 *           All stay live, since a reader may carry any of their dots; readers are shown one (shownInto);
 *           and when one is seen to be superseded, all are. (Merging them into one entry would forget
 *           which dots the write has: a client that goes on from the dropped one left a false sibling.)
 *   lww     of the versions of policy "last write wins" only the greatest (stamp, dot) stays
 *
 * The join commutes, may be repeated, and absorbs: (a ∨ b) ∨ a = a ∨ b; so replicas that exchange states
 * in any order end in equal bytes. It associates as well, with two exceptions that show more, never less:
 * a twin that arrives where the rest of its write was superseded and forgotten (replicas remember the
 * request ids: isSuperseded), and lww versions below one that a version of another policy superseded.
 *
 * Why truncation may return an old value, but never a deleted one. Truncation takes entries out of the
 * clock; a dead version whose entry is gone may come back from a stale copy as a false sibling. But the
 * event of a tombstone (and of a version that expires: a tombstone to be) pins every entry of its
 * clock; merging keeps pins; pinned entries are never dropped. So each state that has met a delete covers
 * its past for good, and one that has not met it yet will when they meet. While the tombstone lives nothing
 * is dropped at all. (A version that was truncated away before the delete is no part of its past.)
 *
 * sources[i] says where version i of the result came from, for the caller to find its body.
 */

import { compareBytes, copyBytes } from "./bytes.ts";
import {
  ENTRY_BYTES,
  PAIR,
  PINNED,
  SINGLE,
  STAMP_AT,
  clockAdd,
  clockCovers,
  clockMergeInto,
  clockPinAll,
  clockRemove,
  compareDots,
  compareStamps,
  entryCovers,
  isPinned,
  isSingle,
  sameActor,
} from "./vector-clock.ts";
import {
  HEAD_BYTES,
  POLICY_LWW,
  REQUEST_ID_BYTES,
  REQUEST_ID_OFFSET,
  VERSION_BYTES,
  bodyLength,
  clockCount,
  clockOffset,
  endsObject,
  headLength,
  isLive,
  isTombstone,
  metaLength,
  payloadChecksum,
  versionCount,
  versionExpiryMs,
  versionFlags,
  versionIndexAmong,
  versionOffset,
  versionPolicy,
  versionStamp,
  writeHeadCounts,
} from "./version-set.ts";

/** sources[i] ≥ this: version (sources[i] - FROM_RIGHT) of the right side; below: of the left. */
export const FROM_RIGHT = 65_536;
/** sources[i] of an event's new version. */
export const FROM_EVENT = -1;

/** How two heads compare: what is left to do to make them equal. */
export const HEADS_EQUAL = 0;
/** The left holds all that the right does: only the right needs a merge. */
export const LEFT_AHEAD = 1;
export const RIGHT_AHEAD = 2;
export const DIVERGED = 3;

/** Clock entries that the latest eventInto dropped. */
export let entriesTruncated = 0;

/** Room that mergeInto needs for its result. `sources` needs the sum of both version counts. */
export function mergedLengthMax(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
): number {
  return HEAD_BYTES + headLength(left, leftHead) + headLength(right, rightHead);
}

/** Room that eventInto needs. `sources` needs one more than the held versions. */
export function eventLengthMax(held: Uint8Array, heldHead: number, contextCount: number): number {
  const added = VERSION_BYTES + (contextCount + 1) * ENTRY_BYTES;
  return HEAD_BYTES + headLength(held, heldHead) + added;
}

/**
 * The join of two heads; returns its length.
 * REQUIRES: both are well-formed; the target overlaps neither. ENSURES: the result is well-formed.
 * @throws RangeError where the result has more versions or entries than a head can count (65,535)
 */
export function mergeInto(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
  target: Uint8Array,
  targetHead: number,
  sources: Int32Array,
): number {
  let versions = joinLiveInto(left, leftHead, right, rightHead, target, targetHead, sources);
  versions = dropTwinsOfDead(left, leftHead, target, targetHead, versions, sources);
  versions = dropTwinsOfDead(right, rightHead, target, targetHead, versions, sources);
  versions = keepLastWrite(target, targetHead, versions, sources);
  const entries = clockMergeInto(
    left,
    clockOffset(left, leftHead),
    clockCount(left, leftHead),
    right,
    clockOffset(right, rightHead),
    clockCount(right, rightHead),
    target,
    versionOffset(targetHead, versions),
  );
  return writeHeadCounts(target, targetHead, versions, entries);
}

/**
 * A new version on top of what is held; returns the length of the result. `entriesTruncated` says how
 * many clock entries went.
 *
 * REQUIRES: held and context are well-formed; the version's dot is new, its stamp is greater than any
 * in held and context (a later write must win over what it saw); the target overlaps nothing.
 * @param context clock entries at context[contextOffset..]: what the writer has seen
 * @param version a version entry, 56 bytes at version[versionAt..]
 * @param dotAsPair 1: the coordinator is a complete primary that has never forgotten a dot of its own for
 *   this object, so that the dot says "and all of mine before it"; 0: the dot alone
 * @param entriesMax clock entries beyond which the oldest go, as far as they may
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
  entries = clockAdd(target, clock, entries, version, versionAt, kind);
  if (endsObject(version, versionAt)) clockPinAll(target, clock, entries);
  const kept = truncate(target, targetHead, versions, entries, entriesMax, version, versionAt);
  entriesTruncated = entries - kept;
  return writeHeadCounts(target, targetHead, versions, kept);
}

/**
 * What a client is to carry after its put: the context it gave and the new dot alone (honest clocks: it
 * was shown nothing else); returns the count of entries. Of the given context those single dots are left
 * out whose versions the put superseded for good: the state that has the new dot covers them, wherever it
 * arrives; so the context of a client that goes on from its own puts does not grow.
 *
 * REQUIRES: room for contextCount + 1 entries (and one for each twin) at the target
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
  let count = 0;
  for (let index = 0; index < contextCount; index++) {
    const entry = contextOffset + index * ENTRY_BYTES;
    const isCovered =
      isSingle(context, entry) &&
      clockCovers(head, clock, clockEntries, context, entry) &&
      !isLive(head, headOffset, context, entry);
    if (isCovered) continue;
    copyBytes(context, entry, target, targetOffset + count * ENTRY_BYTES, ENTRY_BYTES);
    count++;
  }
  count = clockAdd(target, targetOffset, count, version, versionAt, SINGLE);
  for (let index = versionCount(head, headOffset) - 1; index >= 0; index--) {
    const other = versionOffset(headOffset, index);
    if (!areTwins(head, other, version, versionAt)) continue;
    count = clockAdd(target, targetOffset, count, head, other, SINGLE);
  }
  return count;
}

/**
 * Writes the indexes of the versions that a reader is shown, in dot order, to target; returns how many:
 * no tombstone, none that has expired at `nowMs`, and of twins the first.
 */
export function shownInto(
  bytes: Uint8Array,
  head: number,
  nowMs: number,
  target: Int32Array,
): number {
  const versions = versionCount(bytes, head);
  let count = 0;
  for (let index = 0; index < versions; index++) {
    const version = versionOffset(head, index);
    const expiryMs = versionExpiryMs(bytes, version);
    if (isTombstone(bytes, version) || (expiryMs !== 0 && expiryMs <= nowMs)) continue;
    if (twinIndex(bytes, head, index, bytes, version) >= 0) continue;
    target[count++] = index;
  }
  return count;
}

/** Index of a live version with this request id (16 bytes), or -1: a retry of what is here already. */
export function requestIndex(
  bytes: Uint8Array,
  head: number,
  requestId: Uint8Array,
  requestIdOffset: number,
): number {
  const versions = versionCount(bytes, head);
  for (let index = 0; index < versions; index++) {
    const at = versionOffset(head, index) + REQUEST_ID_OFFSET;
    if (compareBytes(bytes, at, requestId, requestIdOffset, REQUEST_ID_BYTES) === 0) return index;
  }
  return -1;
}

/**
 * Whether a version that was live in an input of a merge or event is superseded in its result: neither it
 * nor a twin is live there. Its request id is to be remembered; and a version with a remembered id
 * is to be taken out (withoutVersion) of what arrives *before* it is merged, lest it win over others first.
 */
export function isSuperseded(
  input: Uint8Array,
  version: number,
  result: Uint8Array,
  resultHead: number,
): boolean {
  if (isLive(result, resultHead, input, version)) return false;
  return twinIndex(result, resultHead, versionCount(result, resultHead), input, version) < 0;
}

/** A copy of the head in which one version is dead: no longer live, and still covered. */
export function withoutVersion(bytes: Uint8Array, head: number, index: number): Uint8Array {
  const copy = bytes.slice(head, head + headLength(bytes, head));
  const at = versionOffset(0, index);
  copy.copyWithin(at, at + VERSION_BYTES);
  const length = writeHeadCounts(copy, 0, versionCount(bytes, head) - 1, clockCount(bytes, head));
  return copy.slice(0, length);
}

/** One version of a head as a state of its own, whose clock is that one dot. */
export function singleVersion(bytes: Uint8Array, head: number, index: number): Uint8Array {
  const version = versionOffset(head, index);
  const single = new Uint8Array(HEAD_BYTES + VERSION_BYTES + ENTRY_BYTES);
  copyBytes(bytes, version, single, HEAD_BYTES, VERSION_BYTES);
  const kind = endsObject(bytes, version) ? SINGLE | PINNED : SINGLE;
  clockAdd(single, HEAD_BYTES + VERSION_BYTES, 0, bytes, version, kind);
  writeHeadCounts(single, 0, 1, 1);
  return single;
}

/** HEADS_EQUAL; LEFT_AHEAD: merging the right into the left changes nothing; RIGHT_AHEAD; DIVERGED. */
export function compareHeads(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
): number {
  reserveScratch(left, leftHead, right, rightHead);
  const length = mergeInto(left, leftHead, right, rightHead, scratch, 0, scratchSources);
  const leftHolds = isMerged(left, leftHead, length);
  const rightHolds = isMerged(right, rightHead, length);
  if (leftHolds) return rightHolds ? HEADS_EQUAL : LEFT_AHEAD;
  return rightHolds ? RIGHT_AHEAD : DIVERGED;
}

/** The merge that compareHeads looks at; valid inside of it only. Grows to the largest pair seen. */
let scratch = new Uint8Array(4096);
let scratchSources = new Int32Array(128);

function reserveScratch(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
): void {
  const lengthMax = mergedLengthMax(left, leftHead, right, rightHead);
  if (scratch.length < lengthMax) scratch = new Uint8Array(2 * lengthMax);
  const versions = versionCount(left, leftHead) + versionCount(right, rightHead);
  if (scratchSources.length < versions) scratchSources = new Int32Array(2 * versions);
}

/** Whether the head is byte for byte the merge in scratch; no head is as good as an empty one. */
function isMerged(bytes: Uint8Array, head: number, mergedLength: number): boolean {
  const length = headLength(bytes, head);
  if (length === 0) return mergedLength === HEAD_BYTES;
  return length === mergedLength && compareBytes(bytes, head, scratch, 0, length) === 0;
}

/** The join of the live versions, by dots and clocks alone; returns how many. */
function joinLiveInto(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
  target: Uint8Array,
  targetHead: number,
  sources: Int32Array,
): number {
  const leftCount = versionCount(left, leftHead);
  const rightCount = versionCount(right, rightHead);
  let leftIndex = 0;
  let rightIndex = 0;
  let kept = 0;
  while (leftIndex < leftCount || rightIndex < rightCount) {
    const leftAt = versionOffset(leftHead, leftIndex);
    const rightAt = versionOffset(rightHead, rightIndex);
    let order = leftIndex === leftCount ? 1 : -1;
    if (leftIndex < leftCount && rightIndex < rightCount) {
      order = compareDots(left, leftAt, right, rightAt);
    }
    const at = versionOffset(targetHead, kept);
    if (order < 0 && !headCovers(right, rightHead, left, leftAt)) {
      copyBytes(left, leftAt, target, at, VERSION_BYTES);
      sources[kept++] = leftIndex;
    } else if (order > 0 && !headCovers(left, leftHead, right, rightAt)) {
      copyBytes(right, rightAt, target, at, VERSION_BYTES);
      sources[kept++] = rightIndex + FROM_RIGHT;
    } else if (order === 0) {
      const isLeft = leftWins(left, leftAt, right, rightAt);
      copyBytes(isLeft ? left : right, isLeft ? leftAt : rightAt, target, at, VERSION_BYTES);
      sources[kept++] = isLeft ? leftIndex : rightIndex + FROM_RIGHT;
    }
    if (order <= 0) leftIndex++;
    if (order >= 0) rightIndex++;
  }
  return kept;
}

/**
 * Versions are immutable, but for an expired one that has become a tombstone under its own dot. Of two
 * forms the bytewise greater stays: flags come first after the dot, and the tombstone bit is their lowest.
 */
function leftWins(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  return compareBytes(left, leftAt, right, rightAt, VERSION_BYTES) >= 0;
}

function headCovers(bytes: Uint8Array, head: number, dot: Uint8Array, dotOffset: number): boolean {
  const clock = clockOffset(bytes, head);
  return clockCovers(bytes, clock, clockCount(bytes, head), dot, dotOffset);
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

/**
 * Drops from the result the twins of those versions of an input that were seen to be superseded. A version of
 * policy lww proves nothing when it is gone: a greater twin may have replaced it.
 */
function dropTwinsOfDead(
  input: Uint8Array,
  inputHead: number,
  target: Uint8Array,
  targetHead: number,
  versions: number,
  sources: Int32Array,
): number {
  const inputs = versionCount(input, inputHead);
  for (let index = 0; index < inputs; index++) {
    const dead = versionOffset(inputHead, index);
    if (versionPolicy(input, dead) === POLICY_LWW) continue;
    if (versionIndexAmong(target, targetHead, versions, input, dead) >= 0) continue;
    let twin = twinIndex(target, targetHead, versions, input, dead);
    while (twin >= 0) {
      versions = dropVersion(target, targetHead, versions, sources, twin);
      twin = twinIndex(target, targetHead, versions, input, dead);
    }
  }
  return versions;
}

/** Of the versions of policy lww keeps the greatest by stamp, then dot. */
function keepLastWrite(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  sources: Int32Array,
): number {
  if (versions < 2) return versions;
  let last = -1;
  for (let index = 0; index < versions; index++) {
    if (versionPolicy(target, versionOffset(targetHead, index)) !== POLICY_LWW) continue;
    if (last >= 0) {
      const isLater = isLaterWrite(target, targetHead, index, last);
      versions = dropVersion(target, targetHead, versions, sources, isLater ? last : index);
      index--;
      if (!isLater) continue;
    }
    last = index;
  }
  return versions;
}

/** REQUIRES: index > last, so that a tie of stamps goes to index, whose dot is greater. */
function isLaterWrite(bytes: Uint8Array, head: number, index: number, last: number): boolean {
  const stamp = versionStamp(versionOffset(head, index));
  return compareStamps(bytes, stamp, bytes, versionStamp(versionOffset(head, last))) >= 0;
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
  target.copyWithin(at + VERSION_BYTES, at, versionOffset(targetHead, versions));
  copyBytes(version, versionAt, target, at, VERSION_BYTES);
  sources.copyWithin(index + 1, index, versions);
  sources[index] = FROM_EVENT;
  return versions + 1;
}

function dropVersion(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  sources: Int32Array,
  index: number,
): number {
  const next = versionOffset(targetHead, index + 1);
  target.copyWithin(next - VERSION_BYTES, next, versionOffset(targetHead, versions));
  sources.copyWithin(index, index + 1, versions);
  return versions - 1;
}

/** Index of the first of `versions` versions that is a twin of the given one, or -1. */
function twinIndex(
  bytes: Uint8Array,
  head: number,
  versions: number,
  other: Uint8Array,
  otherAt: number,
): number {
  for (let index = 0; index < versions; index++) {
    if (areTwins(bytes, versionOffset(head, index), other, otherAt)) return index;
  }
  return -1;
}

/** Whether two versions are one write: the same request id (not zero) and content, under two dots. */
function areTwins(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  const leftId = leftAt + REQUEST_ID_OFFSET;
  const rightId = rightAt + REQUEST_ID_OFFSET;
  return (
    compareBytes(left, leftId, right, rightId, REQUEST_ID_BYTES) === 0 &&
    !isZero(left, leftId, REQUEST_ID_BYTES) &&
    versionFlags(left, leftAt) === versionFlags(right, rightAt) &&
    payloadChecksum(left, leftAt) === payloadChecksum(right, rightAt) &&
    metaLength(left, leftAt) === metaLength(right, rightAt) &&
    bodyLength(left, leftAt) === bodyLength(right, rightAt) &&
    compareDots(left, leftAt, right, rightAt) !== 0
  );
}

function isZero(bytes: Uint8Array, offset: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (bytes[offset + index] !== 0) return false;
  }
  return true;
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
  while (entries > entriesMax) {
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

/** A new version of policy lww must be the greatest, or an acknowledged write would be no write. */
function assertLive(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  version: Uint8Array,
  versionAt: number,
): void {
  if (versionIndexAmong(target, targetHead, versions, version, versionAt) >= 0) return;
  throw new Error("Cannot make a version: its stamp is below one that is held, wanted a greater one");
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
