/**
 * Gives the space of dead records back: one segment at a time, by moving what is live in it to the
 * end of the log, as ordinary writes of the same state.
 *
 *   choose ─▶ gather ⇄ move ─▶ … ─▶ sync ─▶ the segment is empty: it goes as every empty one does
 *      ▲        each step some KiB or half a millisecond; then the pacer says when to go on
 *      └── wait ◀── nothing is worth it, or it did not work
 *
 * Compaction itself deletes nothing and changes no rule of recovery: a crash after any step finds a
 * record twice, with one state. LogSync gives a file up only when nothing in it is live and what
 * replaced it is durable.
 *
 * What cannot be moved stays where it is: damaged records keep their segment (record-mover says why),
 * and a disk that gives no room or no answer is asked again later. Each trouble is told once.
 *
 * Segments written to within `coldMs` are left alone: what was replaced in them is history that
 * recovery may still tell of, and much of what lives in them dies soon by itself. Where all of it has
 * died, nothing is left to move, and the file goes when it is as old.
 */

import { DiskError } from "../disk.ts";
import { bytesToMove, type ChoiceRules, chooseSegment, type Room } from "./compaction-choice.ts";
import { LiveBatch } from "./live-batch.ts";
import type { LogWriter } from "./log-writer.ts";
import type { RecordMap } from "./record-map.ts";
import { DAMAGED, RecordMover } from "./record-mover.ts";
import { isDeletable, type Segment } from "./segment.ts";
import { NewerFormatError } from "./segment-scan.ts";

/** A step ends after so long, whatever it has done: other requests wait for it. */
const STEP_MS = 0.5;
const STEP_BYTES_DEFAULT = 64 << 10;
/** Looking at headers is so much cheaper than moving records. */
const LOOK_DISCOUNT = 8;
const DEAD_RATIO_DEFAULT = 0.5;
/** While room is short: seven bytes are moved for one, but without it nothing more can be written. */
const DEAD_RATIO_SHORT = 0.125;
/** 256 KiB of the usual 64 MiB. */
const DEAD_PART_DEFAULT = 1 / 256;
const CHECK_MS_DEFAULT = 1_000;
/** Ten minutes, in which recovery tells what was superseded, and half as much again. */
export const COLD_MS_DEFAULT = 15 * 60_000;
/** After a failure: so many checks are left out. */
const CHECKS_LEFT_OUT = 30;
/** Beside what is moved: the headers of new segments, and the record of a group that is cut. */
const SLACK_BYTES = 4 << 10;

/** Says how fast compaction may go. */
export interface Pacer {
  /** Calls `step` when it may be taken, after one that wrote or read so many bytes; 0: none was. */
  after(bytes: number, step: () => void): { cancel(): void };
}

/** Waiting, as the clock port does it. */
export interface Delay {
  elapsedMs(): number;
  after(delayMs: number, callback: () => void): { cancel(): void };
}

export interface CompactionOptions {
  readonly clock: Delay;
  readonly pacer: Pacer;
  /** Told of what keeps a segment from being emptied, once each. */
  readonly told: (trouble: string) => void;
  /** See ChoiceRules; default 0.5. */
  readonly deadRatioMin?: number;
  /** See ChoiceRules; default one 256th of a segment. */
  readonly deadBytesMin?: number;
  /** A segment is left alone for so long after its last write; default 15 minutes. */
  readonly coldMs?: number;
  /** Bytes that one step moves, and the last record over; default 64 KiB. */
  readonly stepBytes?: number;
  /** How often it is asked, while there are writes, whether something is worth it; default 1 s. */
  readonly checkMs?: number;
}

/** What compaction needs of the engine. */
export interface CompactionHost {
  readonly map: RecordMap;
  readonly writer: LogWriter;
  readonly segmentBytes: number;
  /** After each commit. */
  written(): void;
  /** Takes back what a failed group left. */
  undo(error: unknown): void;
  sync(done: (durable: boolean) => void): void;
  /** Deletes dead segments that are no longer young, as far as no sync is needed for it. */
  tidy(): void;
  /** Whether nothing may be written any more. */
  isSealed(): boolean;
  /** What may be written to give space back. */
  room(): Room;
  /** A damaged record or place was met. */
  damaged(): void;
}

