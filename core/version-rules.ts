/**
 * The two rules that hold of every head, whatever made it (core/version-sync, core/version-event).
 *
 *   twins   versions with one request id and one content are one write that two coordinators took.
 *           All stay live, since a client may carry any of their dots; readers are shown one; and
 *           when one is seen to be superseded, all are. (To merge them into one entry would forget
 *           which dots the write has: a client that goes on from the forgotten one would leave a
 *           false sibling.)
 *   lww     of the versions of policy "last write wins" only the greatest (stamp, dot) stays
 *
 * Both commute, and may be repeated. A twin may arrive where its write was superseded long ago, and
 * nothing in the head tells: a replica remembers the request ids for a while (isSuperseded).
 */

import { compareBytes } from "./bytes.ts";
import { compareStamps, sameDot } from "./clock-entry.ts";
import {
  findDotAmong,
  FLAGS_OFFSET,
  hasExpiry,
  isContextRead,
  isLive,
  isTombstone,
  META_LENGTH_OFFSET,
  payloadChecksum,
  POLICY_LWW,
  REQUEST_ID_BYTES,
  REQUEST_ID_OFFSET,
  VERSION_BYTES,
  versionCount,
  versionExpiryMs,
  versionOffset,
  versionPolicy,
  versionStamp,
} from "./version-set.ts";

/**
 * Writes the indexes of the versions that a reader is shown, in dot order, to target; returns how
 * many: no tombstone, none that has expired at `nowMs`, and of twins the first (whose expiry
 * counts).
 * @hot
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
    if (isTombstone(bytes, version)) continue;
    if (hasExpiry(bytes, version) && versionExpiryMs(bytes, version) <= nowMs) continue;
    if (twinIndex(bytes, head, index, bytes, version) >= 0) continue;
    target[count++] = index;
  }
  return count;
}

/**
 * Index of a live version with this request id (16 bytes), or -1: a retry of what is here already.
 * @hot
 */
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
 * Index of a live version that this very write made, by its request id (16 bytes) and the checksum of
 * its payload, or -1.
 */
export function writeIndex(
  bytes: Uint8Array,
  head: number,
  requestId: Uint8Array,
  requestIdOffset: number,
  checksum: number,
): number {
  const versions = versionCount(bytes, head);
  for (let index = 0; index < versions; index++) {
    const version = versionOffset(head, index);
    if (payloadChecksum(bytes, version) !== checksum) continue;
    const at = version + REQUEST_ID_OFFSET;
    if (compareBytes(bytes, at, requestId, requestIdOffset, REQUEST_ID_BYTES) === 0) return index;
  }
  return -1;
}

/**
 * Whether a version that was live in an input of a merge or event is superseded in its result:
 * neither it nor a twin is live there. Its request id is to be remembered; and a version with a
 * remembered id is to be taken out of what arrives (withoutVersion) *before* that is merged, lest
 * it wins over others.
 * @hot
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

/**
 * Drops from the result the twins of those versions of an input that were seen to be superseded;
 * returns how many versions are left. An lww version that is gone proves nothing: a greater twin
 * may have won. Nor does one whose context its coordinator read: it may be its own twin that superseded
 * it, with what came between, and without the twin nothing would be left of any of them.
 * @hot
 */
export function dropTwinsOfDead(
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
    if (versionPolicy(input, dead) === POLICY_LWW || isContextRead(input, dead)) continue;
    if (findDotAmong(target, targetHead, versions, input, dead) >= 0) continue;
    let twin = twinIndex(target, targetHead, versions, input, dead);
    while (twin >= 0) {
      versions = dropVersion(target, targetHead, versions, sources, twin);
      twin = twinIndex(target, targetHead, versions, input, dead);
    }
  }
  return versions;
}

/**
 * Of the versions of policy lww keeps the greatest by stamp, then dot; returns how many are left.
 * @hot
 */
export function keepLastWrite(
  target: Uint8Array,
  targetHead: number,
  versions: number,
  sources: Int32Array,
): number {
  let last = -1;
  for (let index = versions - 1; index >= 0; index--) {
    if (versionPolicy(target, versionOffset(targetHead, index)) !== POLICY_LWW) continue;
    if (last < 0) {
      last = index;
    } else if (isLaterWrite(target, targetHead, index, last)) {
      versions = dropVersion(target, targetHead, versions, sources, last);
      last = index;
    } else {
      versions = dropVersion(target, targetHead, versions, sources, index);
      last--;
    }
  }
  return versions;
}

/**
 * Whether two versions are one write: the same request id (not zero) and content, under two dots.
 * @hot
 */
export function areTwins(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
): boolean {
  return (
    sameField(left, leftAt, right, rightAt, REQUEST_ID_OFFSET, WRITE_BYTES) &&
    !isZero(left, leftAt + REQUEST_ID_OFFSET, REQUEST_ID_BYTES) &&
    sameField(left, leftAt, right, rightAt, FLAGS_OFFSET, 2) &&
    sameField(left, leftAt, right, rightAt, META_LENGTH_OFFSET, 2) &&
    !sameDot(left, leftAt, right, rightAt)
  );
}

/** Request id, body length and checksum stand in a row at a version's end. */
const WRITE_BYTES = VERSION_BYTES - REQUEST_ID_OFFSET;

function sameField(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  field: number,
  length: number,
): boolean {
  return compareBytes(left, leftAt + field, right, rightAt + field, length) === 0;
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

/** A tie of stamps goes to the greater dot: REQUIRES: index < last. */
function isLaterWrite(bytes: Uint8Array, head: number, index: number, last: number): boolean {
  const stamp = versionStamp(versionOffset(head, index));
  return compareStamps(bytes, stamp, bytes, versionStamp(versionOffset(head, last))) > 0;
}

function isZero(bytes: Uint8Array, offset: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (bytes[offset + index] !== 0) return false;
  }
  return true;
}
