/**
 * Walks one segment's file for recovery: is there a record here, where does the next one begin,
 * where do the bytes end. Reads ahead in a window, so that a log of small records costs few reads,
 * and large payloads are stepped over.
 */

import { readU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import {
  payloadChecksum,
  payloadLength,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { DiskFile } from "../disk.ts";
import {
  HEADER_BYTES,
  KIND_BODY,
  KIND_CHUNKS,
  KIND_OBJECT,
  KIND_SEGMENT,
  KIND_SYNCED,
  MARK_FIRST_BYTE,
  PLACE_INLINE,
  RecordHeader,
  TABLE_ENTRY_BYTES,
  tableEnd,
} from "./record.ts";

const WINDOW_BYTES = 1 << 20;
/** A store of small files needs no more. */
const WINDOW_BYTES_MIN = 16 << 10;

/** A record of a format that this program does not know: nothing may be guessed. */
export class NewerFormatError extends Error {}

export class SegmentScan {
  readonly header: RecordHeader;
  /** The window: file bytes [start, start + count) lie at bytes[0, count). */
  bytes: Uint8Array;
  #start: number;
  #count: number;
  #file: DiskFile | null;
  #number: number;
  #size: number;
  readonly #windowBytesMax: number;

  /** @param windowBytesMax what is read at once where it serves several records */
  constructor(windowBytesMax: number = WINDOW_BYTES) {
    this.header = new RecordHeader();
    this.bytes = new Uint8Array(WINDOW_BYTES_MIN);
    this.#windowBytesMax = windowBytesMax;
    this.#start = 0;
    this.#count = 0;
    this.#file = null;
    this.#number = 0;
    this.#size = 0;
  }

  open(file: DiskFile, number: number): void {
    this.#file = file;
    this.#number = number;
    this.#size = file.size();
    const window = Math.min(this.#windowBytesMax, this.#size);
    if (window > this.bytes.length) this.bytes = new Uint8Array(window);
    this.#start = 0;
    this.#count = 0;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Index in `bytes` of the file's bytes [at, at + count), or -1 where the file ends before.
   * @throws DiskError
   */
  load(at: number, count: number): number {
    if (at + count > this.#size || this.#file === null) return -1;
    if (at >= this.#start && at + count <= this.#start + this.#count) return at - this.#start;
    if (count > this.bytes.length) this.bytes = new Uint8Array(count);
    this.#start = at;
    this.#count = this.#file.read(this.bytes, 0, this.bytes.length, at);
    return this.#count >= count ? 0 : -1;
  }

  /**
   * Whether an intact header of a record that fits the file lies there; `header` is it. @throws
   * NewerFormatError
   */
  isRecord(at: number): boolean {
    const index = this.load(at, HEADER_BYTES);
    if (index < 0) return false;
    const validity = this.header.decode(this.bytes, index, this.#number, at);
    if (validity === "newer") {
      const version = this.bytes[index + 8];
      throw new NewerFormatError(`record at ${at} has format ${version}`);
    }
    if (validity !== "valid" || at + this.header.length > this.#size) return false;
    const { kind } = this.header;
    if (kind >= KIND_SEGMENT && kind <= KIND_CHUNKS) return true;
    throw new NewerFormatError(`record at ${at} is of kind ${kind}`);
  }

  /** Where the next intact header begins, from `at` on; -1 where there is none. */
  nextRecord(at: number): number {
    while (at + HEADER_BYTES <= this.#size) {
      const index = this.load(at, HEADER_BYTES);
      if (index < 0) return -1;
      const end = this.#count;
      const candidate = this.bytes.indexOf(MARK_FIRST_BYTE, index);
      if (candidate < 0 || candidate >= end) at = this.#start + end;
      else {
        at = this.#start + candidate;
        if (this.isRecord(at)) return at;
        at++;
      }
    }
    return -1;
  }

  /** The end of the last byte that is not zero, from `at` on; `at` where all are. */
  contentEnd(at: number): number {
    let end = at;
    const step = this.bytes.length;
    for (let position = at; position < this.#size; position += step) {
      const count = Math.min(step, this.#size - position);
      const index = this.load(position, count);
      if (index < 0) break;
      let last = index + count - 1;
      while (last >= index && this.bytes[last] === 0) last--;
      if (last >= index) end = position + (last - index) + 1;
    }
    return end;
  }

  /** Whether the record at `at`, whose header isRecord() has read, passes all its checksums. */
  isWhole(at: number): boolean {
    const { header } = this;
    if (!this.isContentWhole(at)) return false;
    if (header.kind === KIND_OBJECT) return this.#arePayloadsWhole(at);
    if (header.kind !== KIND_BODY) return true;
    const payload = at + HEADER_BYTES + header.nameLength;
    return this.#checksum(payload, at + header.length) === header.digest0;
  }

  /** Whether its name, head and payload table, or its name and note or list, pass their checksum. */
  isContentWhole(at: number): boolean {
    const { header } = this;
    if (header.kind === KIND_SEGMENT || header.kind === KIND_SYNCED) return true;
    const isObject = header.kind === KIND_OBJECT;
    // Only objects, notes and lists of chunks have a head length.
    const headEnd = HEADER_BYTES + header.nameLength + header.headLength;
    const index = this.load(at, isObject ? header.length : headEnd);
    if (index < 0) return false;
    const end = isObject ? tableEnd(header, this.bytes, index) : headEnd;
    if (end === 0) return false;
    return crc32c(this.bytes, index + HEADER_BYTES, index + end) === header.contentChecksum;
  }

  /** The same for an object's inline payloads. REQUIRES: isContentWhole() has said so */
  #arePayloadsWhole(at: number): boolean {
    const { header } = this;
    const record = this.load(at, header.length);
    const { bytes } = this;
    const inline = record + tableEnd(header, bytes, record);
    const head = record + HEADER_BYTES + header.nameLength;
    const table = head + header.headLength;
    for (let index = versionCount(bytes, head) - 1; index >= 0; index--) {
      const version = versionOffset(head, index);
      const entry = table + index * TABLE_ENTRY_BYTES;
      const length = payloadLength(bytes, version);
      if (readU32(bytes, entry) !== PLACE_INLINE || length === 0) continue;
      const start = inline + readU32(bytes, entry + 4);
      if (start + length > record + header.length) return false;
      if (crc32c(bytes, start, start + length) !== payloadChecksum(bytes, version)) return false;
    }
    return true;
  }

  /** crc32c of the file's bytes [start, end), window by window. */
  #checksum(start: number, end: number): number {
    let checksum = 0;
    for (let at = start; at < end;) {
      const count = Math.min(this.bytes.length, end - at);
      const index = this.load(at, count);
      if (index < 0) return -1;
      checksum = crc32c(this.bytes, index, index + count, checksum);
      at += count;
    }
    return checksum;
  }
}