export class Compaction {
  /** Segments that were emptied, and bytes that were written for it. */
  segments: number;
  bytesMoved: number;
  readonly #host: CompactionHost;
  readonly #options: CompactionOptions;
  readonly #rules: ChoiceRules;
  readonly #coldMs: number;
  readonly #stepBytes: number;
  readonly #checkMs: number;
  readonly #batch: LiveBatch;
  readonly #mover: RecordMover;
  /** Segments that a pass could not empty, and what was left in them then. */
  readonly #left: Map<number, number>;
  #timer: { cancel(): void } | null;
  #source: Segment | null;
  #damaged: number;
  /** The trouble that was told last. */
  #trouble: string;
  #isSyncing: boolean;
  #isStopped: boolean;

  constructor(host: CompactionHost, options: CompactionOptions) {
    this.segments = 0;
    this.bytesMoved = 0;
    this.#host = host;
    this.#options = options;
    this.#rules = {
      deadRatioMin: options.deadRatioMin ?? DEAD_RATIO_DEFAULT,
      deadRatioShort: Math.min(DEAD_RATIO_SHORT, options.deadRatioMin ?? 1),
      deadBytesMin: options.deadBytesMin ?? host.segmentBytes * DEAD_PART_DEFAULT,
    };
    this.#coldMs = options.coldMs ?? COLD_MS_DEFAULT;
    this.#stepBytes = options.stepBytes ?? STEP_BYTES_DEFAULT;
    this.#checkMs = options.checkMs ?? CHECK_MS_DEFAULT;
    this.#batch = new LiveBatch(host.map);
    this.#mover = new RecordMover(
      host.map,
      host.writer,
      () => host.written(),
      (error) => host.undo(error),
    );
    this.#left = new Map();
    this.#timer = null;
    this.#source = null;
    this.#damaged = 0;
    this.#trouble = "";
    this.#isSyncing = false;
    this.#isStopped = false;
    this.poke();
  }

  /** Something was written, so something may have died. To be called often: costs next to nothing. */
  poke(): void {
    if (this.#timer === null && !this.#isSyncing) this.#wait(this.#checkMs, () => this.#check());
  }

  /** Whether a segment is written to, or was until lately. */
  isYoung(segment: Segment): boolean {
    return this.#coldMs > 0 && !this.#isCold(segment);
  }

  /** No step is taken any more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #wait(delayMs: number, callback: () => void): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(delayMs, () => this.#goOn(callback));
  }

  /** As the pacer says, after a step of so many bytes. */
  #paced(bytes: number, callback: () => void): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.pacer.after(bytes, () => this.#goOn(callback));
  }

  #goOn(callback: () => void): void {
    this.#timer = null;
    if (!this.#isStopped && !this.#host.isSealed()) callback();
  }

  #check(): void {
    const { map } = this.#host;
    this.#markSealed();
    // Where the accounts are uncertain nothing is deleted, so nothing would come back.
    if (map.isUncertain) return;
    this.#host.tidy();
    const room = this.#room();
    const isCold = (segment: Segment): boolean => this.#isReady(segment) && this.#isCold(segment);
    const source = chooseSegment(map.segments, this.#rules, room, isCold);
    if (source !== null) this.#begin(source);
    else if (this.#isAnyLater() || this.#isAnyDead()) this.#wait(this.#checkMs, () => this.#check());
  }

  #begin(source: Segment): void {
    this.#damaged = 0;
    this.#source = source;
    try {
      this.#batch.open(source, source === this.#host.map.segments[0]);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#paced(0, () => this.#step(source));
  }

  #step(source: Segment): void {
    // Others wrote meanwhile: what was left in it may have died, and a sync of theirs deleted it.
    if (!this.#host.map.segments.includes(source)) {
      this.#finish(source);
      return;
    }
    let bytes: number;
    try {
      bytes = this.#work(source);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#batch.isAtEnd) this.#finish(source);
    else this.#paced(bytes, () => this.#step(source));
  }

  /** Goes on for the time of one step; returns the bytes that it took. */
  #work(source: Segment): number {
    const { clock } = this.#options;
    const until = clock.elapsedMs() + STEP_MS;
    let bytes = 0;
    do {
      if (this.#batch.isGathering) {
        bytes += Math.ceil(this.#batch.gather(this.#stepBytes) / LOOK_DISCOUNT);
      } else if (this.#batch.next()) bytes += this.#move(source);
    } while (bytes < this.#stepBytes && !this.#batch.isAtEnd && clock.elapsedMs() < until);
    return bytes;
  }

  #move(source: Segment): number {
    const moved = this.#mover.move(this.#batch, source);
    if (moved === DAMAGED) {
      this.#damaged++;
      this.#host.damaged();
      return 0;
    }
    this.bytesMoved += moved;
    return moved;
  }

  /** All that can be moved was moved: once that is durable, the segment goes. */
  #finish(source: Segment): void {
    this.#isSyncing = true;
    this.#host.sync((durable) => {
      this.#isSyncing = false;
      this.#source = null;
      if (this.#isStopped || !durable) return;
      this.#trouble = "";
      this.#judge(source);
      this.#paced(0, () => this.#check());
    });
  }

  #judge(source: Segment): void {
    for (let place = 0; place < this.#batch.damaged; place++) this.#host.damaged();
    const bytes = source.live + source.removeBytes;
    if (!this.#host.map.segments.includes(source)) {
      this.segments++;
      this.#left.delete(source.number);
    } else {
      // Empty, but the index snapshot needs the file: it goes when the next one stands.
      if (source.live === 0 && source.isPinned) this.segments++;
      this.#left.set(source.number, bytes);
    }
    if (source.live === 0) return;
    const places = this.#damaged + this.#batch.damaged;
    this.#tell(`segment ${source.number} stays: ${bytes} bytes, ${places} damaged places`);
  }

  /** All is as it was, but for what was moved already; it goes on from there later. */
  #failed(error: unknown): void {
    const isExpected = error instanceof DiskError || error instanceof NewerFormatError;
    if (!isExpected) throw error;
    const number = this.#source?.number ?? 0;
    this.#source = null;
    if (this.#trouble !== error.message) {
      this.#tell(`segment ${number} cannot be emptied now: ${error.message}`);
    }
    this.#trouble = error.message;
    this.#wait(this.#checkMs * CHECKS_LEFT_OUT, () => this.#check());
  }

  #tell(trouble: string): void {
    this.#options.told(trouble);
  }

  /** Notes when segments were seen for the first time that are not written to any more. */
  #markSealed(): void {
    const { segments } = this.#host.map;
    const now = this.#options.clock.elapsedMs();
    for (let index = 0; index + 1 < segments.length; index++) {
      if (segments[index].sealedMs < 0) segments[index].sealedMs = now;
    }
  }

  #isCold(segment: Segment): boolean {
    // A payload that is still on its way in is reached by nothing yet.
    if (segment.sealedMs < 0 || segment.holds > 0) return false;
    return this.#options.clock.elapsedMs() - segment.sealedMs >= this.#coldMs;
  }

  /** Whether there is something to move, and the last pass, if there was one, would not repeat itself. */
  #isReady(segment: Segment): boolean {
    if (bytesToMove(segment, segment === this.#host.map.segments[0]) === 0) return false;
    return this.#left.get(segment.number) !== segment.live + segment.removeBytes;
  }

  /** Whether something will be worth it with time or room alone. */
  #isAnyLater(): boolean {
    const isReady = (segment: Segment): boolean => this.#isReady(segment);
    const room = { bytes: Infinity, isShort: this.#host.room().isShort };
    return chooseSegment(this.#host.map.segments, this.#rules, room, isReady) !== null;
  }

  /** Whether a dead segment waits for its age alone. */
  #isAnyDead(): boolean {
    const { segments } = this.#host.map;
    for (let index = 0; index + 1 < segments.length; index++) {
      if (isDeletable(segments[index], index === 0) && this.isYoung(segments[index])) return true;
    }
    return false;
  }

  #room(): Room {
    const { active } = this.#host.writer;
    const prepared = active === null ? 0 : Math.max(0, active.preallocated - active.end);
    const { bytes, isShort } = this.#host.room();
    return { bytes: prepared + bytes - SLACK_BYTES, isShort };
  }
}
