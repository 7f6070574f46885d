/**
 * Writes one snapshot of the index while the index goes on changing.
 *
 *   begin             a write to region 9          piece            piece
 *   │ the accounts    │ region 9 as it was,        │ 0, 1, 2, 3 …   │ …, 4094, 4095   │ header
 *   ▼                 ▼ then the write             ▼                ▼                 ▼
 *   ├─────────────────┼────────────────────────────┼────────────────┼─────────────────┤
 *
 * All of it is true at one place of the log, that of the beginning: a region that is about to change
 * is written before it does, the others when their turn comes. So each is written once, nothing is
 * kept twice in memory, and a start that goes on from that place has the very state of one that
 * read the whole log.
 *
 * A region of a million objects' index is 8 KB, of ten millions' 78 KB: that is what a write may
 * have to wait for, once a region.
 */

import { crc32c } from "../../core/crc32c.ts";
import { type Disk, DiskError, type DiskFile } from "../disk.ts";
import { REGIONS } from "../index-region.ts";
import type { PositionIndex } from "../position-index.ts";
import type { RecordMap } from "./record-map.ts";
import type { Segment } from "./segment.ts";
import {
  CHECKSUM_BYTES,
  encodeTable,
  ENTRY_BYTES,
  isNeeded,
  REGION_FRAME_BYTES,
  SNAPSHOT_HEADER_BYTES,
  SNAPSHOT_NAME,
  SNAPSHOT_NEW_NAME,
  SNAPSHOT_OLD_NAME,
  SnapshotHeader,
} from "./snapshot.ts";

/** Written in one go: half a millisecond of work. */
const PIECE_BYTES = 128 << 10;

export class SnapshotWriter {
  /** The last segment at the beginning. */
  readonly last: Segment;
  readonly file: DiskFile;
  /** Why it cannot be finished; null: all is well. */
  failure: DiskError | null;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #map: RecordMap;
  readonly #header: SnapshotHeader;
  /** Segments whose files it will need. */
  readonly #needed: Set<Segment>;
  /** 1: the region has been written. */
  readonly #taken: Uint8Array;
  #region: number;
  /** Staged bytes, and the same as words. */
  #bytes: Uint8Array;
  #words: Uint32Array;
  #staged: number;
  /** Where the staged bytes go in the file. */
  #position: number;
  #isOpen: boolean;

  /** Begins: all that is in the map now is in the snapshot. @throws DiskError */
  constructor(disk: Disk, folder: string, map: RecordMap, last: Segment) {
    this.last = last;
    this.failure = null;
    this.#disk = disk;
    this.#folder = folder;
    this.#map = map;
    this.#header = headerOf(map, last);
    this.#needed = new Set(map.segments.filter((segment) => isNeeded(segment, last.number)));
    // From now on: what the old snapshot needs has to stay as well until this one stands.
    for (const segment of this.#needed) segment.isPinned = true;
    this.#isOpen = true;
    this.#taken = new Uint8Array(REGIONS);
    this.#region = 0;
    const { regions, objects } = this.#header;
    const wanted = regions * REGION_FRAME_BYTES + objects * ENTRY_BYTES;
    this.#bytes = new Uint8Array(Math.min(PIECE_BYTES, wanted));
    this.#words = new Uint32Array(this.#bytes.buffer);
    this.#staged = 0;
    const path = `${folder}/${SNAPSHOT_NEW_NAME}`;
    if (disk.exists(path)) disk.remove(path);
    this.file = disk.open(path, { create: true });
    const table = encodeTable(map.segments);
    this.#position = SNAPSHOT_HEADER_BYTES + table.length;
    try {
      this.file.write(table, 0, table.length, SNAPSHOT_HEADER_BYTES);
    } catch (error) {
      this.abandon();
      throw error;
    }
    map.index.beforeChange = (region) => this.#save(region);
  }

  /** Bytes written so far. */
  get written(): number {
    return this.#position;
  }

  /** Writes the next regions; true: all are written. @throws DiskError */
  writePiece(): boolean {
    if (this.failure !== null) throw this.failure;
    const until = this.#position + PIECE_BYTES;
    while (this.#region < REGIONS && this.#position + this.#staged < until) {
      this.#take(this.#region);
      this.#region++;
    }
    this.#flush();
    if (this.#region < REGIONS) return false;
    this.#map.index.beforeChange = null;
    return true;
  }

  /** Writes the header, without which the rest is nothing. @throws DiskError */
  writeHeader(): void {
    const bytes = this.#header.encode();
    this.file.write(bytes, 0, bytes.length, 0);
  }

  /** Puts it in the place of the one before. REQUIRES: the file is durable. @throws DiskError */
  publish(): void {
    this.#close();
    const path = `${this.#folder}/${SNAPSHOT_NAME}`;
    const old = `${this.#folder}/${SNAPSHOT_OLD_NAME}`;
    // A crash in between finds no snapshot, and the next start takes its time.
    if (this.#disk.exists(path)) this.#disk.rename(path, old);
    this.#disk.rename(`${this.#folder}/${SNAPSHOT_NEW_NAME}`, path);
    this.#disk.syncFolder(this.#folder);
    for (const segment of this.#map.segments) segment.isPinned = this.#needed.has(segment);
  }

  /** Gives up; what cannot be removed is removed by the next one, or at the next start. */
  abandon(): void {
    this.#map.index.beforeChange = null;
    try {
      this.#close();
      this.#disk.remove(`${this.#folder}/${SNAPSHOT_NEW_NAME}`);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.file.close();
  }

  /** A region is about to change. Its writer is not troubled with a failing snapshot. */
  #save(region: number): void {
    try {
      this.#take(region);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.failure = error;
      this.#map.index.beforeChange = null;
    }
  }

  #take(region: number): void {
    if (this.#taken[region] === 1) return;
    this.#taken[region] = 1;
    const { index } = this.#map;
    const count = index.countIn(region);
    if (count > 0) this.#stage(index, region, count);
  }

  #stage(index: PositionIndex, region: number, count: number): void {
    const length = REGION_FRAME_BYTES + count * ENTRY_BYTES;
    if (this.#staged + length > this.#bytes.length) this.#flush();
    if (length > this.#bytes.length) {
      this.#bytes = new Uint8Array(length);
      this.#words = new Uint32Array(this.#bytes.buffer);
    }
    const at = this.#staged;
    const end = at + length - CHECKSUM_BYTES;
    this.#words[at >>> 2] = region;
    this.#words[(at >>> 2) + 1] = count;
    index.copyRegion(region, this.#words, (at >>> 2) + 2);
    this.#words[end >>> 2] = crc32c(this.#bytes, at, end);
    this.#staged += length;
  }

  #flush(): void {
    if (this.#staged === 0) return;
    this.file.write(this.#bytes, 0, this.#staged, this.#position);
    this.#position += this.#staged;
    this.#staged = 0;
  }
}

function headerOf(map: RecordMap, last: Segment): SnapshotHeader {
  const header = new SnapshotHeader();
  for (let region = 0; region < REGIONS; region++) {
    if (map.index.countIn(region) > 0) header.regions++;
  }
  header.objects = map.index.count;
  header.segments = map.segments.length;
  header.segment = last.number;
  header.end = last.end;
  header.last = last.last;
  header.lastChecksum = map.reader.checksumAt(last.number, last.last);
  return header;
}
