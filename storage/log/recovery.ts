/**
 * From the files of a log to its index, after any death of process or machine.
 *
 *   segment 1                      segment 2                     segment 3
 *   ├ ok ┼ ok ┼ ok ┤               ├ ok ┼ ▒▒▒ ┼ ok ┼ ok ┤        ├ ok ┼ ok ┼ ▒▒ ┼ ok ┤ zeros
 *                                        └ damage: go on at             ▲   └ torn tail: cut here
 *                                          the next mark                └ durable up to here
 *
 * Records are read in order, the last one of a name wins. Where no intact record lies, one question
 * decides: was this place durable? Each record says up to where the log was synced when it was
 * written, and the greatest such position is the boundary. Before it, the bytes were whole once: it
 * is damage, it is reported, and reading goes on at the next mark; nothing that follows is dropped.
 * At or after it, the machine died before a sync: the tail is cut there, once, although later
 * writes may have reached the disk: so the state is a prefix of what was written, and holds all
 * that was synced.
 *
 * Before the boundary only headers are checked (10 million objects open within seconds); payloads
 * are checked when they are read. After it everything is checked. A record with a sound header and
 * damaged content stays in the index, and reads of it answer "damaged". Where a header is lost, so
 * is the name: counted in `lostNames`.
 *
 * Where a snapshot of the index fits the log, only what follows it is read, by the same rules; where
 * anything contradicts it, it is removed and the whole log is read.
 */

import { type Disk, DiskError } from "../disk.ts";
import { DurableBoundary } from "./durable-boundary.ts";
import {
  FORMAT_VERSION,
  HEADER_BYTES,
  KIND_SEGMENT,
  KIND_SYNCED,
  type RecordHeader,
} from "./record.ts";
import { HistoryTeller, type LogHistory } from "./log-history.ts";
import type { RecordMap } from "./record-map.ts";
import { RecordReplay } from "./record-replay.ts";
import { Segment, segmentNumber, segmentPath } from "./segment.ts";
import { NewerFormatError, SegmentScan } from "./segment-scan.ts";
import { SNAPSHOT_LEFTOVERS, SNAPSHOT_NAME } from "./snapshot.ts";
import { retell } from "./recent-log.ts";
import { loadSnapshot, type SnapshotReader } from "./snapshot-reader.ts";

/** Damaged places beyond this many are counted, not listed. */
const DAMAGES_LISTED_MAX = 1000;
/** At once, of what is written once more. */
const REWRITE_BYTES = 256 << 10;

export interface Damage {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface RecoveryReport {
  records: number;
  /** Damaged places before the durable boundary. */
  damaged: number;
  /** Of those, the ones whose names cannot be told. */
  lostNames: number;
  readonly damages: Damage[];
  /** Bytes that were cut off the end. */
  tornBytes: number;
  /** Whether the last record is not yet covered by a durable position (see log-engine). */
  needsSyncedRecord: boolean;
  /** Bytes of log that were read: all, or what follows the snapshot of the index. */
  scannedBytes: number;
  /** Whether a snapshot of the index saved the rest. */
  isFromSnapshot: boolean;
  /** Why a snapshot that was there was not believed; "": it was, or there was none. */
  snapshotProblem: string;
}

/** Told how far the reading of a log has come, after each of its files. */
export type RecoveryProgress = (bytesDone: number, bytesTotal: number) => void;

export class Recovery {
  readonly report: RecoveryReport;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #map: RecordMap;
  readonly #scan: SegmentScan;
  readonly #teller: HistoryTeller | null;
  readonly #replay: RecordReplay;
  readonly #boundary: DurableBoundary;
  /** Segment number → where its records end at least. */
  readonly #ends: Map<number, number>;
  readonly #progress: RecoveryProgress;
  readonly #history: LogHistory | null;
  /** The snapshot that the map was filled from; null: there is none. */
  #snapshot: SnapshotReader | null;
  /** Segment number → the place up to which the snapshot has its records. */
  readonly #starts: Map<number, number>;
  /** What is being read, for the sentence of a failure. */
  #path: string;

