/**
 * Which record holds what: the index, the files it points into, and how many bytes of each file it
 * still reaches. Recovery fills it from the log, the engine changes it with each write: one set of
 * rules for both.
 *
 * An index entry's length word carries one flag: whether the record refers to body records, so that
 * replacing an ordinary object never has to read the old record for its accounts.
 */

import type { DiskFile } from "../disk.ts";
import { DiskError } from "../disk.ts";
import {
  ENTRY_DIGEST0,
  ENTRY_DIGEST1,
  ENTRY_LENGTH,
  ENTRY_OFFSET,
  ENTRY_SEGMENT,
} from "../index-region.ts";
import { PositionIndex } from "../position-index.ts";
import type { ChunkList } from "./chunk-list.ts";
import { HEADER_BYTES, PLACE_INLINE, PLACE_LOST, type RecordHeader } from "./record.ts";
import { RecordReader } from "./record-reader.ts";
import type { Segment } from "./segment.ts";

/** Damaged chunks that are remembered; of others a read finds it out again. */
const DAMAGED_CHUNKS_MAX = 100_000;
const HAS_BODIES = 0x80000000;
const LENGTH_MASK = 0x7fffffff;

export class RecordMap {
  readonly index: PositionIndex;
  readonly reader: RecordReader;
  /** In order; the last one is written to. */
  readonly segments: Segment[];
  /**
   * Set when a record could not be asked which bodies it refers to: the accounts are too high or
   * too low from then on, and no segment may be deleted by them.
   */
  isUncertain: boolean;
  /** Asks for what a segment's file does not have yet, before that is read. May throw a DiskError. */
  onUnread: () => void;
  /** Told after a sync how many bytes of dead segments stay for the index snapshot alone. */
  onKept: (bytes: number) => void;
  /**
   * Bytes that are reached in files that are gone, by number: a snapshot of the index names them,
   * and what follows it in the log takes them away.
   */
  readonly gone: Map<number, number>;
  readonly #byNumber: Map<number, Segment>;
  /** Chunks that failed their checksum since the start, by place; a set that refers to one is damaged. */
  readonly #damagedChunks: Set<string>;
  /** Told when a chunk fails its checksum for the first time. */
  onDamagedChunk: () => void;

  constructor(partitionBits: number, treeKey: Int32Array) {
    this.index = new PositionIndex(partitionBits, treeKey);
    this.segments = [];
    this.isUncertain = false;
    this.onUnread = () => {};
    this.onKept = () => {};
    this.gone = new Map();
    this.#byNumber = new Map();
    this.#damagedChunks = new Set();
    this.onDamagedChunk = () => {};
    this.reader = new RecordReader({
      fileOf: (segment, offset) => this.#fileOf(segment, offset),
      hold: (segment) => this.#hold(segment, 1),
      release: (segment) => void this.#hold(segment, -1),
      damaged: (segment, offset) => this.#chunkDamaged(segment, offset),
      isDamaged: (segment, offset) => {
        return this.#damagedChunks.size > 0 && this.#damagedChunks.has(`${segment}:${offset}`);
      },
    });
  }

  get liveBytes(): number {
    let live = 0;
    for (const segment of this.segments) live += segment.live;
    return live;
  }

  get totalBytes(): number {
    let total = 0;
    for (const segment of this.segments) total += segment.end;
    return total;
  }

  addSegment(segment: Segment): void {
    this.segments.push(segment);
    this.#byNumber.set(segment.number, segment);
  }

  dropSegment(segment: Segment): void {
    this.segments.splice(this.segments.indexOf(segment), 1);
    this.#byNumber.delete(segment.number);
  }

  segmentOf(number: number): Segment | null {
    return this.#byNumber.get(number) ?? null;
  }

  /** Forgets what was entered; the files stay. */
  clear(): void {
    this.index.clear();
    this.gone.clear();
    this.isUncertain = false;
    for (const segment of this.segments) segment.clear();
  }

  /** The record under the index's cursor. */
  get segment(): number {
    return this.index.words[this.index.at + ENTRY_SEGMENT];
  }

  get offset(): number {
    return this.index.words[this.index.at + ENTRY_OFFSET];
  }

  get length(): number {
    return this.index.words[this.index.at + ENTRY_LENGTH] & LENGTH_MASK;
  }

  get hasBodies(): boolean {
    return (this.index.words[this.index.at + ENTRY_LENGTH] & HAS_BODIES) !== 0;
  }

  /** Whether the set under the cursor has this digest. */
  hasDigest(digest0: number, digest1: number): boolean {
    const { words, at } = this.index;
    return words[at + ENTRY_DIGEST0] === digest0 && words[at + ENTRY_DIGEST1] === digest1;
  }

