/**
 * Writes a live record again, at the end of the log, as the same state: readers see no change.
 *
 *   object   the record as it lies, with a new place in its header
 *   body     the payload, and behind it the object's record with the new place in its table
 *   chunk    the chunk, behind it the list with the chunk's new place, and the object as above
 *   chunks   the list, and the object as above
 *   remove   as it lies, if nothing is held for its name: what is held was written later, and wins
 *
 * Every checksum is checked before a byte is written. A damaged record is left where it lies: a
 * copy would be given sound checksums, and what can be saved of it by hand lies in the original. Its
 * entry goes on answering "damaged", and its segment stays until the set was written again.
 */

import { writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { payloadChecksum, versionOffset } from "../../core/version-set.ts";
import { DiskError } from "../disk.ts";
import type { ChunkList } from "./chunk-list.ts";
import { ChunkedPayload } from "./chunked-payload.ts";
import type { LiveBatch } from "./live-batch.ts";
import type { LogWriter } from "./log-writer.ts";
import {
  HEADER_BYTES,
  KIND_BODY,
  KIND_CHUNKS,
  KIND_OBJECT,
  KIND_REMOVE,
  OFFSET_CHUNKS,
  PLACE_INLINE,
  RecordHeader,
  TABLE_ENTRY_BYTES,
} from "./record.ts";
import type { RecordMap } from "./record-map.ts";
import type { Segment } from "./segment.ts";

/** What a move came to, where it is no number of bytes. */
export const NOT_LIVE = 0;
export const DAMAGED = -1;

export class RecordMover {
  readonly #map: RecordMap;
  readonly #writer: LogWriter;
  readonly #written: () => void;
  readonly #undo: (error: unknown) => void;
  readonly #remove: RecordHeader;
  #removeBytes: Uint8Array;
  /** The chunk that is being moved. */
  #chunk: Uint8Array;

  /**
   * @param written is called after each commit
   * @param undo takes back what a failed group left
   */
  constructor(
    map: RecordMap,
    writer: LogWriter,
    written: () => void,
    undo: (error: unknown) => void,
  ) {
    this.#map = map;
    this.#writer = writer;
    this.#written = written;
    this.#undo = undo;
    this.#remove = new RecordHeader();
    this.#removeBytes = new Uint8Array(1024);
    this.#chunk = new Uint8Array(0);
  }

  /**
   * Moves the batch's record out of a segment; returns the bytes written, NOT_LIVE or DAMAGED.
   * @throws DiskError: nothing was moved
   */
  move(batch: LiveBatch, segment: Segment): number {
    switch (batch.kind) {
      case KIND_OBJECT:
        return this.#moveObject(batch, segment);
      case KIND_BODY:
      case KIND_CHUNKS:
        return this.#movePart(batch, segment);
      case KIND_REMOVE:
        return this.#moveRemove(batch, segment);
      default:
        return NOT_LIVE;
    }
  }

  #moveObject(batch: LiveBatch, source: Segment): number {
    const { index, reader } = this.#map;
    if (!index.seek(batch.position0, batch.position1, batch.tag)) return NOT_LIVE;
    do {
      const { segment, offset, length } = this.#map;
      if (segment !== source.number || offset !== batch.offset) continue;
      if (reader.peek(segment, offset, length, null) !== "found") return DAMAGED;
      if (!this.#areInlineWhole()) return DAMAGED;
      this.#group(() => this.#copyObject(-1));
      this.#map.put(this.#writer.header, true);
      return length;
    } while (index.next());
    return NOT_LIVE;
  }

  /** A body, a chunk or a list of chunks: with the object that refers to it. */
  #movePart(batch: LiveBatch, source: Segment): number {
    const { index, reader } = this.#map;
    if (!index.seek(batch.position0, batch.position1, batch.tag)) return NOT_LIVE;
    let isDamaged = false;
    do {
      if (!this.#map.hasBodies) continue;
      const { segment, offset, length } = this.#map;
      if (reader.peek(segment, offset, length, null) !== "found") {
        // It may be the one that refers to this part: nobody can tell.
        isDamaged = true;
        continue;
      }
      const moved = this.#areInlineWhole() ? this.#moveOf(batch, source) : DAMAGED;
      if (moved === DAMAGED) isDamaged = true;
      else if (moved !== NOT_LIVE) return moved + length;
    } while (index.next());
    return isDamaged ? DAMAGED : NOT_LIVE;
  }

  /** Moves the part if the record that the reader holds refers to it. */
  #moveOf(batch: LiveBatch, source: Segment): number {
    const { reader } = this.#map;
    let isDamaged = false;
    for (let version = 0; version < reader.versions; version++) {
      const isAtPlace = reader.placeSegment(version) === source.number &&
        reader.placeOffset(version) === batch.offset;
      if (!reader.isChunked(version)) {
        if (isAtPlace) return this.#moveBody(version);
        continue;
      }
      const list = reader.chunksOf(version);
      const chunk = list?.chunkAt(source.number, batch.offset) ?? -1;
      if (list === null) isDamaged = true;
      else if (chunk >= 0) return this.#moveChunk(version, list, chunk);
      else if (isAtPlace) return this.#moveList(version, list);
    }
    return isDamaged ? DAMAGED : NOT_LIVE;
  }

  #moveBody(version: number): number {
    const { reader } = this.#map;
    const payload = reader.bytesOf(version);
    if (payload === null) return DAMAGED;
    this.#rewrite(() => this.#copyWithBody(version, payload));
    return HEADER_BYTES + reader.header.nameLength + payload.length;
  }

  #moveChunk(version: number, list: ChunkList, chunk: number): number {
    const { reader } = this.#map;
    const payload = reader.payload(version);
    if (!(payload instanceof ChunkedPayload)) return DAMAGED;
    if (this.#chunk.length < list.chunkBytes) this.#chunk = new Uint8Array(list.chunkBytes);
    const status = payload.readChunk(chunk, this.#chunk, 0);
    if (status === "failed") throw new DiskError("EIO", `chunk ${chunk} of a payload cannot be read`);
    if (status !== "read") return DAMAGED;
    const length = list.lengthOf(chunk, payload.length);
    this.#rewrite(() => {
      this.#copyChunk(list, chunk, length);
      this.#copyWithList(version, list);
    });
    return HEADER_BYTES + length + this.#listBytes(list);
  }

  #moveList(version: number, list: ChunkList): number {
    this.#rewrite(() => this.#copyWithList(version, list));
    return this.#listBytes(list);
  }

  #listBytes(list: ChunkList): number {
    return HEADER_BYTES + this.#map.reader.header.nameLength + list.encodedLength;
  }

  /** Writes the object under the cursor again, and before it what `write` stages of it. */
  #rewrite(write: () => void): void {
    this.#group(write);
    this.#map.put(this.#writer.header, true);
  }

  #moveRemove(batch: LiveBatch, source: Segment): number {
    if (!this.#loadRemove(batch, source)) return DAMAGED;
    const { length, nameLength, position0, position1, tag } = this.#remove;
    const name = this.#removeBytes.subarray(HEADER_BYTES, HEADER_BYTES + nameLength);
    const isHeld = this.#map.find(position0, position1, tag, name);
    if (!isHeld) {
      this.#group(() => this.#copyRemove());
      const { active } = this.#writer;
      if (active !== null) active.removeBytes += length;
    }
    source.removeBytes -= length;
    return isHeld ? NOT_LIVE : length;
  }

  /** Reads the remove record whole. @throws DiskError */
  #loadRemove(batch: LiveBatch, source: Segment): boolean {
    const header = this.#remove;
    const { file, number } = source;
    let count = file.read(this.#removeBytes, 0, HEADER_BYTES, batch.offset);
    if (count < HEADER_BYTES) return false;
    if (header.decode(this.#removeBytes, 0, number, batch.offset) !== "valid") return false;
    const { length, contentChecksum } = header;
    if (length > this.#removeBytes.length) this.#removeBytes = new Uint8Array(length);
    count = file.read(this.#removeBytes, 0, length, batch.offset);
    return count === length && crc32c(this.#removeBytes, HEADER_BYTES, length) === contentChecksum;
  }

  /** Whether the inline payloads of the record that the reader holds pass their checksums. */
  #areInlineWhole(): boolean {
    const { reader } = this.#map;
    for (let version = 0; version < reader.versions; version++) {
      if (reader.placeSegment(version) !== PLACE_INLINE) continue;
      if (!reader.isInlineWhole(version)) return false;
    }
    return true;
  }

  /**
   * Commits what `write` stages, or leaves nothing of it. It is handed over at once: the index may
   * only point to what the kernel has, or a failure of this write would make kept records unreadable.
   * @throws DiskError
   */
  #group(write: () => void): void {
    try {
      this.#writer.begin();
      write();
      this.#writer.commit();
      this.#writer.handOver();
    } catch (error) {
      this.#undo(error);
      throw error;
    }
    this.#written();
  }

  /** Stages the chunk that was read, and enters its new place in the list. */
  #copyChunk(list: ChunkList, chunk: number, length: number): void {
    const { reader } = this.#map;
    const writer = this.#writer;
    const { header } = writer;
    copyLabels(reader.header, header);
    header.kind = KIND_BODY;
    header.nameLength = 0;
    header.digest0 = crc32c(this.#chunk, 0, length);
    header.digest1 = chunk;
    header.headLength = 0;
    header.bodies = 0;
    header.contentChecksum = 0;
    writer.place(HEADER_BYTES + length);
    list.places[chunk * 2] = header.segment;
    list.places[chunk * 2 + 1] = header.offset;
    const at = writer.stage(HEADER_BYTES);
    header.encodeInto(writer.bytes, at);
    writer.stageBytes(this.#chunk, 0, length);
  }

  #copyWithList(version: number, list: ChunkList): void {
    const { reader } = this.#map;
    const writer = this.#writer;
    const { header } = writer;
    const nameEnd = reader.headStart;
    const length = nameEnd + list.encodedLength;
    copyLabels(reader.header, header);
    header.kind = KIND_CHUNKS;
    header.digest0 = 0;
    header.digest1 = 0;
    header.headLength = list.encodedLength;
    header.bodies = 0;
    writer.place(length);
    const { segment, offset } = header;
    const at = writer.stage(length);
    writer.bytes.set(reader.bytes.subarray(HEADER_BYTES, nameEnd), at + HEADER_BYTES);
    list.encodeInto(writer.bytes, at + nameEnd);
    header.contentChecksum = crc32c(writer.bytes, at + HEADER_BYTES, at + length);
    header.encodeInto(writer.bytes, at);
    this.#copyReferring(version, segment, offset + OFFSET_CHUNKS);
  }

  #copyWithBody(version: number, payload: Uint8Array): void {
    const { reader } = this.#map;
    const writer = this.#writer;
    const { header } = writer;
    copyLabels(reader.header, header);
    const nameEnd = reader.headStart;
    header.kind = KIND_BODY;
    header.digest0 = payloadChecksum(reader.bytes, versionOffset(reader.headStart, version));
    header.digest1 = 0;
    header.headLength = 0;
    header.bodies = 0;
    header.contentChecksum = crc32c(reader.bytes, HEADER_BYTES, nameEnd);
    writer.place(nameEnd + payload.length);
    const { segment, offset } = header;
    const at = writer.stage(nameEnd);
    writer.bytes.set(reader.bytes.subarray(0, nameEnd), at);
    header.encodeInto(writer.bytes, at);
    writer.stageBytes(payload, 0, payload.length);
    this.#copyReferring(version, segment, offset);
  }

  /** Stages the record that the reader holds, with another place in its table. */
  #copyReferring(version: number, segment: number, offset: number): void {
    const { reader } = this.#map;
    const entry = reader.tableStart + version * TABLE_ENTRY_BYTES;
    writeU32(reader.bytes, entry, segment);
    writeU32(reader.bytes, entry + 4, offset);
    this.#copyObject(entry);
  }

  /**
   * Stages the record that the reader holds.
   * @param changedAt where its table was changed; -1: nowhere
   */
  #copyObject(changedAt: number): void {
    const { reader } = this.#map;
    const writer = this.#writer;
    const { length } = reader.header;
    copyLabels(reader.header, writer.header);
    if (changedAt >= 0) {
      writer.header.contentChecksum = crc32c(reader.bytes, HEADER_BYTES, reader.inlineStart);
    }
    writer.place(length);
    const at = writer.stage(length);
    writer.bytes.set(reader.bytes.subarray(0, length), at);
    writer.header.encodeInto(writer.bytes, at);
  }

  #copyRemove(): void {
    const writer = this.#writer;
    const { length } = this.#remove;
    copyLabels(this.#remove, writer.header);
    writer.place(length);
    const at = writer.stage(length);
    writer.bytes.set(this.#removeBytes.subarray(0, length), at);
    writer.header.encodeInto(writer.bytes, at);
  }
}

/** All of a header but its place and what was durable. */
function copyLabels(source: RecordHeader, target: RecordHeader): void {
  target.kind = source.kind;
  target.nameLength = source.nameLength;
  target.layout = source.layout;
  target.round = source.round;
  target.position0 = source.position0;
  target.position1 = source.position1;
  target.tag = source.tag;
  target.digest0 = source.digest0;
  target.digest1 = source.digest1;
  target.headLength = source.headLength;
  target.bodies = source.bodies;
  target.contentChecksum = source.contentChecksum;
}
