/**
 * Reads object records: one pread for header, name, head, table and inline payloads, one more for
 * each payload that is a record of its own, every checksum checked, the name compared. Of a payload in
 * chunks it reads the list, and the reader of the payload the chunks.
 *
 *   peek(place) → status, and on "found": bytes, headStart, tableStart, inlineStart
 *
 * "other" means an intact record of another name (names that share position and tag). A damaged
 * record tells nothing about its name: it is taken for the one that was asked for unless an intact
 * one answers.
 */

import { readU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import {
  findDot,
  payloadChecksum,
  payloadLength,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { Payload } from "../large-payload.ts";
import { type ChunkList, decodeChunkList } from "./chunk-list.ts";
import { ChunkedPayload, type LogFiles } from "./chunked-payload.ts";
import {
  HEADER_BYTES,
  KIND_CHUNKS,
  KIND_OBJECT,
  OFFSET_CHUNKS,
  OFFSET_MASK,
  PLACE_INLINE,
  PLACE_LOST,
  RecordHeader,
  TABLE_ENTRY_BYTES,
  tableEnd,
} from "./record.ts";

export type RecordStatus = "found" | "other" | "damaged";

const SCRATCH_BYTES = 8 << 10;
/** What a list has beside its places. */
const LIST_ROOM = 64;
/** A longer payload is looked for in the file before memory is taken: its length may be damage. */
const BELIEVED_BYTES = 1 << 20;
const NO_BYTES = new Uint8Array(0);

export class RecordReader {
  readonly header: RecordHeader;
  /** The record that was read last, from index 0 on. */
  bytes: Uint8Array;
  headStart: number;
  tableStart: number;
  inlineStart: number;
  /** What is wrong, after "damaged". */
  detail: string;
  readonly files: LogFiles;
  #scratch: Uint8Array;
  readonly #listHeader: RecordHeader;
  #listBytes: Uint8Array;

  constructor(files: LogFiles) {
    this.header = new RecordHeader();
    this.bytes = NO_BYTES;
    this.headStart = 0;
    this.tableStart = 0;
    this.inlineStart = 0;
    this.detail = "";
    this.files = files;
    this.#scratch = new Uint8Array(SCRATCH_BYTES);
    this.#listHeader = new RecordHeader();
    this.#listBytes = new Uint8Array(0);
  }

  /** Reads a record; `bytes` is valid until the next call. @throws DiskError */
  peek(segment: number, offset: number, length: number, name: Uint8Array | null): RecordStatus {
    if (length > this.#scratch.length) this.#scratch = new Uint8Array(length);
    this.bytes = this.#scratch;
    return this.#load(segment, offset, length, name);
  }

  /**
   * Whether an intact header there is followed by this very name; reads nothing more, and so says
   * nothing where the answer is no. @throws DiskError
   */
  hasName(segment: number, offset: number, name: Uint8Array): boolean {
    const file = this.files.fileOf(segment, offset);
    if (file === null) return false;
    const wanted = HEADER_BYTES + name.length;
    this.bytes = this.#scratch;
    if (file.read(this.bytes, 0, wanted, offset) < wanted) return false;
    if (this.header.decode(this.bytes, 0, segment, offset) !== "valid") return false;
    return this.header.nameLength === name.length && isNameAt(this.bytes, name);
  }

  /** The checksum that the header of the record there carries, unchecked. @throws DiskError */
  checksumAt(segment: number, offset: number): number {
    const file = this.files.fileOf(segment, offset);
    if (file === null) return 0;
    file.read(this.#scratch, 0, 8, offset);
    return readU32(this.#scratch, 4);
  }

  /** The name, the head and the payloads of the record that was read: views into its bytes. */
  get name(): Uint8Array {
    return this.bytes.subarray(HEADER_BYTES, this.headStart);
  }

  get head(): Uint8Array {
    return this.bytes.subarray(this.headStart, this.tableStart);
  }

  get versions(): number {
    return versionCount(this.bytes, this.headStart);
  }

  /** Length of version `index`'s payload. */
  lengthOf(index: number): number {
    return payloadLength(this.bytes, versionOffset(this.headStart, index));
  }

  /** Segment of version `index`'s body record, or PLACE_INLINE or PLACE_LOST. */
  placeSegment(index: number): number {
    return readU32(this.bytes, this.tableStart + index * TABLE_ENTRY_BYTES);
  }

  /** Offset of the body's or the list's record in its segment, or of the payload among the inline ones. */
  placeOffset(index: number): number {
    return this.#placeWord(index) & OFFSET_MASK;
  }

  /** Whether version `index`'s payload lies in chunks, and a list of them at its place. */
  isChunked(index: number): boolean {
    return (this.#placeWord(index) & OFFSET_CHUNKS) !== 0 && this.placeSegment(index) !== PLACE_LOST;
  }

  #placeWord(index: number): number {
    return readU32(this.bytes, this.tableStart + index * TABLE_ENTRY_BYTES + 4);
  }

  /** The chunks of version `index`'s payload; null where their list cannot be read. @throws DiskError */
  chunksOf(index: number): ChunkList | null {
    const segment = this.placeSegment(index);
    const offset = this.placeOffset(index);
    const file = this.files.fileOf(segment, offset);
    if (file === null) return null;
    if (this.#listBytes.length < HEADER_BYTES) this.#listBytes = new Uint8Array(HEADER_BYTES);
    if (file.read(this.#listBytes, 0, HEADER_BYTES, offset) < HEADER_BYTES) return null;
    const header = this.#listHeader;
    const isHeader = header.decode(this.#listBytes, 0, segment, offset) === "valid";
    if (!isHeader || header.kind !== KIND_CHUNKS) return null;
    const { length, nameLength } = header;
    // A length is believed as far as this payload can need it.
    if (length > HEADER_BYTES + nameLength + LIST_ROOM + this.lengthOf(index) * 8) return null;
    if (length > BELIEVED_BYTES && offset + length > file.size()) return null;
    if (length > this.#listBytes.length) this.#listBytes = new Uint8Array(length);
    if (file.read(this.#listBytes, 0, length, offset) < length) return null;
    const { contentChecksum } = header;
    if (crc32c(this.#listBytes, HEADER_BYTES, length) !== contentChecksum) return null;
    return decodeChunkList(this.#listBytes, HEADER_BYTES + nameLength, length, this.lengthOf(index));
  }

  /** The version with the dot at head[version..], or -1. */
  versionWithDot(head: Uint8Array, version: number): number {
    return findDot(this.bytes, this.headStart, head, version);
  }

  /**
   * Version `index`'s payload, for the caller to keep; null and `detail` if damaged. Checked, but for one
   * in chunks, which are checked as they are read. @throws DiskError
   */
  payload(index: number): Payload | null {
    return this.isChunked(index) ? this.#chunkedPayload(index) : this.bytesOf(index);
  }

  #chunkedPayload(index: number): Payload | null {
    const list = this.chunksOf(index);
    if (list === null) {
      this.detail = `the list of payload ${index}'s chunks cannot be read`;
      return null;
    }
    for (let chunk = 0; chunk < list.count; chunk++) {
      if (!this.files.isDamaged(list.places[chunk * 2], list.places[chunk * 2 + 1])) continue;
      this.detail = `chunk ${chunk} of payload ${index} fails its checksum`;
      return null;
    }
    const version = versionOffset(this.headStart, index);
    const { position0, position1, tag } = this.header;
    const key = { position0, position1, tag };
    const checksum = payloadChecksum(this.bytes, version);
    return new ChunkedPayload(this.files, key, this.lengthOf(index), checksum, list);
  }

  /** The same of a payload that is not in chunks. @throws DiskError */
  bytesOf(index: number): Uint8Array | null {
    const length = this.lengthOf(index);
    if (length === 0) return NO_BYTES;
    const segment = this.placeSegment(index);
    if (segment === PLACE_INLINE) {
      const start = this.inlineStart + this.placeOffset(index);
      return this.isInlineWhole(index) ? this.bytes.slice(start, start + length) : null;
    }
    const payload = segment === PLACE_LOST ? null : this.#bodyAt(segment, index, length);
    if (payload === null) return this.#misplaced(index);
    return this.#isSound(index, payload, 0, length) ? payload : null;
  }

  /** Whether version `index`'s inline payload is all there; false and `detail` if it is damaged. */
  isInlineWhole(index: number): boolean {
    const start = this.inlineStart + this.placeOffset(index);
    const end = start + this.lengthOf(index);
    if (end <= this.header.length) return this.#isSound(index, this.bytes, start, end);
    this.#misplaced(index);
    return false;
  }

  #bodyAt(segment: number, index: number, length: number): Uint8Array | null {
    const offset = this.placeOffset(index);
    const file = this.files.fileOf(segment, offset);
    if (file === null) return null;
    const position = offset + HEADER_BYTES + this.header.nameLength;
    if (length > BELIEVED_BYTES && position + length > file.size()) return null;
    const payload = new Uint8Array(length);
    return file.read(payload, 0, length, position) < length ? null : payload;
  }

  #isSound(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const wanted = payloadChecksum(this.bytes, versionOffset(this.headStart, index));
    if (start === end || crc32c(bytes, start, end) === wanted) return true;
    this.detail = `payload ${index} fails its checksum`;
    return false;
  }

  #misplaced(index: number): null {
    this.detail = `payload ${index} is not where its record says`;
    return null;
  }

  #load(segment: number, offset: number, length: number, name: Uint8Array | null): RecordStatus {
    const file = this.files.fileOf(segment, offset);
    if (file === null) return this.#damaged("its segment is missing", segment, offset);
    if (file.read(this.bytes, 0, length, offset) < length) {
      return this.#damaged("its record is cut off", segment, offset);
    }
    const { header, bytes } = this;
    if (header.decode(bytes, 0, segment, offset) !== "valid" || header.length !== length) {
      return this.#damaged("its header fails its checksum", segment, offset);
    }
    this.inlineStart = header.kind === KIND_OBJECT ? tableEnd(header, bytes, 0) : 0;
    if (
      this.inlineStart === 0 ||
      crc32c(bytes, HEADER_BYTES, this.inlineStart) !== header.contentChecksum
    ) return this.#damaged("its content fails its checksum", segment, offset);
    this.headStart = HEADER_BYTES + header.nameLength;
    this.tableStart = this.headStart + header.headLength;
    if (name === null) return "found";
    return header.nameLength === name.length && isNameAt(bytes, name) ? "found" : "other";
  }

  #damaged(what: string, segment: number, offset: number): RecordStatus {
    this.detail = `record at ${offset} of segment ${segment}: ${what}`;
    return "damaged";
  }
}

function isNameAt(record: Uint8Array, name: Uint8Array): boolean {
  for (let index = 0; index < name.length; index++) {
    if (record[HEADER_BYTES + index] !== name[index]) return false;
  }
  return true;
}
