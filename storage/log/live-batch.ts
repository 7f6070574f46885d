/**
 * Some thousand live records of one segment, in ring order, ready to be moved.
 *
 *   segment   │ a │ b │▒▒▒│ c │▒▒▒▒▒│ d │ e │ …     in the order of writing
 *             └── gather(): those that are reached ──┘
 *   batch     d  a  e  b  c                         by position: records of one partition together
 *
 * One record of the segment is looked at after the other, by its header alone; whether the index
 * still reaches it is asked again when it is moved, since the store goes on being written meanwhile.
 * A batch is bounded, so that sorting it (under a millisecond) stalls nobody.
 */

import { KIND_BODY, KIND_CHUNKS, KIND_OBJECT, KIND_REMOVE, type RecordHeader } from "./record.ts";
import type { RecordMap } from "./record-map.ts";
import type { Segment } from "./segment.ts";
import { SegmentScan } from "./segment-scan.ts";

const RECORDS = 8192;
/** A read from a cold disk must stay short. */
const WINDOW_BYTES = 64 << 10;

export class LiveBatch {
  /** The record that next() went to. */
  kind: number;
  offset: number;
  position0: number;
  position1: number;
  tag: number;
  /** Places of the segment where no header could be read. */
  damaged: number;
  readonly #map: RecordMap;
  readonly #scan: SegmentScan;
  /** Position × RECORDS + ordinal: sorts as numbers, below 2^45. */
  readonly #keys: Float64Array;
  /** By ordinal. */
  readonly #kinds: Uint8Array;
  readonly #offsets: Uint32Array;
  readonly #position1s: Uint32Array;
  readonly #tags: Uint32Array;
  #segment: Segment | null;
  #isOldest: boolean;
  #at: number;
  #count: number;
  #next: number;
  #isSorted: boolean;

  constructor(map: RecordMap) {
    this.kind = 0;
    this.offset = 0;
    this.position0 = 0;
    this.position1 = 0;
    this.tag = 0;
    this.damaged = 0;
    this.#map = map;
    this.#scan = new SegmentScan(WINDOW_BYTES);
    this.#keys = new Float64Array(RECORDS);
    this.#kinds = new Uint8Array(RECORDS);
    this.#offsets = new Uint32Array(RECORDS);
    this.#position1s = new Uint32Array(RECORDS);
    this.#tags = new Uint32Array(RECORDS);
    this.#segment = null;
    this.#isOldest = false;
    this.#at = 0;
    this.#count = 0;
    this.#next = 0;
    this.#isSorted = false;
  }

  /** @param isOldest its removes are needed no more @throws DiskError */
  open(segment: Segment, isOldest: boolean): void {
    this.#scan.open(segment.file, segment.number);
    this.#segment = segment;
    this.#isOldest = isOldest;
    this.#at = 0;
    this.damaged = 0;
    this.#clear();
  }

  /** Whether the segment has been gone through and nothing is left in the batch. */
  get isAtEnd(): boolean {
    return this.#isThrough && this.#next >= this.#count;
  }

  /** Whether gather() has to be called before next(). */
  get isGathering(): boolean {
    return !this.#isSorted;
  }

  /**
   * Looks at the records of the next `bytes` of the segment; returns how many bytes it went on.
   * @throws DiskError, NewerFormatError
   */
  gather(bytes: number): number {
    const from = this.#at;
    while (!this.#isThrough && this.#count < RECORDS && this.#at - from < bytes) this.#look();
    if (this.#isThrough || this.#count === RECORDS) {
      this.#keys.subarray(0, this.#count).sort();
      this.#isSorted = true;
    }
    return this.#at - from;
  }

  /** Goes to the next record in ring order; false where the batch is used up. */
  next(): boolean {
    if (this.#next >= this.#count) {
      this.#clear();
      return false;
    }
    const key = this.#keys[this.#next++];
    const ordinal = key % RECORDS;
    this.position0 = (key - ordinal) / RECORDS;
    this.kind = this.#kinds[ordinal];
    this.offset = this.#offsets[ordinal];
    this.position1 = this.#position1s[ordinal];
    this.tag = this.#tags[ordinal];
    return true;
  }

  get #isThrough(): boolean {
    return this.#segment === null || this.#at >= this.#segment.end;
  }

  #clear(): void {
    this.#count = 0;
    this.#next = 0;
    this.#isSorted = false;
  }

  #look(): void {
    const scan = this.#scan;
    if (!scan.isRecord(this.#at)) {
      this.damaged++;
      const next = scan.nextRecord(this.#at + 1);
      this.#at = next < 0 ? this.#segment?.end ?? 0 : next;
      return;
    }
    if (this.#isWanted(scan.header)) this.#add(scan.header);
    this.#at += scan.header.length;
  }

  #isWanted(header: RecordHeader): boolean {
    if (header.kind === KIND_REMOVE) return !this.#isOldest;
    const { index } = this.#map;
    const isPart = header.kind === KIND_BODY || header.kind === KIND_CHUNKS;
    if (header.kind !== KIND_OBJECT && !isPart) return false;
    if (!index.seek(header.position0, header.position1, header.tag)) return false;
    do {
      const { segment, offset, hasBodies } = this.#map;
      if (isPart && hasBodies) return true;
      if (segment === header.segment && offset === header.offset) return true;
    } while (index.next());
    return false;
  }

  #add(header: RecordHeader): void {
    const ordinal = this.#count++;
    this.#keys[ordinal] = header.position0 * RECORDS + ordinal;
    this.#kinds[ordinal] = header.kind;
    this.#offsets[ordinal] = header.offset;
    this.#position1s[ordinal] = header.position1;
    this.#tags[ordinal] = header.tag;
  }
}
