/**
 * The bytes of an index snapshot, `objects/index.snapshot`: what a start would find by reading the
 * log up to one place.
 *
 *   ┌────────┬───────────────┬──────────┬──────────┬─
 *   │ header │ segment table │ region 7 │ region 0 │ …       each with a checksum of its own
 *   └────────┴───────────────┴──────────┴──────────┴─
 *     true up to (segment, end), whose last record is (offset, checksum)
 *
 * The table holds the accounts of every segment, and where its records ended; a region holds the
 * entries of one 4,096th of the ring, sorted. Regions come in the order in which they were written:
 * one that was about to change came first (see SnapshotWriter).
 *
 * A snapshot may only ever save time. Each number in it can be had from the log, and where anything
 * does not fit the log is read instead. Little-endian, as all machines are that this program runs
 * on: entries go from memory to disk as they are. storage/FORMAT.md has every byte.
 */

import { readU32, readU48, writeU32, writeU48 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { ENTRY_WORDS } from "../index-region.ts";
import type { Segment } from "./segment.ts";

export const SNAPSHOT_NAME = "index.snapshot";
/** Where the next one is written. */
export const SNAPSHOT_NEW_NAME = "index.snapshot.new";
/** Where the one before shrinks away: freeing hundreds of megabytes at once takes too long. */
export const SNAPSHOT_OLD_NAME = "index.snapshot.old";
/** What a crash may leave of them. */
export const SNAPSHOT_LEFTOVERS = [SNAPSHOT_NEW_NAME, SNAPSHOT_OLD_NAME];

export const SNAPSHOT_HEADER_BYTES = 64;
export const TABLE_ROW_BYTES = 32;
export const CHECKSUM_BYTES = 4;
/** What a region has beside its entries: its number, their number, a checksum. */
export const REGION_FRAME_BYTES = 12;
export const ENTRY_BYTES = ENTRY_WORDS * 4;

const VERSION = 1;
/** "halosnap". */
const MARK0 = 0x6f6c6168;
const MARK1 = 0x70616e73;
const FLAG_BODIES = 1;

export class SnapshotHeader {
  /** Regions that have entries. */
  regions = 0;
  objects = 0;
  segments = 0;
  /** All records before this place are in it, and none from there on. */
  segment = 0;
  end = 0;
  /** The record that ends there: its offset and its header's checksum. */
  last = 0;
  lastChecksum = 0;

  /** Bytes of the whole file. */
  get fileBytes(): number {
    return (
      SNAPSHOT_HEADER_BYTES + tableBytes(this.segments) +
      this.regions * REGION_FRAME_BYTES + this.objects * ENTRY_BYTES
    );
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(SNAPSHOT_HEADER_BYTES);
    const { regions, objects, segments, segment, end, last, lastChecksum } = this;
    const words = [MARK0, MARK1, VERSION, regions, objects, segments, segment, end, last, lastChecksum];
    words.forEach((word, index) => writeU32(bytes, index * 4, word));
    writeU32(bytes, SNAPSHOT_HEADER_BYTES - CHECKSUM_BYTES, checksumOf(bytes));
    return bytes;
  }

  /** False where these are not the bytes of a header that this program knows. */
  decode(bytes: Uint8Array): boolean {
    if (bytes.length !== SNAPSHOT_HEADER_BYTES || !endsWithChecksum(bytes)) return false;
    if (readU32(bytes, 0) !== MARK0 || readU32(bytes, 4) !== MARK1) return false;
    if (readU32(bytes, 8) !== VERSION) return false;
    this.regions = readU32(bytes, 12);
    this.objects = readU32(bytes, 16);
    this.segments = readU32(bytes, 20);
    this.segment = readU32(bytes, 24);
    this.end = readU32(bytes, 28);
    this.last = readU32(bytes, 32);
    this.lastChecksum = readU32(bytes, 36);
    return true;
  }
}

/** Bytes of the table of so many segments. */
export function tableBytes(segments: number): number {
  return segments * TABLE_ROW_BYTES + CHECKSUM_BYTES;
}

export function encodeTable(segments: readonly Segment[]): Uint8Array {
  const bytes = new Uint8Array(tableBytes(segments.length));
  segments.forEach((segment, index) => {
    const at = index * TABLE_ROW_BYTES;
    writeU32(bytes, at, segment.number);
    writeU32(bytes, at + 4, segment.end);
    writeU32(bytes, at + 8, segment.live);
    writeU32(bytes, at + 12, segment.removeBytes);
    writeU32(bytes, at + 16, segment.hasBodies ? FLAG_BODIES : 0);
    writeU48(bytes, at + 20, segment.newestMs);
  });
  writeU32(bytes, bytes.length - CHECKSUM_BYTES, checksumOf(bytes));
  return bytes;
}

/** Gives a segment the accounts of a row. */
export function takeRow(segment: Segment, table: Uint8Array, at: number): void {
  segment.end = readU32(table, at + 4);
  segment.live = readU32(table, at + 8);
  segment.removeBytes = readU32(table, at + 12);
  segment.hasBodies = readU32(table, at + 16) === FLAG_BODIES;
  segment.newestMs = readU48(table, at + 20);
}

/**
 * Whether a segment's file has to stay while the snapshot stands that was made now: the last one
 * proves whose snapshot it is, and of a set with bodies the old record tells which bodies go when
 * the set is replaced.
 */
export function isNeeded(segment: Segment, last: number): boolean {
  return segment.number === last || (segment.hasBodies && segment.live > 0);
}

/** Whether the last four bytes are the checksum of those before. */
export function endsWithChecksum(bytes: Uint8Array): boolean {
  return readU32(bytes, bytes.length - CHECKSUM_BYTES) === checksumOf(bytes);
}

function checksumOf(bytes: Uint8Array): number {
  return crc32c(bytes, 0, bytes.length - CHECKSUM_BYTES);
}
