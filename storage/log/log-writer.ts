/**
 * Appends records to the last segment: staged in one buffer, handed to the kernel by one positional
 * write for all groups of a turn, since a write costs more than its bytes.
 *
 *   begin() → place(length) → stage(n) … stageBytes(payload) → … → commit()   or   rollback()
 *      └── a group, all or nothing ──────────────────────────────────┘   ⋮
 *   begin() → … → commit()                                            handOver()
 *
 *   file    │ records the kernel has │
 *   staged                           │ committed groups │ the group at work │
 *                                    #position          active.end
 *
 * Large payloads go from the caller's array to the kernel without a copy. A record never spans
 * segments: place() rolls to the next one where it would not fit.
 *
 * Only a prepared segment waits for the end of the turn: its blocks exist, so that handing over does
 * not fail for want of room. A segment that grows gets each group at its commit(), and a full disk
 * is told to the one who wrote.
 *
 * ENSURES: after handOver() the kernel has all bytes. After rollback() the segment ends where it
 * ended before begin(), and what was half written is cut off durably: were it left behind, a
 * shorter record written over its start could make its rest look like a record after a crash.
 * Where committed groups could not be handed over, nothing is written ever again.
 */

import { DiskError, type DiskFile } from "../disk.ts";
import { HEADER_BYTES, KIND_SEGMENT, KIND_SYNCED, RecordHeader } from "./record.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSupply } from "./segment-supply.ts";

const STAGE_BYTES = 128 << 10;
/** A turn that wrote so much does not wait for its end: there is nothing left to save. */
const HAND_OVER_BYTES = 64 << 10;
/** From here on the extra write (0.8 µs) costs less than copying the payload. */
const DIRECT_BYTES_MIN = 32 << 10;
/** A staging buffer that grew beyond this for one huge set is dropped after it. */
const STAGE_BYTES_KEPT = 1 << 20;
/** Written bytes after which a plain segment makes it worth preparing a full one. */
const PREPARE_AFTER_BYTES = 1 << 20;
/**
 * Of a segment: written bytes from piece to piece of the next one, so that sixteen are done within nine
 * tenths of it; sooner in a plain one, whose syncs are slow.
 */
const PREPARE_STEP = 1 / 40;
const PREPARE_STEP_PLAIN = 1 / 128;

/** The files of a log, in order; the last one is written to. */
export interface SegmentList {
  readonly segments: readonly Segment[];
  addSegment(segment: Segment): void;
}

export class LogWriter {
  /** The header of the record that is being staged: place() sets where it lies. */
  readonly header: RecordHeader;
  /** Staged bytes; stage() tells where to write. May be another array after each stage(). */
  bytes: Uint8Array;
  /** The log is durable up to here (exclusive). */
  durableSegment: number;
  durableOffset: number;
  /** Bytes of records that were committed since the start. */
  appended: number;
  readonly #log: SegmentList;
  readonly #supply: SegmentSupply;
  readonly #segmentBytes: number;
  readonly #mayPrepare: () => boolean;
  readonly #frame: RecordHeader;
  readonly #frameBytes: Uint8Array;
  #staged: number;
  /** Where bytes[0] goes in the last segment. */
  #position: number;
  /** Committed groups could not be handed over. */
  #isBroken: boolean;
  /** The last segment's end from which on the next one is prepared. */
  #prepareAt: number;
  /** Whether there is room for that one; null: not asked yet. */
  #mayGoOn: boolean | null;

  /** @param mayPrepare whether the disk has room for a segment in advance */
  constructor(
    log: SegmentList,
    supply: SegmentSupply,
    segmentBytes: number,
    mayPrepare: () => boolean,
  ) {
    this.header = new RecordHeader();
    this.bytes = new Uint8Array(STAGE_BYTES);
    this.durableSegment = 0;
    this.durableOffset = 0;
    this.appended = 0;
    this.#log = log;
    this.#supply = supply;
    this.#segmentBytes = segmentBytes;
    this.#mayPrepare = mayPrepare;
    this.#frame = new RecordHeader();
    this.#frameBytes = new Uint8Array(HEADER_BYTES);
    this.#staged = 0;
    this.#position = this.active?.end ?? 0;
    this.#isBroken = false;
    this.#prepareAt = 0;
    this.#mayGoOn = null;
    this.#planPreparation();
  }

  get active(): Segment | null {
    const { segments } = this.#log;
    return segments.length === 0 ? null : segments[segments.length - 1];
  }

  /** Whether committed groups wait for handOver(). */
  get isWaiting(): boolean {
    const active = this.active;
    return active !== null && active.staged > 0;
  }

