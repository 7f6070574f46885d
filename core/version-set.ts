/**
 * The head of a version set as packed bytes: which versions of one object are live, and the clock
 * of all that was seen. The same bytes lie on disk, go over the wire and are read in memory, in
 * place.
 *
 * Read before it: core/clock-entry (dots), core/vector-clock (sets of them). After it:
 * core/version-rules (what holds of every head), core/version-sync (two heads become one),
 * core/version-event (a head with a new version), core/version-truncate (what its clock forgets).
 *
 *    0    1     2          4         6       8
 *   ┌────┬─────┬──────────┬─────────┬───────┬──────────────────────┬──────────────────┐
 *   │ 1  │ 0   │ versions │ entries │ 0     │ versions, 56 bytes   │ clock entries,   │
 *   │ u8 │ u8  │ u16      │ u16     │ u16   │ each, in dot order   │ 24 bytes each    │
 *   └────┴─────┴──────────┴─────────┴───────┴──────────────────────┴──────────────────┘
 *
 *   a version
 *    0 actor 8 | 8 counter u48 | 14 flags u16: bit 0 tombstone, bits 1–4 conflict policy,
 *                              bit 5 its coordinator read the context that it was made with
 *   16 stamp u64: when it was written | 24 expiry u48, ms since 1970, 0 never
 *   30 metadata length u16
 *   32 request id 16 | 48 body length u32 | 52 crc32c u32 of metadata and body
 *
 * All numbers are little-endian. Entries have one width and one order, so that equal sets are equal
 * bytes and their digests are equal. The clock covers the dot of every live version. A name that
 * was never written has an empty head: eight bytes with two zero counts, or no bytes at all.
 *
 * A format number that is not known is refused: isWellFormedHead is the gate for all that comes
 * from outside, and only what has passed it may be read by the functions below.
 */

import { copyBytes, readU16, readU32, readU48, writeU16, writeU32, writeU48 } from "./bytes.ts";
import { META_BLOCK_BYTES_MAX, VALUE_BYTES_MAX_LIMIT } from "./limits.ts";
import {
  ACTOR_BYTES,
  compareDots,
  compareStamps,
  ENTRY_BYTES,
  entryCounter,
  hasCounter,
  sameDot,
  STAMP_AT,
  writeStamp,
} from "./clock-entry.ts";
import { clockCovers, clockIsWellFormed, clockNewestStamp } from "./vector-clock.ts";

export const HEAD_FORMAT = 1;
export const HEAD_BYTES = 8;
export const VERSION_BYTES = 56;
/**
 * Where fields of a version stand, from its offset; request id, body length and checksum end it.
 */
export const FLAGS_OFFSET = 14;
export const META_LENGTH_OFFSET = 30;
export const REQUEST_ID_OFFSET = 32;
export const REQUEST_ID_BYTES = 16;
/** What the count fields of a head can say. */
export const HEAD_COUNT_MAX = 65_535;

/** Flag bits and conflict policies of a version. Never renumber. */
export const TOMBSTONE = 1;
export const POLICY_SIBLINGS = 0;
export const POLICY_LWW = 1;
export const POLICY_COUNTER = 2;
export const POLICY_SET = 3;
export const POLICY_MAP = 4;
export const POLICY_REGISTER = 5;
export const POLICY_FLAG = 6;
/**
 * The coordinator read what the version supersedes (a condition, a delete without a context): each
 * attempt of the write may supersede something else, so one attempt can not stand for another.
 */
export const CONTEXT_READ = 32;
const POLICY_SHIFT = 1;
const POLICY_MASK = 15;
const FLAGS_ALL = (POLICY_MASK << POLICY_SHIFT) | TOMBSTONE | CONTEXT_READ;

const VERSIONS_AT = 2;
const ENTRIES_AT = 4;
const EXPIRY_AT = 24;
const BODY_LENGTH_AT = 48;
const CHECKSUM_AT = 52;

/**
 * The fields of a version, as a coordinator gives them; a caller on a hot path reuses one object.
 */
export interface VersionFields {
  /** 8 bytes. */
  actor: Uint8Array;
  /** 1 to 2^48 - 1. */
  counter: number;
  /** One of the POLICY_ constants. */
  policy: number;
  tombstone: boolean;
  /** See CONTEXT_READ; absent: false. */
  contextRead?: boolean;
  /** Hybrid logical stamp: milliseconds since 1970, and 0 to 65,535. */
  stampMs: number;
  stampLogical: number;
  /** Milliseconds since 1970; 0: never. */
  expiryMs: number;
  /** 16 bytes; all zero: none. */
  requestId: Uint8Array;
  metaLength: number;
  bodyLength: number;
  /** crc32c of the metadata block and the body. */
  checksum: number;
}

