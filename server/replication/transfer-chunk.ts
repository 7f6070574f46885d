/**
 * A part of a partition on its way to a new owner: entries in the order of position and tag, each a name and a
 * set, packed, with one checksum over all.
 *
 *   u32 length of the name │ u32 length of the set │ name │ set │ …
 *
 * A cursor is the first entry that has not come yet, by its place: two words of position, and the tag. All
 * replicas have one order, so whoever has the partition can go on where another stopped. Entries of one place
 * (it can be contrived) never lie in two chunks.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { checkName, ObjectName } from "../../core/object-name.ts";
import { readSet, setLength, type WireSet, writeSet } from "../../core/replica-frames.ts";
import type { Engine, IndexEntry, VersionSet } from "../../storage/engine.ts";

/** A chunk is full from so many bytes on, or entries unless told: a millisecond's work at either side. */
export const CHUNK_BYTES = 32 << 10;
export const CHUNK_ENTRIES_DEFAULT = 48;
/** Windows of the ring that are looked at for one chunk: those of a sparse partition are empty. */
const WINDOWS_MAX = 64;

export interface Cursor {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
}

export type Entry = Readonly<IndexEntry>;

export function isBefore(left: Cursor, right: Cursor): boolean {
  if (left.position0 !== right.position0) return left.position0 < right.position0;
  if (left.position1 !== right.position1) return left.position1 < right.position1;
  return left.tag < right.tag;
}

/** The first place of a partition, and the last first word of it. */
export function partitionStart(partition: number, partitions: number): Cursor {
  return { position0: partition * (2 ** 32 / partitions), position1: 0, tag: 0 };
}

export function partitionEnd(partition: number, partitions: number): number {
  return (partition + 1) * (2 ** 32 / partitions) - 1;
}

export interface Slice {
  /** In order, from the cursor on. */
  readonly entries: readonly Entry[];
  /** Where the next slice begins; null: the partition ends. */
  readonly next: Cursor | null;
}

/**
 * Entries of a partition from a cursor on, about as many as wanted.
 * @param end the last first word of the partition
 * @param width of the windows that are looked at, about as many entries wide, ≥ 1
 */
export function sliceFrom(engine: Engine, from: Cursor, end: number, width: number, wanted: number): Slice {
  const entries: Entry[] = [];
  let at = from.position0;
  for (let window = 0; window < WINDOWS_MAX && at <= end && entries.length < wanted; window++) {
    const to = Math.min(end, at + width - 1);
    engine.scan(at, to, (entry) => {
      if (!isBefore(entry, from)) entries.push({ ...entry });
      return true;
    });
    at = to + 1;
  }
  entries.sort((left, right) => (isBefore(left, right) ? -1 : 1));
  return { entries, next: at > end ? null : { position0: at, position1: 0, tag: 0 } };
}

export interface NamedSet {
  readonly name: ObjectName;
  readonly set: VersionSet;
}

export function packedLength(name: ObjectName, set: WireSet): number {
  return 8 + name.bytes.length + setLength(set);
}

/** Packs one entry; returns the offset behind it. REQUIRES: room for packedLength() bytes */
export function packInto(name: ObjectName, set: WireSet, target: Uint8Array, offset: number): number {
  const length = setLength(set);
  writeU32(target, offset, name.bytes.length);
  writeU32(target, offset + 4, length);
  target.set(name.bytes, offset + 8);
  writeSet(set, target, offset + 8 + name.bytes.length);
  return offset + 8 + name.bytes.length + length;
}

/** The entries of a chunk, whose bytes they share; null where it is none. */
export function unpack(bytes: Uint8Array): NamedSet[] | null {
  const found: NamedSet[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 8) return null;
    const nameEnd = at + 8 + readU32(bytes, at);
    const setEnd = nameEnd + readU32(bytes, at + 4);
    if (setEnd > bytes.length) return null;
    const name = bytes.slice(at + 8, nameEnd);
    if (checkName(name) !== "") return null;
    const set = readSet(bytes, nameEnd, setEnd);
    if (set === null) return null;
    found.push({ name: new ObjectName(name), set });
    at = setEnd;
  }
  return found;
}
