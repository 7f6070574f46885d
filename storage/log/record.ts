/**
 * One record of the log: a header of 72 bytes with a checksum of its own, then what it carries.
 *
 *    0        4        8  9  10    12       16       20       24       28       32       36
 *   ┌────────┬────────┬──┬──┬─────┬────────┬────────┬────────┬────────┬────────┬────────┬────────┐
 *   │ mark   │ header │v │k │ name│ record │ segment│ offset │ durable│ durable│ layout │ round  │
 *   │        │ crc    │  │  │ len │ length │ (own)  │ (own)  │ segment│ offset │        │        │
 *   ├────────┼────────┼──┴──┴─────┼────────┼────────┼────────┼────────┼────────┼────────┴────────┘
 *   │ posi-  │ posi-  │ tag       │ digest0│ digest1│ head   │ bodies │ content│
 *   │ tion 0 │ tion 1 │           │        │        │ length │ (count)│ crc    │
 *   └────────┴────────┴───────────┴────────┴────────┴────────┴────────┴────────┘
 *   40       44       48          52       56       60       64       68       72
 *
 *   object   name, head, payload table (8 bytes a version: segment, offset), inline payloads
 *   body     name, one large payload; digest0 is the payload's checksum. Or no name, and one chunk of a
 *            payload that is larger still; digest1 is its number (chunk-list.ts)
 *   chunks   name, and the places of a payload's chunks (head length says how many bytes)
 *   remove   name; the digests are those of the set that is forgotten
 *   segment  nothing; the first record of each segment: digest0, digest1 = number and end of the
 *            last one
 *   synced   nothing; written after a sync when no other record follows, for its durable position
 *   note     name, and up to 4,096 bytes about it (head length says how many)
 *
 * A header is believed only where it says of itself that it lies: that catches misdirected writes
 * and what an older use of the disk left behind. `durable` says up to where the log was synced when
 * the record was written; recovery tells a torn tail from damage by it. The position and the
 * digests let recovery rebuild the index from headers alone. Little-endian; constants are
 * persisted: never renumber. Prose, trade-offs and a worked example: storage/FORMAT.md.
 */

import { readU16, readU32, writeU16, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { HEAD_BYTES, versionCount } from "../../core/version-set.ts";

/**
 * The bytes F1 48 61 6C: the first is in no ASCII text and in no valid UTF-8 of a common script.
 */
export const MARK = 0x6c6148f1;
export const MARK_FIRST_BYTE = 0xf1;
export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 72;

export const KIND_SEGMENT = 1;
export const KIND_OBJECT = 2;
export const KIND_BODY = 3;
export const KIND_REMOVE = 4;
export const KIND_SYNCED = 5;
export const KIND_NOTE = 6;
export const KIND_CHUNKS = 7;

/** What a note may say. */
export const NOTE_BYTES_MAX = 4096;

export const TABLE_ENTRY_BYTES = 8;
/** In a payload table: the payload lies in the record itself, at `offset` from the table's end. */
export const PLACE_INLINE = 0;
/** In a payload table: the payload was damaged when the set was rewritten. */
export const PLACE_LOST = 0xffffffff;
/** Added to an offset in a payload table: a list of chunks lies there, not the payload itself. */
export const OFFSET_CHUNKS = 0x80000000;
export const OFFSET_MASK = 0x7fffffff;

/**
 * Payloads up to this size lie in the object's own record: one read fetches all. A rewrite of the
 * set copies them; at 4 KiB (a page) that copy still costs less than the second read and the second
 * header that a record of its own would cost at each get.
 */
export const INLINE_BYTES_MAX = 4096;

export type Validity = "valid" | "invalid" | "newer";

/** A decoded header, or one to be encoded; reused. */
export class RecordHeader {
  kind = 0;
  nameLength = 0;
  /** Of the whole record, header included. */
  length = 0;
  segment = 0;
  offset = 0;
  durableSegment = 0;
  durableOffset = 0;
  layout = 0;
  round = 0;
  position0 = 0;
  position1 = 0;
  tag = 0;
  digest0 = 0;
  digest1 = 0;
  headLength = 0;
  /** Versions whose payloads are body records. */
  bodies = 0;
  /** crc32c of name, head and payload table. */
  contentChecksum = 0;

  encodeInto(target: Uint8Array, at: number): void {
    writeU32(target, at, MARK);
    target[at + 8] = FORMAT_VERSION;
    target[at + 9] = this.kind;
    writeU16(target, at + 10, this.nameLength);
    writeU32(target, at + 12, this.length);
    writeU32(target, at + 16, this.segment);
    writeU32(target, at + 20, this.offset);
    writeU32(target, at + 24, this.durableSegment);
    writeU32(target, at + 28, this.durableOffset);
    writeU32(target, at + 32, this.layout);
    writeU32(target, at + 36, this.round);
    writeU32(target, at + 40, this.position0);
    writeU32(target, at + 44, this.position1);
    writeU32(target, at + 48, this.tag);
    writeU32(target, at + 52, this.digest0);
    writeU32(target, at + 56, this.digest1);
    writeU32(target, at + 60, this.headLength);
    writeU32(target, at + 64, this.bodies);
    writeU32(target, at + 68, this.contentChecksum);
    writeU32(target, at + 4, crc32c(target, at + 8, at + HEADER_BYTES));
  }

  /**
   * Reads the 72 bytes at source[at..]; "valid" only if they claim to lie at this segment and
   * offset.
   */
  decode(source: Uint8Array, at: number, segment: number, offset: number): Validity {
    if (readU32(source, at) !== MARK) return "invalid";
    if (readU32(source, at + 16) !== segment) return "invalid";
    if (readU32(source, at + 20) !== offset) return "invalid";
    if (readU32(source, at + 4) !== crc32c(source, at + 8, at + HEADER_BYTES)) return "invalid";
    if (source[at + 8] !== FORMAT_VERSION) return "newer";
    this.kind = source[at + 9];
    this.nameLength = readU16(source, at + 10);
    this.length = readU32(source, at + 12);
    this.segment = segment;
    this.offset = offset;
    this.durableSegment = readU32(source, at + 24);
    this.durableOffset = readU32(source, at + 28);
    this.#decodeRest(source, at);
    const least = HEADER_BYTES + this.nameLength + this.headLength;
    return this.length >= least ? "valid" : "invalid";
  }

  #decodeRest(source: Uint8Array, at: number): void {
    this.layout = readU32(source, at + 32);
    this.round = readU32(source, at + 36);
    this.position0 = readU32(source, at + 40);
    this.position1 = readU32(source, at + 44);
    this.tag = readU32(source, at + 48);
    this.digest0 = readU32(source, at + 52);
    this.digest1 = readU32(source, at + 56);
    this.headLength = readU32(source, at + 60);
    this.bodies = readU32(source, at + 64);
    this.contentChecksum = readU32(source, at + 68);
  }
}

/**
 * Where name, head, payload table and inline payloads of an object record end, from its start. 0
 * where the lengths contradict each other. `record` holds at least header, name and the head's
 * first 8 bytes.
 */
export function tableEnd(header: RecordHeader, record: Uint8Array, at: number): number {
  const headStart = HEADER_BYTES + header.nameLength;
  if (header.kind !== KIND_OBJECT || header.headLength < HEAD_BYTES) return 0;
  const versions = versionCount(record, at + headStart);
  const end = headStart + header.headLength + versions * TABLE_ENTRY_BYTES;
  return end <= header.length ? end : 0;
}
