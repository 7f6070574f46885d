/**
 * The engine on an append-only log (after Bitcask, and Rosenblum and Ousterhout's log-structured
 * file system, 1992): a write appends one record and points the index at it; a read is one lookup
 * and one pread.
 *
 *   write ─▶ SetWriter ─▶ LogWriter ─▶ 00000007.log        read ─▶ SetReader ─▶ RecordReader
 *                │                         ▲                          ▲
 *                └────────▶ RecordMap ─────┼──────────────────────────┘
 *   sync ──▶ LogSync ──────────────────────┘
 *
 * What is refused leaves nothing behind: "full" while the disk has too little room (asked by bytes
 * written, not at each write) and over again once it has; a failed write or sync seals the engine,
 * which goes on answering reads. Versions without payloads (deletes) and removals pass the
 * watermark: they are how space comes back.
 */

import type { MerkleTree } from "../../core/merkle-tree.ts";
import type { ObjectName } from "../../core/object-name.ts";
import { SLICE_BYTES, STREAM_BYTES_MIN } from "../../core/limits.ts";
import { payloadLength, versionOffset } from "../../core/version-set.ts";
import { type Disk, DiskError, isOutOfRoom, missingRoom } from "../disk.ts";
import type {
  Engine,
  EngineOptions,
  EngineStats,
  EntryKey,
  EntryOutcome,
  IndexEntry,
  ReadOutcome,
  Stage,
  VersionSet,
  WriteLabels,
  WriteOutcome,
} from "../engine.ts";
import { ChunkedPayload, type NameKey } from "./chunked-payload.ts";
import { ENTRY_DIGEST0, ENTRY_DIGEST1 } from "../index-region.ts";
import { Compaction, type CompactionHost, type CompactionOptions } from "./compaction.ts";
import { HandOver } from "./hand-over.ts";
import { LogSync } from "./log-sync.ts";
import { LogWriter } from "./log-writer.ts";
import { RecordMap } from "./record-map.ts";
import type { RecordStatus } from "./record-reader.ts";
import { NOTE_BYTES_MAX } from "./record.ts";
import type { LogHistory } from "./log-history.ts";
import { SegmentStamps } from "./segment-stamps.ts";
import { Recovery, type RecoveryProgress, type RecoveryReport } from "./recovery.ts";
import { NewerFormatError } from "./segment-scan.ts";
import { SegmentSupply } from "./segment-supply.ts";
import { LogStage } from "./log-stage.ts";
import { SetReader, unreadable } from "./set-reader.ts";
import { PayloadGoneError, SetWriter } from "./set-writer.ts";
import { SNAPSHOT_BYTES_DEFAULT, Snapshots } from "./snapshots.ts";
import { Watermark } from "./watermark.ts";

export const SEGMENT_BYTES_DEFAULT = 64 << 20;
export const SEGMENT_BYTES_MIN = 4 << 10;
export const SEGMENT_BYTES_MAX = 1 << 30;

export interface LogOptions extends EngineOptions {
  /**
   * Size of a segment's file; a larger record makes a larger one. 4 KiB to 1 GiB; default 64 MiB.
   */
  readonly segmentBytes?: number;
  /** Bytes of recent sets that are held in memory (storage/object-buffer); default none. */
  readonly bufferBytes?: number;
  /** Shown what the log tells of the recent past, while it is read. */
  readonly history?: LogHistory;
  /** How the space of dead records comes back; without it, only with a segment's last record. */
  readonly compaction?: CompactionOptions;
  /**
   * Bytes of log after which the index is written to disk, so that the next start need not read
   * them; more where the index is large. 0: never. Default 64 MiB.
   */
  readonly snapshotBytes?: number;
  /** Told how far the reading of the log has come when it is opened. */
  readonly progress?: RecoveryProgress;
  /** Runs a callback at the end of this turn of the event loop (the clock port's). */
  readonly soon: (callback: () => void) => void;
}

export interface LogEngine extends Engine {
  /** What recovery found when the engine was opened. */
  readonly recovery: RecoveryReport;
}

const DONE: WriteOutcome = { status: "done" };

/**
 * Opens the log in `options.folder`, made where it is absent, and recovers what it holds. Calls
 * back with the engine, or with null and a sentence; may do so before it returns.
 */
