/**
 * Digests and listings of a range of the ring, from an engine's index alone: what anti-entropy compares.
 *
 * A range is all entries whose first position word lies in [from, to]. Its digest is a sum of mixed
 * entries, so order does not matter and nothing has to be sorted; equal digests mean equal contents.
 * A listing is packed, 20 bytes an entry: position 8, tag 4, digest of the head 8.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import type { Engine, IndexEntry } from "../../storage/engine.ts";

export const ENTRY_BYTES = 20;

export interface RangeDigest {
  digest0: number;
  digest1: number;
  count: number;
}

/** Digest and count of a range. Visits every entry in it. */
export function rangeDigest(engine: Engine, from: number, to: number): RangeDigest {
  const sum = { digest0: 0, digest1: 0, count: 0 };
  engine.scan(from, to, (entry) => {
    sum.digest0 = (sum.digest0 + mix(entry, 0x9e3779b9)) >>> 0;
    sum.digest1 = (sum.digest1 + mix(entry, 0x7feb352d)) >>> 0;
    sum.count++;
    return true;
  });
  return sum;
}

function mix(entry: IndexEntry, seed: number): number {
  let hash = seed;
  hash = step(hash, entry.position0);
  hash = step(hash, entry.position1);
  hash = step(hash, entry.tag);
  hash = step(hash, entry.digest0);
  return step(hash, entry.digest1);
}

function step(hash: number, word: number): number {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
  return mixed ^ (mixed >>> 13);
}

/** All entries of a range, packed. */
export function listRange(engine: Engine, from: number, to: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * ENTRY_BYTES);
  let offset = 0;
  engine.scan(from, to, (entry) => {
    if (offset === bytes.length) return false;
    writeU32(bytes, offset, entry.position0);
    writeU32(bytes, offset + 4, entry.position1);
    writeU32(bytes, offset + 8, entry.tag);
    writeU32(bytes, offset + 12, entry.digest0);
    writeU32(bytes, offset + 16, entry.digest1);
    offset += ENTRY_BYTES;
    return true;
  });
  return bytes.subarray(0, offset);
}

export interface ListedEntry {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
}

export interface Difference {
  readonly entry: ListedEntry;
  readonly isHere: boolean;
  readonly isThere: boolean;
}

/** Entries that two listings of one range do not share, those that differ in the digest included. */
export function differences(here: Uint8Array, there: Uint8Array): Difference[] {
  const known = new Map<string, number>();
  for (let offset = 0; offset + ENTRY_BYTES <= here.length; offset += ENTRY_BYTES) {
    known.set(keyOf(here, offset), offset);
  }
  const found: Difference[] = [];
  for (let offset = 0; offset + ENTRY_BYTES <= there.length; offset += ENTRY_BYTES) {
    const key = keyOf(there, offset);
    const match = known.get(key);
    known.delete(key);
    if (match !== undefined && sameDigest(here, match, there, offset)) continue;
    found.push({ entry: entryAt(there, offset), isHere: match !== undefined, isThere: true });
  }
  for (const offset of known.values()) {
    found.push({ entry: entryAt(here, offset), isHere: true, isThere: false });
  }
  return found;
}

function keyOf(bytes: Uint8Array, offset: number): string {
  const entry = entryAt(bytes, offset);
  return `${entry.position0} ${entry.position1} ${entry.tag}`;
}

function entryAt(bytes: Uint8Array, offset: number): ListedEntry {
  return {
    position0: readU32(bytes, offset),
    position1: readU32(bytes, offset + 4),
    tag: readU32(bytes, offset + 8),
  };
}

function sameDigest(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  for (let index = 12; index < ENTRY_BYTES; index++) {
    if (left[leftAt + index] !== right[rightAt + index]) return false;
  }
  return true;
}
