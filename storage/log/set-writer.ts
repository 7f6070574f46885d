/**
 * Writes a version set as records: first a body record for each new large payload, then the object
 * record with head, table and small payloads. One group, one write for all that is small.
 *
 *   body(v2) · object( name │ head v1 v2 v3 │ table │ v1's payload │ v3's payload )
 *   (of a payload beyond `streamBytesMin`: chunk · chunk · … · chunks(v2) · object)
 *                                             ├ v1: inline, 0
 *                                             ├ v2: segment 7, offset 4711
 *                                             └ v3: inline, 312
 *
 * A payload that is left out is the stored one under the same dot: small ones are copied as they
 * lie (their checksum in the head goes with them, so damage stays damage), large ones stay where
 * they are and only the table refers to them: a put never rewrites its siblings' large bodies.
 */

import { writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  headDigestInto,
  payloadChecksum,
  payloadLength,
  versionCount,
  versionOffset,
} from "../../core/version-set.ts";
import type { VersionSet, WriteLabels } from "../engine.ts";
import { isLarge, type LargePayload, type Payload } from "../large-payload.ts";
import { ChunkList } from "./chunk-list.ts";
import { ChunkedPayload, type NameKey } from "./chunked-payload.ts";
import type { LogWriter } from "./log-writer.ts";
import {
  HEADER_BYTES,
  INLINE_BYTES_MAX,
  KIND_BODY,
  KIND_CHUNKS,
  KIND_NOTE,
  KIND_OBJECT,
  KIND_REMOVE,
  OFFSET_CHUNKS,
  PLACE_INLINE,
  PLACE_LOST,
  TABLE_ENTRY_BYTES,
} from "./record.ts";
import type { RecordReader, RecordStatus } from "./record-reader.ts";

/** A large payload that comes from elsewhere cannot be read any more: nothing may be written. */
export class PayloadGoneError extends Error {}

/** Where payloads are cut, in bytes. */
export interface PayloadSizes {
  readonly streamBytesMin: number;
  readonly sliceBytes: number;
}

export class SetWriter {
  readonly #sizes: PayloadSizes;
  /** A slice of a payload that is copied from elsewhere. */
  #slice: Uint8Array;
  readonly #writer: LogWriter;
  readonly #reader: RecordReader;
  readonly #digest: Uint32Array;
  /** Two words a version: where its payload lies (segment, offset). */
  #places: Uint32Array;
  /** Where a kept inline payload lies in the old record; -1: it is given, or not inline. */
  #keptAt: Int32Array;
  #inlineLength: number;
  #bodies: number;

  /** @param reader holds the stored record of the name when writeSet() is called */
  constructor(writer: LogWriter, reader: RecordReader, sizes: PayloadSizes) {
    this.#sizes = sizes;
    this.#slice = new Uint8Array(0);
    this.#writer = writer;
    this.#reader = reader;
    this.#digest = new Uint32Array(2);
    this.#places = new Uint32Array(64);
    this.#keptAt = new Int32Array(32);
    this.#inlineLength = 0;
    this.#bodies = 0;
  }

  /**
   * Appends the set; the writer's header is that of the object record afterwards.
   * @param stored what the reader found for the name; "other" where there is nothing or it is not
   * needed
   * @throws DiskError, PayloadGoneError
   */
  writeSet(name: ObjectName, set: VersionSet, labels: WriteLabels, stored: RecordStatus): void {
    this.#label(name, labels);
    this.#planPayloads(set, stored);
    for (let index = 0; index < set.payloads.length; index++) {
      const payload = set.payloads[index];
      if (payload === null || this.#isInline(payload)) continue;
      if (isLarge(payload)) this.#writeLarge(name, payload, index);
      else if (payload.length > this.#sizes.streamBytesMin) this.#writeInChunks(name, payload, index);
      else this.#writeBody(name, set.head, payload, index);
    }
    this.#writeObject(name, set);
  }

  /** Appends a record that forgets a name. @throws DiskError */
  writeRemove(name: ObjectName, digest0: number, digest1: number): void {
    const { header } = this.#writer;
    this.#label(name, { layout: 0, round: 0 });
    header.kind = KIND_REMOVE;
    header.digest0 = digest0;
    header.digest1 = digest1;
    const length = HEADER_BYTES + name.bytes.length;
    this.#writer.place(length);
    const at = this.#writer.stage(length);
    this.#writer.bytes.set(name.bytes, at + HEADER_BYTES);
    this.#seal(at, length);
  }

  /** Appends a note about a name. @throws DiskError */
  writeNote(name: ObjectName, bytes: Uint8Array): void {
    const { header } = this.#writer;
    this.#label(name, { layout: 0, round: 0 });
    header.kind = KIND_NOTE;
    header.digest0 = 0;
    header.digest1 = 0;
    header.headLength = bytes.length;
    const noteStart = HEADER_BYTES + name.bytes.length;
    const length = noteStart + bytes.length;
    this.#writer.place(length);
    const at = this.#writer.stage(length);
    this.#writer.bytes.set(name.bytes, at + HEADER_BYTES);
    this.#writer.bytes.set(bytes, at + noteStart);
    this.#seal(at, length);
  }

  #label(name: ObjectName, labels: WriteLabels): void {
    const { header } = this.#writer;
    header.nameLength = name.bytes.length;
    header.position0 = name.position0;
    header.position1 = name.position1;
    header.tag = name.tag;
    header.layout = labels.layout;
    header.round = labels.round;
    header.headLength = 0;
    header.bodies = 0;
  }

  /**
   * Decides for each version where its payload will lie. Bodies get their places when they are
   * written.
   */
  #planPayloads(set: VersionSet, stored: RecordStatus): void {
    const count = versionCount(set.head, 0);
    if (set.payloads.length !== count) {
      throw new Error(`Set has ${set.payloads.length} payloads, its head says ${count}`);
    }
    if (count > this.#keptAt.length) {
      this.#places = new Uint32Array(count * 2);
      this.#keptAt = new Int32Array(count);
    }
    this.#inlineLength = 0;
    this.#bodies = 0;
    for (let index = 0; index < count; index++) this.#planPayload(set, index, stored);
  }