/** Writes one version entry, VERSION_BYTES long. */
export function writeVersion(target: Uint8Array, offset: number, fields: VersionFields): void {
  copyBytes(fields.actor, 0, target, offset, ACTOR_BYTES);
  writeU48(target, offset + ACTOR_BYTES, fields.counter);
  const bits = (fields.tombstone ? TOMBSTONE : 0) | (fields.contextRead === true ? CONTEXT_READ : 0);
  writeU16(target, offset + FLAGS_OFFSET, (fields.policy << POLICY_SHIFT) | bits);
  writeStamp(target, offset + STAMP_AT, fields.stampMs, fields.stampLogical);
  writeU48(target, offset + EXPIRY_AT, fields.expiryMs);
  writeU16(target, offset + META_LENGTH_OFFSET, fields.metaLength);
  copyBytes(fields.requestId, 0, target, offset + REQUEST_ID_OFFSET, REQUEST_ID_BYTES);
  writeU32(target, offset + BODY_LENGTH_AT, fields.bodyLength);
  writeU32(target, offset + CHECKSUM_AT, fields.checksum);
}

/** Writes the eight bytes before the versions. @returns the bytes of the whole head @hot */
export function writeHeadCounts(
  target: Uint8Array,
  head: number,
  versions: number,
  entries: number,
): number {
  if (versions > HEAD_COUNT_MAX || entries > HEAD_COUNT_MAX) {
    throw new RangeError(
      `Cannot write a head: ${versions} versions and ${entries} clock entries, ` +
        `limit is ${HEAD_COUNT_MAX} of each`,
    );
  }
  target[head] = HEAD_FORMAT;
  target[head + 1] = 0;
  writeU16(target, head + VERSIONS_AT, versions);
  writeU16(target, head + ENTRIES_AT, entries);
  writeU16(target, head + 6, 0);
  return HEAD_BYTES + versions * VERSION_BYTES + entries * ENTRY_BYTES;
}

/** Live versions, tombstones included; 0 where there is no head (no bytes from `head` on). @hot */
export function versionCount(bytes: Uint8Array, head: number): number {
  return head < bytes.length ? readU16(bytes, head + VERSIONS_AT) : 0;
}

/** Entries of the head's clock. @hot */
export function clockCount(bytes: Uint8Array, head: number): number {
  return head < bytes.length ? readU16(bytes, head + ENTRIES_AT) : 0;
}

/** Offset of the version with this index. @hot */
export function versionOffset(head: number, index: number): number {
  return head + HEAD_BYTES + index * VERSION_BYTES;
}

/** Offset of the head's first clock entry. @hot */
export function clockOffset(bytes: Uint8Array, head: number): number {
  return versionOffset(head, versionCount(bytes, head));
}

/** Bytes of the head; 0 where there is none. @hot */
export function headLength(bytes: Uint8Array, head: number): number {
  if (head >= bytes.length) return 0;
  return clockOffset(bytes, head) + clockCount(bytes, head) * ENTRY_BYTES - head;
}

/** Fields of the version at `version` (see versionOffset). Its dot stands at its start. */
export function versionCounter(bytes: Uint8Array, version: number): number {
  return entryCounter(bytes, version);
}

/** The two bytes of flags: tombstone, policy, context read. @hot */
export function versionFlags(bytes: Uint8Array, version: number): number {
  return readU16(bytes, version + FLAGS_OFFSET);
}

/** @hot */
export function versionPolicy(bytes: Uint8Array, version: number): number {
  return (versionFlags(bytes, version) >> POLICY_SHIFT) & POLICY_MASK;
}

/** See CONTEXT_READ. @hot */
export function isContextRead(bytes: Uint8Array, version: number): boolean {
  return (bytes[version + FLAGS_OFFSET] & CONTEXT_READ) !== 0;
}

/** @hot */
export function isTombstone(bytes: Uint8Array, version: number): boolean {
  return (bytes[version + FLAGS_OFFSET] & TOMBSTONE) !== 0;
}

/** Offset of the version's stamp, for stampMs, stampLogical and compareStamps. @hot */
export function versionStamp(version: number): number {
  return version + STAMP_AT;
}

/** Milliseconds since 1970; 0: never. */
export function versionExpiryMs(bytes: Uint8Array, version: number): number {
  return readU48(bytes, version + EXPIRY_AT);
}

/** Offset of the 16 bytes of the version's request id. @hot */
export function versionRequestId(version: number): number {
  return version + REQUEST_ID_OFFSET;
}

/** @hot */
export function metaLength(bytes: Uint8Array, version: number): number {
  return readU16(bytes, version + META_LENGTH_OFFSET);
}

/** @hot */
export function bodyLength(bytes: Uint8Array, version: number): number {
  return readU32(bytes, version + BODY_LENGTH_AT);
}

/** Bytes of metadata block and body together (core/payload). @hot */
export function payloadLength(bytes: Uint8Array, version: number): number {
  return metaLength(bytes, version) + bodyLength(bytes, version);
}

/**
 * Whether this version is, or will be once its time has come, a delete: its past must stay covered.
 * @hot
 */
export function endsObject(bytes: Uint8Array, version: number): boolean {
  return isTombstone(bytes, version) || hasExpiry(bytes, version);
}

/** Whether the version ends at all; says it without making a number of the time. @hot */
export function hasExpiry(bytes: Uint8Array, version: number): boolean {
  const at = version + EXPIRY_AT;
  return (readU32(bytes, at) | readU16(bytes, at + 4)) !== 0;
}