  /** @param history wants to know what the log tells of the recent past */
  constructor(
    disk: Disk,
    folder: string,
    map: RecordMap,
    history: LogHistory | null,
    progress: RecoveryProgress,
  ) {
    this.report = {
      records: 0,
      damaged: 0,
      lostNames: 0,
      damages: [],
      tornBytes: 0,
      needsSyncedRecord: false,
      scannedBytes: 0,
      isFromSnapshot: false,
      snapshotProblem: "",
    };
    this.#disk = disk;
    this.#folder = folder;
    this.#map = map;
    this.#scan = new SegmentScan();
    this.#history = history;
    this.#teller = history === null ? null : new HistoryTeller(history, map, this.#scan);
    const untold = (segment: Segment, offset: number, bytes: number): void => {
      this.#damaged(segment, offset, bytes);
    };
    this.#replay = new RecordReplay(map, this.#scan, untold, this.#teller);
    this.#boundary = new DurableBoundary();
    this.#ends = new Map();
    this.#progress = progress;
    this.#snapshot = null;
    this.#starts = new Map();
    this.#path = folder;
  }

  /** Fills the map. @throws DiskError, NewerFormatError with a sentence for the operator */
  run(): void {
    try {
      this.#recover();
    } catch (error) {
      throw explained(error, this.#path);
    }
  }

  #recover(): void {
    const names = this.#disk.list(this.#folder);
    this.#openSegments(names);
    const cutAt = names.includes(SNAPSHOT_NAME) ? this.#readTail() : this.#readLog();
    for (const name of SNAPSHOT_LEFTOVERS) if (names.includes(name)) this.#removeFile(name);
    if (cutAt >= 0) this.#cutFrom([...this.#map.segments], cutAt);
    this.#dropEmpty();
    this.#makeDurable();
  }

  /**
   * Fills the map from the snapshot and from what follows it in the log; from the whole log where
   * the two do not fit. Returns as #readLog().
   */
  #readTail(): number {
    const { report } = this;
    const problem = this.#takeSnapshot();
    const cutAt = problem === "" ? this.#readLog() : -1;
    report.snapshotProblem = problem === "" ? this.#contradiction() : problem;
    report.isFromSnapshot = report.snapshotProblem === "";
    if (report.isFromSnapshot) return cutAt;
    // Before anything is written: later records could make it look as if it fitted.
    this.#removeFile(SNAPSHOT_NAME);
    this.#startOver();
    return this.#readLog();
  }

  /** Fills the map from the snapshot; "" or why it is not believed. */
  #takeSnapshot(): string {
    const path = `${this.#folder}/${SNAPSHOT_NAME}`;
    try {
      const { reader, problem } = loadSnapshot(this.#disk, path, this.#map);
      for (const number of reader.known) {
        this.#starts.set(number, this.#map.segmentOf(number)?.end ?? 0);
      }
      this.#boundary.take(reader.last.durableSegment, reader.last.durableOffset);
      if (problem === "") this.#snapshot = reader;
      return problem;
    } catch (error) {
      if (error instanceof DiskError) return error.message;
      throw error;
    }
  }

  /** What the log says against the snapshot that it was read from; "": nothing. */
  #contradiction(): string {
    for (const [number, live] of this.#map.gone) {
      if (live !== 0) return `segment ${number} is gone, and records in it are not replaced`;
    }
    this.#map.gone.clear();
    if (this.#map.isUncertain) return "the accounts of a segment that is gone are needed";
    return this.report.damaged > 0 ? "the log behind it is damaged" : "";
  }