  #planPayload(set: VersionSet, index: number, stored: RecordStatus): void {
    const length = payloadLength(set.head, versionOffset(0, index));
    const payload = set.payloads[index];
    this.#keptAt[index] = -1;
    if (payload === null && length > 0) {
      this.#keepPayload(set.head, index, length, stored);
      return;
    }
    if (payload !== null && payload.length !== length) {
      throw new Error(`Payload ${index} is ${payload.length} bytes, its head says ${length}`);
    }
    if (payload !== null && !this.#isInline(payload)) this.#bodies++;
    else this.#placeInline(index, length);
  }

  #keepPayload(head: Uint8Array, index: number, length: number, stored: RecordStatus): void {
    const reader = this.#reader;
    if (stored === "damaged") {
      // Nobody can say where it was: reads will answer "damaged" until it comes from another
      // replica.
      this.#place(index, PLACE_LOST, 0);
      return;
    }
    const version = versionOffset(0, index);
    const kept = stored === "found" ? reader.versionWithDot(head, version) : -1;
    if (kept < 0 || reader.lengthOf(kept) !== length) {
      throw new Error(`Payload ${index} was left out, and none is stored under its dot`);
    }
    const segment = reader.placeSegment(kept);
    if (segment === PLACE_INLINE) {
      this.#keptAt[index] = reader.inlineStart + reader.placeOffset(kept);
      this.#placeInline(index, length);
    } else {
      if (segment !== PLACE_LOST) this.#bodies++;
      const flag = reader.isChunked(kept) ? OFFSET_CHUNKS : 0;
      this.#place(index, segment, reader.placeOffset(kept) + flag);
    }
  }

  #place(index: number, segment: number, offset: number): void {
    this.#places[index * 2] = segment;
    this.#places[index * 2 + 1] = offset;
  }

  #placeInline(index: number, length: number): void {
    this.#place(index, PLACE_INLINE, this.#inlineLength);
    this.#inlineLength += length;
  }

  #writeBody(name: ObjectName, head: Uint8Array, payload: Uint8Array, index: number): void {
    const writer = this.#writer;
    const { header } = writer;
    const nameEnd = HEADER_BYTES + name.bytes.length;
    header.kind = KIND_BODY;
    header.nameLength = name.bytes.length;
    header.headLength = 0;
    header.digest0 = payloadChecksum(head, versionOffset(0, index));
    header.digest1 = 0;
    writer.place(nameEnd + payload.length);
    this.#place(index, header.segment, header.offset);
    const at = writer.stage(nameEnd);
    writer.bytes.set(name.bytes, at + HEADER_BYTES);
    this.#seal(at, nameEnd);
    writer.stageBytes(payload, 0, payload.length);
  }

  /** One that lies here already is referred to; any other one is copied, a slice at a time. */
  #writeLarge(name: ObjectName, payload: LargePayload, index: number): void {
    const isOurs = payload instanceof ChunkedPayload && payload.isPartOf(this.#reader.files, name);
    const list = isOurs ? payload.list : this.#copyChunks(payload);
    this.#writeList(name, list, index);
  }

  #writeInChunks(name: ObjectName, payload: Uint8Array, index: number): void {
    const { sliceBytes } = this.#sizes;
    const places = new Uint32Array(Math.ceil(payload.length / sliceBytes) * 2);
    for (let chunk = 0; chunk * 2 < places.length; chunk++) {
      const start = chunk * sliceBytes;
      const end = Math.min(payload.length, start + sliceBytes);
      this.#writeChunk(payload, start, end, chunk, places);
    }
    this.#writeList(name, new ChunkList(sliceBytes, places), index);
  }

  /** @throws PayloadGoneError, DiskError */
  #copyChunks(payload: LargePayload): ChunkList {
    const { sliceBytes } = this.#sizes;
    if (this.#slice.length < sliceBytes) this.#slice = new Uint8Array(sliceBytes);
    const places = new Uint32Array(Math.ceil(payload.length / sliceBytes) * 2);
    for (let chunk = 0; chunk * 2 < places.length; chunk++) {
      const position = chunk * sliceBytes;
      const count = Math.min(payload.length - position, sliceBytes);
      const status = payload.readInto(position, this.#slice, 0, count);
      if (status !== "read") throw new PayloadGoneError(`a payload of ${payload.length} bytes is ${status}`);
      this.#writeChunk(this.#slice, 0, count, chunk, places);
    }
    return new ChunkList(sliceBytes, places);
  }

  /**
   * Begins a chunk that lies for itself, of a set that is still to come, and stages it.
   * REQUIRES: begin() before and commit() after it, of the writer. @throws DiskError
   */
  stageChunk(name: NameKey, bytes: Uint8Array, end: number, chunk: number, places: Uint32Array): void {
    const { header } = this.#writer;
    header.position0 = name.position0;
    header.position1 = name.position1;
    header.tag = name.tag;
    header.layout = 0;
    header.round = 0;
    header.bodies = 0;
    this.#writeChunk(bytes, 0, end, chunk, places);
  }

  #writeChunk(
    source: Uint8Array,
    start: number,
    end: number,
    chunk: number,
    places: Uint32Array,
  ): void {
    const writer = this.#writer;
    const { header } = writer;
    header.kind = KIND_BODY;
    header.nameLength = 0;
    header.headLength = 0;
    header.digest0 = crc32c(source, start, end);
    header.digest1 = chunk;
    writer.place(HEADER_BYTES + end - start);
    places[chunk * 2] = header.segment;
    places[chunk * 2 + 1] = header.offset;
    const at = writer.stage(HEADER_BYTES);
    this.#seal(at, HEADER_BYTES);
    writer.stageBytes(source, start, end);
  }

  #writeList(name: ObjectName, list: ChunkList, index: number): void {
    const writer = this.#writer;
    const { header } = writer;
    const listStart = HEADER_BYTES + name.bytes.length;
    const length = listStart + list.encodedLength;
    header.kind = KIND_CHUNKS;
    header.nameLength = name.bytes.length;
    header.headLength = list.encodedLength;
    header.digest0 = 0;
    header.digest1 = 0;
    writer.place(length);
    this.#place(index, header.segment, header.offset + OFFSET_CHUNKS);
    const at = writer.stage(length);
    writer.bytes.set(name.bytes, at + HEADER_BYTES);
    list.encodeInto(writer.bytes, at + listStart);
    this.#seal(at, length);
  }

  #writeObject(name: ObjectName, set: VersionSet): void {
    const writer = this.#writer;
    const { header } = writer;
    const { head } = set;
    const headStart = HEADER_BYTES + name.bytes.length;
    const tableStart = headStart + head.length;
    const contentEnd = tableStart + set.payloads.length * TABLE_ENTRY_BYTES;
    headDigestInto(head, 0, head.length, this.#digest, 0);
    header.kind = KIND_OBJECT;
    header.nameLength = name.bytes.length;
    header.digest0 = this.#digest[0];
    header.digest1 = this.#digest[1];
    header.headLength = head.length;
    header.bodies = this.#bodies;
    writer.place(contentEnd + this.#inlineLength);
    const at = writer.stage(contentEnd);
    writer.bytes.set(name.bytes, at + HEADER_BYTES);
    writer.bytes.set(head, at + headStart);
    for (let word = 0; word < set.payloads.length * 2; word++) {
      writeU32(writer.bytes, at + tableStart + word * 4, this.#places[word]);
    }
    this.#seal(at, contentEnd);
    this.#writeInline(set);
  }

  #writeInline(set: VersionSet): void {
    const writer = this.#writer;
    const reader = this.#reader;
    for (let index = 0; index < set.payloads.length; index++) {
      const payload = set.payloads[index];
      const kept = this.#keptAt[index];
      if (kept >= 0) {
        const length = payloadLength(set.head, versionOffset(0, index));
        writer.stageBytes(reader.bytes, kept, kept + length);
      } else if (payload instanceof Uint8Array && this.#isInline(payload)) {
        writer.stageBytes(payload, 0, payload.length);
      }
    }
  }

  #isInline(payload: Payload): boolean {
    const { streamBytesMin } = this.#sizes;
    return !isLarge(payload) && payload.length <= INLINE_BYTES_MAX && payload.length <= streamBytesMin;
  }

  /**
   * Computes the checksums of a staged record whose content ends at `contentEnd` and encodes its
   * header.
   */
  #seal(at: number, contentEnd: number): void {
    const { header, bytes } = this.#writer;
    header.contentChecksum = crc32c(bytes, at + HEADER_BYTES, at + contentEnd);
    header.encodeInto(bytes, at);
  }
}
