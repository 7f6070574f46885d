/**
 * Fills a map from a snapshot of the index, if it can be believed.
 *
 *   whole      the file has the length that its header tells, and every part passes its checksum
 *   ours       the record that it calls the last one lies in the log where it says
 *   possible   no segment is shorter than it was, and none has come up among the old ones
 *
 * Segments may be gone: those without a live record are deleted, and what replaced their last ones
 * follows the snapshot in the log. What of them is still reached when the log has been read to its
 * end tells a snapshot that does not fit (RecordMap#gone); recovery asks for that.
 */

import { readU32 } from "../../core/bytes.ts";
import type { Disk, DiskFile } from "../disk.ts";
import { REGIONS } from "../index-region.ts";
import { HEADER_BYTES, RecordHeader } from "./record.ts";
import type { RecordMap } from "./record-map.ts";
import {
  CHECKSUM_BYTES,
  ENTRY_BYTES,
  endsWithChecksum,
  isNeeded,
  REGION_FRAME_BYTES,
  SNAPSHOT_HEADER_BYTES,
  SnapshotHeader,
  TABLE_ROW_BYTES,
  tableBytes,
  takeRow,
} from "./snapshot.ts";

const WINDOW_BYTES = 1 << 20;

export class SnapshotReader {
  /** Up to which place of the log it is true. */
  readonly header: SnapshotHeader;
  /** The last record before that place: its header. */
  readonly last: RecordHeader;
  /** The numbers of the segments in its table. */
  readonly known: Set<number>;
  readonly #file: DiskFile;
  readonly #map: RecordMap;
  #window: Uint8Array;
  #start: number;
  #count: number;

  /** @throws DiskError */
  constructor(file: DiskFile, map: RecordMap) {
    this.header = new SnapshotHeader();
    this.last = new RecordHeader();
    this.known = new Set();
    this.#file = file;
    this.#map = map;
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, file.size()));
    this.#start = 0;
    this.#count = 0;
  }

  /**
   * Fills the map, whose segments are open and without accounts; "": done. Else why the snapshot is
   * not believed, and the map holds rubbish. @throws DiskError
   */
  load(): string {
    const { header } = this;
    if (!header.decode(this.#bytesAt(0, SNAPSHOT_HEADER_BYTES))) return "its header is damaged";
    if (this.#file.size() !== header.fileBytes) return "its length is not what its header tells";
    const table = this.#bytesAt(SNAPSHOT_HEADER_BYTES, tableBytes(header.segments));
    if (!endsWithChecksum(table)) return "its segment table is damaged";
    const problem = this.#takeTable(table);
    if (problem !== "") return problem;
    if (!this.#isOfThisLog()) return "it is of another log";
    return this.#takeRegions() ? "" : "a region is damaged";
  }

  #takeTable(table: Uint8Array): string {
    for (let at = 0; at < table.length - CHECKSUM_BYTES; at += TABLE_ROW_BYTES) {
      const number = readU32(table, at);
      this.known.add(number);
      const segment = this.#map.segmentOf(number);
      if (segment === null) {
        this.#map.gone.set(number, readU32(table, at + 8));
        continue;
      }
      takeRow(segment, table, at);
      segment.isPinned = isNeeded(segment, this.header.segment);
      if (segment.file.size() < segment.end) return `segment ${number} was longer`;
    }
    for (const { number } of this.#map.segments) {
      const isOld = number <= this.header.segment;
      if (isOld && !this.known.has(number)) return `it does not know segment ${number}`;
    }
    return "";
  }

  #isOfThisLog(): boolean {
    const { segment: number, end, last, lastChecksum } = this.header;
    const segment = this.#map.segmentOf(number);
    if (segment === null || !this.known.has(number)) return false;
    const bytes = new Uint8Array(HEADER_BYTES);
    if (segment.file.read(bytes, 0, HEADER_BYTES, last) < HEADER_BYTES) return false;
    if (this.last.decode(bytes, 0, number, last) !== "valid") return false;
    segment.last = last;
    return last + this.last.length === end && readU32(bytes, 4) === lastChecksum;
  }

  #takeRegions(): boolean {
    const { index } = this.#map;
    let position = SNAPSHOT_HEADER_BYTES + tableBytes(this.header.segments);
    for (let left = this.header.regions; left > 0; left--) {
      const frame = this.#bytesAt(position, 8);
      if (frame.length < 8) return false;
      const region = readU32(frame, 0);
      const count = readU32(frame, 4);
      const length = REGION_FRAME_BYTES + count * ENTRY_BYTES;
      if (count > this.header.objects || region >= REGIONS) return false;
      const block = this.#bytesAt(position, length);
      if (block.length < length || !endsWithChecksum(block)) return false;
      if (index.countIn(region) > 0) return false;
      // Parts lie at multiples of four bytes, in the file and in the window.
      const start = block.byteOffset + 8;
      index.fillRegion(region, new Uint32Array(block.buffer, start, (length - 12) >>> 2));
      position += length;
    }
    return index.count === this.header.objects;
  }

  /** The file's bytes [at, at + length), fewer where it ends: a view until the next call. */
  #bytesAt(at: number, length: number): Uint8Array {
    if (at < this.#start || at + length > this.#start + this.#count) {
      if (length > this.#window.length) this.#window = new Uint8Array(length);
      this.#start = at;
      this.#count = this.#file.read(this.#window, 0, this.#window.length, at);
    }
    const index = at - this.#start;
    return this.#window.subarray(index, Math.min(index + length, this.#count));
  }
}

/** Opens the snapshot at `path` and reads it; see SnapshotReader#load. @throws DiskError */
export function loadSnapshot(
  disk: Disk,
  path: string,
  map: RecordMap,
): { readonly reader: SnapshotReader; readonly problem: string } {
  const file = disk.open(path);
  try {
    const reader = new SnapshotReader(file, map);
    return { reader, problem: reader.load() };
  } finally {
    file.close();
  }
}
