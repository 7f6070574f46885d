/**
 * Digests and listings of a range of the ring, from an engine's index alone: what anti-entropy
 * compares where the hash tree of a partition ends, and where one side's tree is too small.
 *
 * A range is all entries whose first position word lies in [from, to]. Its digest is what a node of
 * the tree would say of it (core/merkle-tree); equal digests mean equal contents. A listing is
 * packed, 20 bytes an entry: position 8, tag 4, digest of the head 8.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { addHead, mixName } from "../../core/merkle-digest.ts";
import type { Engine } from "../../storage/engine.ts";

export const ENTRY_BYTES = 20;
/** A range with at most this many entries on both sides is listed. */
export const LISTED_MAX = 256;

export interface RangeDigest {
  readonly digest0: number;
  readonly digest1: number;
  readonly count: number;
}

/** The range at work; valid within one call. */
const sum = new Int32Array(2);

/** Digest and count of a range. Visits every entry in it. */
export function rangeDigest(engine: Engine, from: number, to: number): RangeDigest {
  const { treeKey } = engine;
  let count = 0;
  sum.fill(0);
  engine.scan(from, to, ({ position0, position1, tag, digest0, digest1 }) => {
    mixName(treeKey, position0, position1, tag);
    addHead(digest0, digest1, 1, sum);
    count++;
    return true;
  });
  return { digest0: sum[0] >>> 0, digest1: sum[1] >>> 0, count };
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

/** Packs entries as listRange() does. */
export function listEntries(entries: readonly ListedEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY_BYTES);
  entries.forEach(({ position0, position1, tag, digest0, digest1 }, index) => {
    const words = [position0, position1, tag, digest0, digest1];
    words.forEach((word, place) => writeU32(bytes, index * ENTRY_BYTES + place * 4, word));
  });
  return bytes;
}

export interface ListedEntry {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
  /** Of the side that is asked for it: theirs where it is there, else ours. */
  readonly digest0: number;
  readonly digest1: number;
}

export interface Difference {
  readonly entry: ListedEntry;
  readonly isHere: boolean;
  readonly isThere: boolean;
}

/**
 * Entries that two listings of one range do not share, those that differ in the digest included.
 * Two names may have one position and one tag (it can be contrived): these alone tell nothing.
 */
export function differences(here: Uint8Array, there: Uint8Array): Difference[] {
  const ours = byPlace(here);
  const theirs: [string, number][] = [];
  for (let offset = 0; offset + ENTRY_BYTES <= there.length; offset += ENTRY_BYTES) {
    const place = placeOf(there, offset);
    const offsets = ours.get(place) ?? [];
    const match = offsets.findIndex((known) => sameDigest(here, known, there, offset));
    if (match < 0) theirs.push([place, offset]);
    else offsets.splice(match, 1);
  }
  const found: Difference[] = [];
  for (const [place, offset] of theirs) {
    const isHere = ours.get(place)?.pop() !== undefined;
    found.push({ entry: entryAt(there, offset), isHere, isThere: true });
  }
  for (const offset of [...ours.values()].flat()) {
    found.push({ entry: entryAt(here, offset), isHere: true, isThere: false });
  }
  return found;
}

/** Offsets of a listing's entries by position and tag: one each, but for contrived names. */
function byPlace(listing: Uint8Array): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (let offset = 0; offset + ENTRY_BYTES <= listing.length; offset += ENTRY_BYTES) {
    const place = placeOf(listing, offset);
    const offsets = places.get(place);
    if (offsets === undefined) places.set(place, [offset]);
    else offsets.push(offset);
  }
  return places;
}

function placeOf(bytes: Uint8Array, offset: number): string {
  const { position0, position1, tag } = entryAt(bytes, offset);
  return `${position0} ${position1} ${tag}`;
}

function entryAt(bytes: Uint8Array, offset: number): ListedEntry {
  return {
    position0: readU32(bytes, offset),
    position1: readU32(bytes, offset + 4),
    tag: readU32(bytes, offset + 8),
    digest0: readU32(bytes, offset + 12),
    digest1: readU32(bytes, offset + 16),
  };
}

/** The entries of a listing, in its order. */
export function readEntries(listing: Uint8Array): ListedEntry[] {
  const entries: ListedEntry[] = [];
  for (let offset = 0; offset + ENTRY_BYTES <= listing.length; offset += ENTRY_BYTES) {
    entries.push(entryAt(listing, offset));
  }
  return entries;
}

function sameDigest(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  for (let index = 12; index < ENTRY_BYTES; index++) {
    if (left[leftAt + index] !== right[rightAt + index]) return false;
  }
  return true;
}