  /**
   * Puts the index's cursor on the entry of a name and returns true, or returns false. Reads the
   * record's name: key and tag alone do not prove it. A damaged record is taken for the wanted one
   * unless another answers. @throws DiskError
   */
  find(position0: number, position1: number, tag: number, name: Uint8Array): boolean {
    if (!this.index.seek(position0, position1, tag)) return false;
    if (this.reader.hasName(this.segment, this.offset, name)) return true;
    let damagedAt = -1;
    do {
      if (this.reader.hasName(this.segment, this.offset, name)) return true;
      const status = this.reader.peek(this.segment, this.offset, this.length, name);
      if (status === "damaged" && damagedAt < 0) damagedAt = this.index.at;
    } while (this.index.next());
    if (damagedAt < 0) return false;
    this.index.at = damagedAt;
    return true;
  }

  /** Enters an object record that was written; `isKnown`: find() has put the cursor on its name. */
  put(header: RecordHeader, isKnown: boolean): void {
    const { segment, offset, length, bodies } = header;
    this.#account(segment, length);
    if (bodies > 0) this.#enterBodies(segment, offset, length);
    const word = bodies > 0 ? length + HAS_BODIES : length;
    if (isKnown) {
      this.#release();
      this.index.replace(header.digest0, header.digest1, segment, offset, word);
    } else {
      const { position0, position1, tag, digest0, digest1 } = header;
      this.index.insert(position0, position1, tag, digest0, digest1, segment, offset, word);
    }
  }

  /** Takes out the entry under the cursor. */
  forget(): void {
    this.#release();
    this.index.remove();
  }

  /** A segment's file, once it has the record at `offset`. @throws DiskError */
  #fileOf(number: number, offset: number): DiskFile | null {
    const segment = this.#byNumber.get(number);
    if (segment === undefined) return null;
    if (offset >= segment.end - segment.staged) this.onUnread();
    return segment.file;
  }

  #hold(number: number, count: number): boolean {
    const segment = this.#byNumber.get(number);
    if (segment !== undefined) segment.holds += count;
    return segment !== undefined;
  }

  #chunkDamaged(segment: number, offset: number): void {
    const place = `${segment}:${offset}`;
    if (this.#damagedChunks.has(place)) return;
    if (this.#damagedChunks.size < DAMAGED_CHUNKS_MAX) this.#damagedChunks.add(place);
    this.onDamagedChunk();
  }

  /** The record under the cursor and its bodies are no longer reached. */
  #release(): void {
    const { segment, offset, length } = this;
    this.#account(segment, -length);
    if (this.hasBodies) this.#accountBodies(segment, offset, length, -1);
  }

  #account(number: number, bytes: number): void {
    const segment = this.#byNumber.get(number);
    if (segment !== undefined) segment.live += bytes;
    else {
      const live = this.gone.get(number);
      if (live !== undefined) this.gone.set(number, live + bytes);
    }
  }

  #enterBodies(number: number, offset: number, length: number): void {
    const segment = this.#byNumber.get(number);
    if (segment !== undefined) segment.hasBodies = true;
    this.#accountBodies(number, offset, length, 1);
  }

  #accountBodies(segment: number, offset: number, length: number, sign: number): void {
    const { reader } = this;
    if (!this.#canPeek(segment, offset, length)) {
      this.isUncertain = true;
      return;
    }
    for (let version = 0; version < reader.versions; version++) {
      const place = reader.placeSegment(version);
      if (place === PLACE_INLINE || place === PLACE_LOST) continue;
      if (reader.isChunked(version)) this.#accountChunks(version, sign);
      else {
        const bytes = HEADER_BYTES + reader.header.nameLength + reader.lengthOf(version);
        this.#account(place, sign * bytes);
      }
    }
  }

  /**
   * A payload in chunks takes the chunks and their list. Where the list's file is gone, so is what
   * referred to it: recovery reads on, finds it replaced, and accounts for nothing both times. (In a
   * snapshot's accounts it stands with all its chunks: then they are uncertain.)
   */
  #accountChunks(version: number, sign: number): void {
    const { reader } = this;
    const place = reader.placeSegment(version);
    const segment = this.#byNumber.get(place);
    const list = segment === undefined ? null : this.#chunksOf(version);
    if (list === null) {
      this.isUncertain ||= segment !== undefined || this.gone.has(place);
      return;
    }
    // What replaces it after a start from a snapshot has to read it again.
    if (segment !== undefined) segment.hasBodies = true;
    const listBytes = HEADER_BYTES + reader.header.nameLength + list.encodedLength;
    this.#account(place, sign * listBytes);
    const length = reader.lengthOf(version);
    for (let chunk = 0; chunk < list.count; chunk++) {
      const bytes = HEADER_BYTES + list.lengthOf(chunk, length);
      this.#account(list.places[chunk * 2], sign * bytes);
    }
  }

  #chunksOf(version: number): ChunkList | null {
    try {
      return this.reader.chunksOf(version);
    } catch (error) {
      if (error instanceof DiskError) return null;
      throw error;
    }
  }

  #canPeek(segment: number, offset: number, length: number): boolean {
    try {
      return this.reader.peek(segment, offset, length, null) === "found";
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }
}