  /** Starts a group of records that are committed together. @throws DiskError */
  begin(): void {
    this.#forgetGroup();
    const active = this.active;
    // A plain segment was only ever a stopgap: leave it as soon as a prepared one is there.
    if (active !== null && active.preallocated === 0 && this.#supply.isReady) this.#roll();
  }

  /**
   * Decides where the next record of `length` bytes lies and says so in `header`. @throws DiskError
   */
  place(length: number): void {
    const end = this.#position + this.#staged;
    if (end === 0 || (end > HEADER_BYTES && end + length > this.#segmentBytes)) this.#roll();
    this.#locate(this.header, length);
  }

  /** Reserves `count` bytes in `bytes` for the record and returns where. @throws DiskError */
  stage(count: number): number {
    if (this.#staged + count > this.bytes.length) this.#flush();
    if (count > this.bytes.length) this.bytes = new Uint8Array(count);
    const at = this.#staged;
    this.#staged += count;
    return at;
  }

  /** Appends source[start, end) to the record. @throws DiskError */
  stageBytes(source: Uint8Array, start: number, end: number): void {
    if (end - start >= DIRECT_BYTES_MIN) {
      this.#flush();
      this.#activeFile().write(source, start, end, this.#position);
      this.#position += end - start;
      return;
    }
    const at = this.stage(end - start);
    copyRange(source, start, end, this.bytes, at);
  }

  /** Ends the group, which counts from now on. @throws DiskError: then rollback() must follow */
  commit(): void {
    const active = this.active;
    if (active === null) return;
    const isLarge = this.#staged >= HAND_OVER_BYTES || this.bytes.length > STAGE_BYTES_KEPT;
    if (isLarge || active.preallocated === 0) this.#flush();
    const end = this.#position + this.#staged;
    this.appended += end - active.end;
    active.end = end;
    active.last = this.header.offset;
    active.staged = this.#staged;
    active.unsynced = true;
    if (active.end > this.#prepareAt) this.#prepare(active);
    if (this.bytes.length > STAGE_BYTES_KEPT) this.bytes = new Uint8Array(STAGE_BYTES);
  }

  /** Gives the kernel what was committed. @throws DiskError: then nothing may be written again */
  handOver(): void {
    if (this.#isBroken) throw notTaken();
    this.#flush();
  }

  /**
   * Forgets the group. @throws DiskError where the cut itself fails: then nothing may be written
   * again
   */
  rollback(): void {
    if (this.#isBroken) throw notTaken();
    this.#forgetGroup();
    const active = this.active;
    // Where others are staged, nothing of this group has gone to the file.
    if (active === null || active.staged > 0) return;
    active.file.truncate(active.end);
    active.preallocated = 0;
    active.file.syncNow();
  }

  /** Appends a record that says up to where the log is durable. @throws DiskError */
  appendSynced(): void {
    const active = this.active;
    if (active === null || active.end + HEADER_BYTES > this.#segmentBytes) return;
    // Without begin(): this record starts no segment, or it would be one more thing to be synced.
    this.#frame.kind = KIND_SYNCED;
    this.#locate(this.#frame, HEADER_BYTES);
    const at = this.stage(HEADER_BYTES);
    this.#frame.encodeInto(this.bytes, at);
    this.#flush();
    active.last = this.#frame.offset;
    active.end = this.#position;
  }

  /** Back to what is committed. */
  #forgetGroup(): void {
    const active = this.active;
    this.#staged = active === null ? 0 : active.staged;
    this.#position = active === null ? 0 : active.end - active.staged;
  }

  #activeFile(): DiskFile {
    const active = this.active;
    if (active === null) throw new Error("Cannot write: the log has no segment");
    return active.file;
  }

  #locate(header: RecordHeader, length: number): void {
    const active = this.active;
    header.length = length;
    header.segment = active === null ? 0 : active.number;
    header.offset = this.#position + this.#staged;
    header.durableSegment = this.durableSegment;
    header.durableOffset = this.durableOffset;
  }

  #flush(): void {
    const active = this.active;
    if (this.#staged === 0 || active === null) return;
    try {
      active.file.write(this.bytes, 0, this.#staged, this.#position);
    } catch (error) {
      this.#isBroken ||= active.staged > 0;
      throw error;
    }
    this.#position += this.#staged;
    this.#staged = 0;
    active.staged = 0;
  }

  /** Goes on in the next segment; the last one is cut to what it holds. */
  #roll(): void {
    this.#flush();
    const previous = this.active;
    const next = this.#supply.take(previous === null ? 1 : previous.number + 1);
    try {
      this.#writeSegmentRecord(next, previous);
      if (previous !== null && previous.preallocated > 0) previous.file.truncate(this.#position);
    } catch (error) {
      this.#supply.discard(next);
      throw error;
    }
    if (previous !== null) {
      previous.end = this.#position;
      previous.preallocated = 0;
      previous.unsynced = true;
    }
    next.end = HEADER_BYTES;
    next.unsynced = true;
    this.#log.addSegment(next);
    this.#position = HEADER_BYTES;
    this.#planPreparation();
  }

  #writeSegmentRecord(next: Segment, previous: Segment | null): void {
    const frame = this.#frame;
    frame.kind = KIND_SEGMENT;
    frame.length = HEADER_BYTES;
    frame.segment = next.number;
    frame.offset = 0;
    frame.durableSegment = this.durableSegment;
    frame.durableOffset = this.durableOffset;
    frame.digest0 = previous === null ? 0 : previous.number;
    frame.digest1 = previous === null ? 0 : this.#position;
    frame.encodeInto(this.#frameBytes, 0);
    frame.digest0 = 0;
    frame.digest1 = 0;
    next.file.write(this.#frameBytes, 0, HEADER_BYTES, 0);
  }

  #planPreparation(): void {
    const active = this.active;
    const half = this.#segmentBytes >>> 1;
    const isPlain = active === null || active.preallocated === 0;
    this.#prepareAt = isPlain ? Math.min(PREPARE_AFTER_BYTES, half) : half;
    this.#mayGoOn = null;
  }

  #prepare(active: Segment): void {
    // Asked once a segment: a disk without room for it is asked again after the next roll.
    this.#mayGoOn ??= this.#mayPrepare();
    const isMore = this.#mayGoOn && this.#supply.prepare(active.number + 1);
    const part = active.preallocated === 0 ? PREPARE_STEP_PLAIN : PREPARE_STEP;
    this.#prepareAt = isMore ? active.end + this.#segmentBytes * part : Infinity;
  }
}

function notTaken(): DiskError {
  return new DiskError("EIO", "the disk did not take records that others have read already");
}

/** For short runs a loop beats the call of set(subarray), and it makes no view. */
function copyRange(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  if (end - start > 64) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
    return;
  }
  for (let index = start; index < end; index++) target[at++] = source[index];
}