  #startOver(): void {
    const { report } = this;
    report.records = 0;
    report.damaged = 0;
    report.lostNames = 0;
    report.damages.length = 0;
    report.tornBytes = 0;
    report.needsSyncedRecord = false;
    report.scannedBytes = 0;
    this.#snapshot = null;
    this.#map.clear();
    this.#boundary.clear();
    this.#starts.clear();
    this.#ends.clear();
  }

  /**
   * Enters all records into the map, from each segment's start on. Returns the index of the segment
   * at whose end the log has to be cut, or -1.
   */
  #readLog(): number {
    this.#readEnds();
    this.#findBoundary();
    if (this.#snapshot !== null) {
      this.#trust(this.#snapshot);
      this.#retell(this.#snapshot.header.segment);
    }
    const { segments } = this.#map;
    const sizes = segments.map((segment) => segment.file.size() - this.#startOf(segment));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    for (let index = 0; index < segments.length; index++) {
      const isWhole = this.#readSegment(segments[index]);
      this.report.scannedBytes += segments[index].end - this.#startOf(segments[index]);
      if (!isWhole) return index;
      done += sizes[index];
      this.#progress(done, total);
    }
    return -1;
  }

  #startOf(segment: Segment): number {
    return this.#starts.get(segment.number) ?? 0;
  }

  #openSegments(names: readonly string[]): void {
    const numbers: number[] = [];
    for (const name of names) {
      const number = segmentNumber(name);
      if (number > 0) numbers.push(number);
    }
    numbers.sort((left, right) => left - right);
    for (const number of numbers) {
      const file = this.#disk.open(segmentPath(this.#folder, number));
      this.#map.addSegment(new Segment(number, file));
    }
  }

  /** The greatest durable position that a record of the last segment with records tells. */
  #findBoundary(): void {
    const { segments } = this.#map;
    for (let index = segments.length - 1; index >= 0; index--) {
      this.#scanFile(segments[index]);
      const start = this.#startOf(segments[index]);
      const isFound = this.#boundary.readFrom(this.#scan, start);
      if (isFound) this.#teller?.readNewest();
      if (isFound || start > 0) return;
    }
  }

  /** A snapshot stands only where all before its end is durable, which the log may not tell yet. */
  #trust(snapshot: SnapshotReader): void {
    const { segment, end } = snapshot.header;
    const isTold = snapshot.last.kind === KIND_SYNCED || this.#boundary.covers(segment, end - 1);
    this.report.needsSyncedRecord = !isTold;
    this.#boundary.take(segment, end);
  }

  /** Shows the history what the snapshot has saved the reading of. */
  #retell(last: number): void {
    const { segments, index } = this.#map;
    if (this.#history === null) return;
    for (const segment of segments) this.#teller?.takeNewest(segment.newestMs);
    retell(this.#history, segments, last, index.treeKey, (segment) => this.#startOf(segment));
  }

  /** Enters a segment's records into the map; false where the log has to be cut at segment.end. */
  #readSegment(segment: Segment): boolean {
    const endAtLeast = this.#ends.get(segment.number) ?? 0;
    const scan = this.#scan;
    this.#scanFile(segment);
    let at = this.#startOf(segment);
    for (;;) {
      const isDurable = this.#boundary.covers(segment.number, at);
      if (scan.isRecord(at) && (isDurable || scan.isWhole(at))) {
        this.#enter(segment, scan.header);
        at += scan.header.length;
        continue;
      }
      const next = this.#scan.nextRecord(at + 1);
      const end = next >= 0 ? next : Math.max(this.#scan.contentEnd(at), endAtLeast);
      segment.end = at;
      if (end <= at) return true;
      if (!isDurable) {
        this.report.tornBytes += end - at;
        return false;
      }
      this.#damaged(segment, at, end - at);
      at = end;
    }
  }

  /** Each segment's first record says where the one before it ended. */
  #readEnds(): void {
    for (const segment of this.#map.segments) {
      if (this.#starts.has(segment.number)) continue;
      this.#scanFile(segment);
      if (!this.#scan.isRecord(0) || this.#scan.header.kind !== KIND_SEGMENT) continue;
      this.#ends.set(this.#scan.header.digest0, this.#scan.header.digest1);
    }
  }

  #enter(segment: Segment, header: RecordHeader): void {
    this.report.records++;
    segment.last = header.offset;
    this.#teller?.stamp(segment);
    if (header.kind !== KIND_SYNCED) {
      const end = header.offset + header.length;
      this.report.needsSyncedRecord = !this.#boundary.covers(segment.number, end - 1);
    }
    this.#replay.enter(segment);
  }

  #damaged(segment: Segment, offset: number, bytes: number): void {
    const { report } = this;
    report.damaged++;
    // The first record of a segment carries no name.
    if (offset > 0 || bytes !== HEADER_BYTES) report.lostNames++;
    if (report.damages.length >= DAMAGES_LISTED_MAX) return;
    report.damages.push({ segment: segment.number, offset, bytes });
  }

  /** Drops everything from segments[index].end on, the last file first. */
  #cutFrom(segments: Segment[], index: number): void {
    for (let last = segments.length - 1; last > index; last--) {
      this.report.tornBytes += this.#sizeWithoutZeros(segments[last]);
      this.#remove(segments[last]);
    }
    const segment = segments[index];
    // makeDurable() syncs the cut: what was cut off must not come back behind later records.
    segment.file.truncate(segment.end);
  }

  #sizeWithoutZeros(segment: Segment): number {
    this.#scanFile(segment);
    return this.#scan.contentEnd(0);
  }

  /** Files that were prepared and never used. */
  #dropEmpty(): void {
    for (const segment of [...this.#map.segments]) if (segment.end === 0) this.#remove(segment);
  }

  #remove(segment: Segment): void {
    this.#map.dropSegment(segment);
    segment.file.close();
    this.#disk.remove(segmentPath(this.#folder, segment.number));
    this.#disk.syncFolder(this.#folder);
  }

  #removeFile(name: string): void {
    this.#path = `${this.#folder}/${name}`;
    this.#disk.remove(this.#path);
    this.#disk.syncFolder(this.#folder);
  }

  /**
   * What was recovered counts as durable from here on, so it must be. What no sync is known to have
   * covered is written once more before: where a sync of the process before failed, the kernel holds
   * those bytes for clean, shows them, and would call the next sync a success without them.
   */
  #makeDurable(): void {
    const { segments } = this.#map;
    const { segment: first, offset } = this.#boundary;
    for (const segment of segments) {
      if (segment.number < first) continue;
      this.#rewrite(segment, segment.number === first ? offset : 0);
      segment.file.syncNow();
    }
    const last = segments.length === 0 ? null : segments[segments.length - 1];
    if (last === null) return;
    const size = last.file.size();
    last.preallocated = size > last.end ? size : 0;
  }

  #rewrite(segment: Segment, start: number): void {
    this.#path = segmentPath(this.#folder, segment.number);
    const bytes = new Uint8Array(Math.min(REWRITE_BYTES, Math.max(0, segment.end - start)));
    for (let at = start; at < segment.end; at += bytes.length) {
      const end = Math.min(bytes.length, segment.end - at);
      const count = segment.file.read(bytes, 0, end, at);
      segment.file.write(bytes, 0, count, at);
    }
  }

  #scanFile(segment: Segment): void {
    this.#path = segmentPath(this.#folder, segment.number);
    this.#scan.open(segment.file, segment.number);
  }
}

/** The same failure, with the file in it. */
function explained(error: unknown, path: string): unknown {
  if (error instanceof NewerFormatError) {
    const known = `this program knows formats up to ${FORMAT_VERSION}`;
    return new NewerFormatError(`Cannot open ${path}: ${error.message}, ${known}`);
  }
  if (error instanceof DiskError) {
    return new DiskError(error.code, `Cannot recover ${path}: ${error.message}`);
  }
  return error;
}
