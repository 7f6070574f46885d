/**
 * A large payload as it lies in a log: chunks of 256 KiB, each a record with a checksum of its own.
 *
 *   readInto(300 KiB, …)   │ chunk 0 │▒▒▒ chunk 1 ▒▒▒│▒ chunk 2 │        each read whole, checked,
 *                                     └─ asked for ─┘                   then handed on
 *
 * Places in a log are used once: as long as a chunk's segment is there, so is the chunk. A segment that
 * somebody holds keeps its file, although nothing in it may be live any more (segment.holds).
 */

import { crc32c } from "../../core/crc32c.ts";
import { DiskError, type DiskFile } from "../disk.ts";
import type { LargePayload, SliceStatus } from "../large-payload.ts";
import type { ChunkList } from "./chunk-list.ts";
import { HEADER_BYTES, KIND_BODY, RecordHeader } from "./record.ts";

/** The files of a log, as readers of it need them. */
export interface LogFiles {
  /** A segment's file, once it has the record at `offset`; null: there is none. @throws DiskError */
  fileOf(segment: number, offset: number): DiskFile | null;
  /** Keeps a segment's file, or lets it go again; false: it is gone. */
  hold(segment: number): boolean;
  release(segment: number): void;
  /** A chunk failed its checksum. */
  damaged(segment: number, offset: number): void;
  isDamaged(segment: number, offset: number): boolean;
}

/** The position and tag that all records of one name carry. */
export interface NameKey {
  readonly position0: number;
  readonly position1: number;
  readonly tag: number;
}

/** The chunk at hand, where only a part of it is wanted. */
let scratch = new Uint8Array(0);
const header = new RecordHeader();
const headerBytes = new Uint8Array(HEADER_BYTES);

export class ChunkedPayload implements LargePayload {
  readonly length: number;
  readonly checksum: number;
  readonly list: ChunkList;
  readonly #files: LogFiles;
  readonly #key: NameKey;

  constructor(files: LogFiles, key: NameKey, length: number, checksum: number, list: ChunkList) {
    this.length = length;
    this.checksum = checksum;
    this.list = list;
    this.#files = files;
    this.#key = key;
  }

  readInto(position: number, target: Uint8Array, start: number, end: number): SliceStatus {
    const { chunkBytes } = this.list;
    while (start < end) {
      const chunk = Math.floor(position / chunkBytes);
      const from = position - chunk * chunkBytes;
      const length = this.list.lengthOf(chunk, this.length);
      const count = Math.min(length - from, end - start);
      const isWhole = from === 0 && count === length;
      if (!isWhole && scratch.length < chunkBytes) scratch = new Uint8Array(chunkBytes);
      const status = isWhole
        ? this.readChunk(chunk, target, start)
        : this.readChunk(chunk, scratch, 0);
      if (status !== "read") return status;
      if (!isWhole) target.set(scratch.subarray(from, from + count), start);
      position += count;
      start += count;
    }
    return "read";
  }

  /** Reads one chunk, checked, into target[at..]. */
  readChunk(chunk: number, target: Uint8Array, at: number): SliceStatus {
    const segment = this.list.places[chunk * 2];
    const offset = this.list.places[chunk * 2 + 1];
    try {
      const file = this.#files.fileOf(segment, offset);
      if (file === null) return "gone";
      if (this.#isSound(file, chunk, segment, offset, target, at)) return "read";
    } catch (error) {
      if (error instanceof DiskError) return "failed";
      throw error;
    }
    this.#files.damaged(segment, offset);
    return "damaged";
  }

  /** Whether a chunk's header is where the list says, whatever its bytes are. @throws DiskError */
  isChunkThere(chunk: number): boolean {
    const segment = this.list.places[chunk * 2];
    const offset = this.list.places[chunk * 2 + 1];
    const file = this.#files.fileOf(segment, offset);
    return file !== null && this.#readHeader(file, chunk, segment, offset);
  }

  #isSound(
    file: DiskFile,
    chunk: number,
    segment: number,
    offset: number,
    target: Uint8Array,
    at: number,
  ): boolean {
    if (!this.#readHeader(file, chunk, segment, offset)) return false;
    const length = this.list.lengthOf(chunk, this.length);
    if (file.read(target, at, at + length, offset + HEADER_BYTES) < length) return false;
    return crc32c(target, at, at + length) === header.digest0;
  }

  #readHeader(file: DiskFile, chunk: number, segment: number, offset: number): boolean {
    if (file.read(headerBytes, 0, HEADER_BYTES, offset) < HEADER_BYTES) return false;
    if (header.decode(headerBytes, 0, segment, offset) !== "valid") return false;
    const { position0, position1, tag } = this.#key;
    if (header.position0 !== position0 || header.position1 !== position1) return false;
    if (header.kind !== KIND_BODY || header.tag !== tag || header.digest1 !== chunk) return false;
    return header.length === HEADER_BYTES + this.list.lengthOf(chunk, this.length);
  }

  hold(): boolean {
    const segments = this.#segments();
    const held: number[] = [];
    for (const segment of segments) {
      if (!this.#files.hold(segment)) {
        for (const one of held) this.#files.release(one);
        return false;
      }
      held.push(segment);
    }
    return true;
  }

  release(): void {
    for (const segment of this.#segments()) this.#files.release(segment);
  }

  /** Whether a set of this name in this log may refer to it as it lies. */
  isPartOf(files: LogFiles, key: NameKey): boolean {
    if (files !== this.#files || key.tag !== this.#key.tag) return false;
    if (key.position0 !== this.#key.position0 || key.position1 !== this.#key.position1) return false;
    return [...this.#segments()].every((segment) => files.fileOf(segment, 0) !== null);
  }

  #segments(): Set<number> {
    const segments = new Set<number>();
    for (let word = 0; word < this.list.places.length; word += 2) {
      segments.add(this.list.places[word]);
    }
    return segments;
  }
}
