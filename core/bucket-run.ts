/**
 * What a replica answers a listing: a run of its entries of one bucket, in the order of places.
 *
 *    0        16        20       24               24 + ⌈partitions / 8⌉
 *   ┌────────┬─────────┬────────┬────────────────┬────────────────────────────────┐
 *   │ through│ entries │ parti- │ complete, a bit│ entries                        │
 *   │ place  │ u32     │ tions  │ a partition    │                                │
 *   └────────┴─────────┴────────┴────────────────┴────────────────────────────────┘
 *   an entry:  place 16 · digest of the head 8 · until u48 · key length u16 · key
 *
 * Everything that is held behind the place that was asked from, up to and with `through`, is in it,
 * tombstones too: what is deleted here may live there. `until` is when the last value in the set ends
 * (milliseconds since 1970), 0 where there is none, UNTIL_EVER where it never does. Pure codec, bounded
 * by who makes it; what comes from outside is checked field by field.
 */

import { readU16, readU32, readU48, writeU16, writeU32, writeU48 } from "./bytes.ts";
import { KEY_BYTES_MAX } from "./limits.ts";
import { comparePlaces, PLACE_BYTES, readPlace, type RingPlace, writePlace } from "./ring-place.ts";
import {
  hasExpiry,
  isTombstone,
  versionCount,
  versionExpiryMs,
  versionOffset,
} from "./version-set.ts";

export interface RunEntry {
  readonly place: RingPlace;
  readonly digest0: number;
  readonly digest1: number;
  readonly untilMs: number;
  readonly key: Uint8Array;
}

export interface BucketRun {
  readonly entries: readonly RunEntry[];
  readonly through: RingPlace;
  /** A bit for each partition of the range that was asked for: its "nothing" counts. */
  readonly complete: Uint8Array;
  readonly partitions: number;
}

export const UNTIL_EVER = 2 ** 48 - 1;
const FIXED = PLACE_BYTES + 8;
const ENTRY_FIXED = PLACE_BYTES + 16;

/** Bytes that an entry takes in a run. */
export function runEntryLength(keyBytes: number): number {
  return ENTRY_FIXED + keyBytes;
}

/** Until when a head shows a value. */
export function shownUntilMs(head: Uint8Array): number {
  let untilMs = 0;
  for (let index = 0; index < versionCount(head, 0); index++) {
    const version = versionOffset(0, index);
    if (isTombstone(head, version)) continue;
    untilMs = Math.max(untilMs, hasExpiry(head, version) ? versionExpiryMs(head, version) : UNTIL_EVER);
  }
  return untilMs;
}

export function isCompleteIn(run: BucketRun, index: number): boolean {
  return (run.complete[index >> 3] & (1 << (index & 7))) !== 0;
}

export function encodeRun(run: BucketRun): Uint8Array {
  const length = run.entries.reduce((sum, { key }) => sum + runEntryLength(key.length), FIXED);
  const bytes = new Uint8Array(length + run.complete.length);
  writePlace(run.through, bytes, 0);
  writeU32(bytes, PLACE_BYTES, run.entries.length);
  writeU32(bytes, PLACE_BYTES + 4, run.partitions);
  bytes.set(run.complete, FIXED);
  let offset = FIXED + run.complete.length;
  for (const { place, digest0, digest1, untilMs, key } of run.entries) {
    writePlace(place, bytes, offset);
    writeU32(bytes, offset + 16, digest0);
    writeU32(bytes, offset + 20, digest1);
    writeU48(bytes, offset + 24, untilMs);
    writeU16(bytes, offset + 30, key.length);
    bytes.set(key, offset + ENTRY_FIXED);
    offset += runEntryLength(key.length);
  }
  return bytes;
}

/** The run in bytes, or null where it is none. Keys are views. */
export function decodeRun(bytes: Uint8Array): BucketRun | null {
  if (bytes.length < FIXED) return null;
  const count = readU32(bytes, PLACE_BYTES);
  const partitions = readU32(bytes, PLACE_BYTES + 4);
  let offset = FIXED + Math.ceil(partitions / 8);
  if (offset > bytes.length || count > (bytes.length - offset) / ENTRY_FIXED) return null;
  const complete = bytes.subarray(FIXED, offset);
  const through = readPlace(bytes, 0);
  const entries: RunEntry[] = [];
  for (let index = 0; index < count; index++) {
    const entry = entryAt(bytes, offset);
    if (entry === null || comparePlaces(entry.place, through) > 0) return null;
    if (index > 0 && comparePlaces(entries[index - 1].place, entry.place) > 0) return null;
    entries.push(entry);
    offset += runEntryLength(entry.key.length);
  }
  return offset === bytes.length ? { entries, through, complete, partitions } : null;
}

function entryAt(bytes: Uint8Array, offset: number): RunEntry | null {
  const keyStart = offset + ENTRY_FIXED;
  if (keyStart > bytes.length) return null;
  const keyLength = readU16(bytes, offset + 30);
  if (keyLength < 1 || keyLength > KEY_BYTES_MAX || keyStart + keyLength > bytes.length) return null;
  return {
    place: readPlace(bytes, offset),
    digest0: readU32(bytes, offset + 16),
    digest1: readU32(bytes, offset + 20),
    untilMs: readU48(bytes, offset + 24),
    key: bytes.subarray(keyStart, keyStart + keyLength),
  };
}
