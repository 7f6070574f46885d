/**
 * The sync of two states of one object: their join (dotted version vectors: Preguiça, Almeida et
 * al., 2012–2014).
 *
 *   a version lives on if it is live in both, or live in one and unseen by the other's clock;
 *   the clock is the union of both; then the rules for twins and for lww (core/version-rules)
 *
 *      left   {x, y}  seen x y        y was superseded on the right, z is news to the left
 *      right  {x, z}  seen x y z  ──► {x, z}  seen x y z
 *
 * A sync never truncates. The join commutes, may be repeated, and absorbs: (a ∨ b) ∨ a = a ∨ b; so
 * replicas that exchange states in any order end in equal bytes. It associates too, but for two
 * cases, in which one order shows a version more than another: a twin that meets what superseded
 * its write before it meets its twin (what replicas remember settles that), and an lww version,
 * lower than one that a version of another policy superseded (a bucket whose policy was changed).
 */

import { compareBytes, copyBytes } from "./bytes.ts";
import { compareDots, ENTRY_BYTES, PINNED, SINGLE } from "./clock-entry.ts";
import { clockCovers, clockIncrement, clockMergeInto } from "./vector-clock.ts";
import { dropTwinsOfDead, keepLastWrite } from "./version-rules.ts";
import {
  clockCount,
  clockOffset,
  endsObject,
  HEAD_BYTES,
  headLength,
  VERSION_BYTES,
  versionCount,
  versionOffset,
  writeHeadCounts,
} from "./version-set.ts";

/** sources[i] ≥ this: version (sources[i] - FROM_RIGHT) of the right side; below: of the left. */
export const FROM_RIGHT = 65_536;

/** How two heads compare: what is left to do to make them equal. */
export const HEADS_EQUAL = 0;
/** The left holds all that the right does: only the right needs a merge. */
export const LEFT_AHEAD = 1;
export const RIGHT_AHEAD = 2;
export const DIVERGED = 3;

/** Room that syncInto needs for its result. `sources` needs the sum of both version counts. @hot */
export function syncedLengthMax(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
): number {
  return HEAD_BYTES + headLength(left, leftHead) + headLength(right, rightHead);
}

/**
 * The join of two heads; returns its length. sources[i] says where version i of it came from, for
 * the caller to find its body (from the left where both have it).
 * REQUIRES: both are well-formed; the target overlaps neither. ENSURES: the result is well-formed.
 * @throws RangeError where the result has more versions or entries than a head can count (65,535)
 * @hot
 */
export function syncInto(
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
 * HEADS_EQUAL; LEFT_AHEAD: merging the right into the left changes nothing; RIGHT_AHEAD; DIVERGED.
 * @hot
 */
export function compareHeads(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
): number {
  reserveScratch(left, leftHead, right, rightHead);
  const length = syncInto(left, leftHead, right, rightHead, scratch, 0, scratchSources);
  const leftHolds = isMerged(left, leftHead, length);
  const rightHolds = isMerged(right, rightHead, length);
  if (leftHolds) return rightHolds ? HEADS_EQUAL : LEFT_AHEAD;
  return rightHolds ? RIGHT_AHEAD : DIVERGED;
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
  clockIncrement(single, HEAD_BYTES + VERSION_BYTES, 0, bytes, version, kind);
  writeHeadCounts(single, 0, 1, 1);
  return single;
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
 * Versions are immutable, but for an expired one that has become a tombstone under its own dot. Of
 * two forms the bytewise greater stays: the flags follow the dot, and the tombstone bit is their
 * lowest.
 */
function leftWins(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  return compareBytes(left, leftAt, right, rightAt, VERSION_BYTES) >= 0;
}

function headCovers(bytes: Uint8Array, head: number, dot: Uint8Array, dotOffset: number): boolean {
  const clock = clockOffset(bytes, head);
  return clockCovers(bytes, clock, clockCount(bytes, head), dot, dotOffset);
}

/**
 * The merge that compareHeads looks at; valid inside of it only. Grows to the largest pair seen.
 */
let scratch = new Uint8Array(4096);
let scratchSources = new Int32Array(128);

function reserveScratch(
  left: Uint8Array,
  leftHead: number,
  right: Uint8Array,
  rightHead: number,
): void {
  const lengthMax = syncedLengthMax(left, leftHead, right, rightHead);
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