export function openLogEngine(
  disk: Disk,
  options: LogOptions,
  done: (engine: LogEngine | null, error: string) => void,
): void {
  let engine: LogFileEngine;
  try {
    engine = new LogFileEngine(disk, options);
  } catch (error) {
    if (!(error instanceof DiskError) && !(error instanceof NewerFormatError)) throw error;
    done(null, error.message);
    return;
  }
  done(engine, "");
}

class LogFileEngine implements LogEngine {
  readonly recovery: RecoveryReport;
  readonly treeKey: Int32Array;
  readonly #map: RecordMap;
  readonly #writer: LogWriter;
  readonly #sets: SetWriter;
  readonly #reader: SetReader;
  readonly #handOver: HandOver;
  readonly #sync: LogSync;
  readonly #supply: SegmentSupply;
  readonly #snapshots: Snapshots;
  readonly #stamps = new SegmentStamps();
  readonly #watermark: Watermark;
  readonly #compaction: Compaction | null;
  readonly #sliceBytes: number;
  readonly #mayGrow: () => string;
  /** Why nothing may be written any more; "": all is well. */
  #failure: string;

  constructor(disk: Disk, options: LogOptions) {
    const { folder, segmentBytes = SEGMENT_BYTES_DEFAULT } = options;
    this.treeKey = options.treeKey;
    this.#mayGrow = options.mayGrow ?? (() => "");
    disk.makeFolder(folder);
    disk.syncFolder("");
    this.#map = new RecordMap(options.partitionBits, options.treeKey);
    this.#watermark = new Watermark(disk, this.#map, options);
    this.#supply = new SegmentSupply(disk, folder, segmentBytes);
    const { history = null, progress = () => {} } = options;
    const recovery = new Recovery(disk, folder, this.#map, history, progress);
    try {
      recovery.run();
    } catch (error) {
      for (const segment of this.#map.segments) segment.file.close();
      throw error;
    }
    this.recovery = recovery.report;
    this.#writer = new LogWriter(
      this.#map,
      this.#supply,
      segmentBytes,
      () => this.#watermark.hasRoomFor(2 * segmentBytes),
    );
    const { streamBytesMin = STREAM_BYTES_MIN, sliceBytes = SLICE_BYTES } = options;
    this.#sliceBytes = sliceBytes;
    this.#sets = new SetWriter(this.#writer, this.#map.reader, { streamBytesMin, sliceBytes });
    this.#reader = new SetReader(this.#map, options.bufferBytes ?? 0);
    this.#map.onDamagedChunk = () => {
      this.#reader.damaged++;
    };
    this.#failure = "";
    const failed = (detail: string): void => {
      if (this.#failure === "") this.#failure = detail;
    };
    this.#handOver = new HandOver(this.#writer, options.soon, failed);
    this.#map.onUnread = () => this.#writer.handOver();
    this.#sync = new LogSync(disk, folder, this.#map, this.#writer, this.#handOver, options.soon, failed);
    this.#snapshots = new Snapshots({
      disk,
      folder,
      map: this.#map,
      writer: this.#writer,
      sync: this.#sync,
      soon: options.soon,
      mayWrite: (bytes) => this.#watermark.hasRoomFor(bytes),
      bytesMin: this.recovery.damaged > 0 ? 0 : (options.snapshotBytes ?? SNAPSHOT_BYTES_DEFAULT),
      tailBytes: this.recovery.scannedBytes,
    });
    this.#reader.damaged = recovery.report.damaged;
    this.#begin();
    this.#compaction = options.compaction === undefined
      ? null
      : new Compaction(this.#compactionHost(segmentBytes), options.compaction);
    this.#sync.isYoung = (segment) => this.#compaction?.isYoung(segment) ?? false;
  }

  get unsynced(): boolean {
    return this.#sync.unsynced;
  }

  get lostNames(): number {
    return this.recovery.lostNames;
  }

  digestInto(name: ObjectName, target: Uint32Array, targetIndex: number): boolean {
    const { index } = this.#map;
    if (!index.seek(name.position0, name.position1, name.tag)) return false;
    target[targetIndex] = index.words[index.at + ENTRY_DIGEST0];
    target[targetIndex + 1] = index.words[index.at + ENTRY_DIGEST1];
    return true;
  }