/** @hot */
export function payloadChecksum(bytes: Uint8Array, version: number): number {
  return readU32(bytes, version + CHECKSUM_AT);
}

/** Index of the live version with the dot at dot[dotOffset, + 14), or -1. @hot */
export function findDot(
  bytes: Uint8Array,
  head: number,
  dot: Uint8Array,
  dotOffset: number,
): number {
  return findDotAmong(bytes, head, versionCount(bytes, head), dot, dotOffset);
}

/** The same for a head under construction, whose counts are not written yet. @hot */
export function findDotAmong(
  bytes: Uint8Array,
  head: number,
  versions: number,
  dot: Uint8Array,
  dotOffset: number,
): number {
  for (let index = 0; index < versions; index++) {
    if (sameDot(bytes, versionOffset(head, index), dot, dotOffset)) return index;
  }
  return -1;
}

/** Whether the version with this dot is live. @hot */
export function isLive(
  bytes: Uint8Array,
  head: number,
  dot: Uint8Array,
  dotOffset: number,
): boolean {
  return findDot(bytes, head, dot, dotOffset) >= 0;
}

/**
 * Where the greatest stamp of the head (versions and clock) stands, or -1 where it is empty.
 * @hot
 */
export function newestStamp(bytes: Uint8Array, head: number): number {
  const count = clockCount(bytes, head);
  let newest = count === 0 ? -1 : clockNewestStamp(bytes, clockOffset(bytes, head), count);
  for (let index = versionCount(bytes, head) - 1; index >= 0; index--) {
    const stamp = versionStamp(versionOffset(head, index));
    if (newest < 0 || compareStamps(bytes, stamp, bytes, newest) > 0) newest = stamp;
  }
  return newest;
}

/**
 * Whether bytes[start, end) are exactly one head that this file can have written. The gate for all
 * that comes from a disk or a peer: it reads nothing outside of its bounds, whatever the counts
 * say.
 * @hot
 */
export function isWellFormedHead(bytes: Uint8Array, start: number, end: number): boolean {
  if (start < 0 || end > bytes.length || end - start < HEAD_BYTES) return false;
  if (bytes[start] !== HEAD_FORMAT || bytes[start + 1] !== 0) return false;
  if (readU16(bytes, start + 6) !== 0) return false;
  if (headLength(bytes, start) !== end - start) return false;
  const clock = clockOffset(bytes, start);
  const entries = clockCount(bytes, start);
  if (!clockIsWellFormed(bytes, clock, entries, end)) return false;
  for (let version = versionOffset(start, 0); version < clock; version += VERSION_BYTES) {
    if (!isWellFormedVersion(bytes, version)) return false;
    if (!clockCovers(bytes, clock, entries, bytes, version)) return false;
    const before = version - VERSION_BYTES;
    if (before > start && compareDots(bytes, before, bytes, version) >= 0) return false;
  }
  return true;
}

/** REQUIRES: VERSION_BYTES are there. */
function isWellFormedVersion(bytes: Uint8Array, version: number): boolean {
  if (!hasCounter(bytes, version)) return false;
  if ((versionFlags(bytes, version) & ~FLAGS_ALL) !== 0) return false;
  if (versionPolicy(bytes, version) > POLICY_FLAG) return false;
  if (metaLength(bytes, version) > META_BLOCK_BYTES_MAX) return false;
  const body = bodyLength(bytes, version);
  return isTombstone(bytes, version) ? body === 0 : body <= VALUE_BYTES_MAX_LIMIT;
}

/**
 * A 64-bit digest of bytes[start, end) as two words at target[targetIndex..], never (0, 0): equal
 * heads have equal digests, different ones differ but for one chance in 2^64. Not for what may be
 * forged.
 *
 * Two lanes with constants and rotations of their own walk the words; each ends in a full avalanche
 * (the finishers of MurmurHash3 and of splitmix32).
 * @hot
 */
export function headDigestInto(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint32Array,
  targetIndex: number,
): void {
  let left = 0x3c6ef372;
  let right = 0xa54ff53a | 0;
  let offset = start;
  for (; offset + 4 <= end; offset += 4) {
    const word = bytes[offset] |
      (bytes[offset + 1] << 8) |
      (bytes[offset + 2] << 16) |
      (bytes[offset + 3] << 24);
    left = mixLeft(left, word);
    right = mixRight(right, word);
  }
  let tail = 0;
  for (; offset < end; offset++) tail = (tail << 8) | bytes[offset];
  left = avalancheLeft(mixLeft(left, tail) ^ (end - start));
  right = avalancheRight(mixRight(right, tail) ^ (end - start));
  target[targetIndex] = left === 0 && right === 0 ? 1 : left;
  target[targetIndex + 1] = right;
}

function mixLeft(lane: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const mixed = lane ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function mixRight(lane: number, word: number): number {
  const mixed = Math.imul(lane ^ word, 0x9e3779b1);
  return (Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77) + 0x27d4eb2f) | 0;
}

function avalancheLeft(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
}

function avalancheRight(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x21f0aaad);
  const twice = Math.imul(once ^ (once >>> 15), 0x735a2d97);
  return twice ^ (twice >>> 15);
}