  read(name: ObjectName, done: (outcome: ReadOutcome) => void): void {
    done(this.#reader.read(name, true));
  }

  readHead(name: ObjectName): ReadOutcome {
    return this.#reader.read(name, false);
  }

  readEntry(
    entry: EntryKey,
    done: (name: ObjectName | null, outcome: ReadOutcome) => void,
  ): void {
    this.#reader.readEntry(entry, done);
  }

  readEntryHead(entry: EntryKey): EntryOutcome {
    return this.#reader.readEntryHead(entry);
  }

  write(name: ObjectName, set: VersionSet, labels: WriteLabels): WriteOutcome {
    if (this.#failure !== "") return { status: "sealed", detail: this.#failure };
    const given = this.#givenBytes(name, set);
    const refusal = this.#watermark.refusal(given);
    if (refusal !== "") return this.#refused(refusal);
    let isKnown: boolean;
    let stored: RecordStatus = "other";
    try {
      isKnown = this.#reader.locate(name);
      if (isKnown && needsStored(set)) stored = this.#reader.peek();
    } catch (error) {
      return unreadable(error);
    }
    // A name that is new takes an entry of the index; a delete takes it as well, and gives back more.
    const growth = isKnown || given === 0 ? "" : this.#mayGrow();
    if (growth !== "") return { status: "full", of: "memory", detail: growth };
    try {
      this.#writer.begin();
      this.#sets.writeSet(name, set, labels, stored);
      this.#writer.commit();
    } catch (error) {
      return this.#undo(error);
    }
    const { header } = this.#writer;
    this.#map.put(header, isKnown);
    this.#stamps.written(this.#writer.active, set.head);
    this.#reader.written(name, set, header.segment, header.offset);
    this.#written();
    return DONE;
  }

  stage(name: ObjectName): Stage {
    const { files } = this.#map.reader;
    return new LogStage(files, name, this.#sliceBytes, (key, bytes, count, chunk, places) => {
      return this.#stageChunk(key, bytes, count, chunk, places);
    });
  }

  #stageChunk(
    key: NameKey,
    bytes: Uint8Array,
    count: number,
    chunk: number,
    places: Uint32Array,
  ): WriteOutcome {
    if (this.#failure !== "") return { status: "sealed", detail: this.#failure };
    const refusal = this.#watermark.refusal(count);
    if (refusal !== "") return this.#refused(refusal);
    try {
      this.#writer.begin();
      this.#sets.stageChunk(key, bytes, count, chunk, places);
      this.#writer.commit();
    } catch (error) {
      return this.#undo(error);
    }
    this.#written();
    return DONE;
  }

  remove(name: ObjectName, digest0: number, digest1: number): WriteOutcome {
    if (this.#failure !== "") return { status: "sealed", detail: this.#failure };
    try {
      if (!this.#reader.locate(name)) return DONE;
    } catch (error) {
      return unreadable(error);
    }
    if (!this.#map.hasDigest(digest0, digest1)) return DONE;
    try {
      this.#writer.begin();
      this.#sets.writeRemove(name, digest0, digest1);
      this.#writer.commit();
    } catch (error) {
      return this.#undo(error);
    }
    const { active } = this.#writer;
    if (active !== null) active.removeBytes += this.#writer.header.length;
    this.#map.forget();
    this.#written();
    return DONE;
  }

  handOver(): boolean {
    return this.#handOver.now();
  }

  handedOver(done: (isKept: boolean) => void): void {
    this.#handOver.wait(done);
  }

  note(name: ObjectName, bytes: Uint8Array): WriteOutcome {
    if (bytes.length > NOTE_BYTES_MAX) {
      throw new RangeError(`Cannot keep a note of ${bytes.length} bytes, limit is ${NOTE_BYTES_MAX}`);
    }
    if (this.#failure !== "") return { status: "sealed", detail: this.#failure };
    try {
      this.#writer.begin();
      this.#sets.writeNote(name, bytes);
      this.#writer.commit();
    } catch (error) {
      return this.#undo(error);
    }
    this.#stamps.noted(this.#writer.active);
    this.#written();
    return DONE;
  }

  sync(done: (durable: boolean) => void): void {
    this.#sync.wait(done);
  }

  scan(from: number, to: number, visit: (entry: IndexEntry) => boolean): void {
    this.#map.index.scan(from, to, visit);
  }

  scanBucket(
    bucketTag: number,
    from: number,
    to: number,
    visit: (entry: IndexEntry) => boolean,
  ): number {
    return this.#map.index.scanBucket(bucketTag, from, to, visit);
  }

  tree(partition: number): MerkleTree {
    return this.#map.index.tree(partition);
  }

  stats(): EngineStats {
    return {
      objects: this.#map.index.count,
      liveBytes: this.#map.liveBytes,
      totalBytes: this.#map.totalBytes,
      damaged: this.#reader.damaged,
      indexBytes: this.#map.index.bytes,
      bytesFreed: this.#sync.bytesFreed,
      segmentsCompacted: this.#compaction?.segments ?? 0,
      bytesMoved: this.#compaction?.bytesMoved ?? 0,
    };
  }

  close(done: () => void): void {
    this.#compaction?.stop();
    this.#sync.wait(() => {
      this.#sync.settle(() => {
        const isSound = this.#failure === "";
        if (isSound) this.#failure = "the engine is closed";
        this.#snapshots.close(isSound, () => this.#closeFiles(done));
      });
    });
  }

  #closeFiles(done: () => void): void {
    this.#supply.close(() => {
      for (const segment of this.#map.segments) segment.file.close();
      done();
    });
  }

  /** Takes over what recovery found: all of it is durable, and the log should say so. */
  #begin(): void {
    const { active } = this.#writer;
    if (active === null) return;
    this.#sync.begin(active, this.recovery.needsSyncedRecord);
  }

  #compactionHost(segmentBytes: number): CompactionHost {
    return {
      map: this.#map,
      writer: this.#writer,
      segmentBytes,
      written: () => this.#appended(),
      undo: (error) => void this.#undo(error),
      sync: (done) => this.#sync.wait(done),
      tidy: () => this.#sync.tidy(),
      isSealed: () => this.#failure !== "",
      room: () => ({
        bytes: this.#watermark.compactionBytes,
        isShort: this.#watermark.isShort(2 * segmentBytes),
      }),
      damaged: () => {
        this.#reader.damaged++;
      },
    };
  }

  /** After each commit of a caller's write. */
  #written(): void {
    this.#appended();
    this.#compaction?.poke();
  }

  /** After each commit. */
  #appended(): void {
    this.#handOver.written();
    this.#sync.written();
    this.#snapshots.written();
  }

  /** Payload bytes that come with a set; 0 for deletes. What is staged was asked about when it came. */
  #givenBytes(name: ObjectName, set: VersionSet): number {
    let bytes = 0;
    for (let index = 0; index < set.payloads.length; index++) {
      const payload = set.payloads[index];
      if (payload === null) continue;
      const isStaged = payload instanceof ChunkedPayload &&
        payload.isPartOf(this.#map.reader.files, name);
      bytes += isStaged ? 1 : payload.length;
    }
    return bytes === 0 ? 0 : bytes + set.head.length;
  }

  /** For want of room: what was not worth moving may be so now. */
  #refused(detail: string): WriteOutcome {
    this.#compaction?.poke();
    return { status: "full", of: "disk", detail };
  }

  /** Takes back what a failed write left. */
  #undo(error: unknown): WriteOutcome {
    if (error instanceof PayloadGoneError) {
      if (!this.#sync.rollBack()) this.#failure = "a half-written set cannot be cut off";
      return { status: "gone", detail: error.message };
    }
    if (!(error instanceof DiskError)) throw error;
    const detail = `write failed: ${error.message}`;
    const isFull = isOutOfRoom(error);
    if (!this.#sync.rollBack() || !isFull) this.#failure = detail;
    if (isFull) this.#watermark.ranOut();
    return isFull && this.#failure === ""
      ? { status: "full", of: missingRoom(error), detail }
      : { status: "failed", detail };
  }
}

/** Whether a payload is left out that has to be fetched from the stored record. */
function needsStored(set: VersionSet): boolean {
  for (let index = 0; index < set.payloads.length; index++) {
    if (set.payloads[index] !== null) continue;
    if (payloadLength(set.head, versionOffset(0, index)) > 0) return true;
  }
  return false;
}
