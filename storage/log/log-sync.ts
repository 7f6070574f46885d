/**
 * What is durable, and what may go because of it.
 *
 * A sync covers what was written before it began: all segments with unsynced records, in order. Two may
 * be under way; the second counts only when the first has ended well, whichever is done before.
 * When one has ended, later records carry its position as the durable one; where no later record is
 * there yet, a small one is appended that says so, so that recovery can tell damage from a torn
 * tail. Segments without a live record, and without one before the sync began, lose their file:
 * what replaced their records is durable now. Young ones stay for a while: what was replaced in them
 * is history that recovery may still tell of.
 *
 * A failed sync is the end of writing: the kernel may have dropped the pages and would call the
 * next sync a success. Nothing is ever retried as if clean.
 */

import { type Disk, DiskError } from "../disk.ts";
import { GroupCommit } from "./group-commit.ts";
import type { HandOver } from "./hand-over.ts";
import type { LogWriter } from "./log-writer.ts";
import type { RecordMap } from "./record-map.ts";
import { isDeletable, type Segment, segmentPath } from "./segment.ts";

/** A sync that is under way, and what will be so when it has ended well. */
interface Round {
  readonly active: Segment;
  /** The active segment's end when it began. */
  readonly end: number;
  readonly writes: number;
  /** Segments whose files may go then. */
  readonly dead: Segment[];
  readonly done: (durable: boolean) => void;
  /** How it ended; undefined: it has not. */
  error: DiskError | null | undefined;
}

export class LogSync {
  /** Bytes of records in files that were deleted. */
  bytesFreed: number;
  /** Whether a segment was written to so lately that its file stays, dead or not. */
  isYoung: (segment: Segment) => boolean;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #map: RecordMap;
  readonly #writer: LogWriter;
  readonly #handOver: HandOver;
  readonly #group: GroupCommit;
  readonly #failed: (detail: string) => void;
  /** Those under way, in the order in which they began. */
  readonly #rounds: Round[];
  #writes: number;
  #writesDurable: number;
  #isFailed: boolean;

  /** @param failed is told why nothing may be written any more */
  constructor(
    disk: Disk,
    folder: string,
    map: RecordMap,
    writer: LogWriter,
    handOver: HandOver,
    soon: (callback: () => void) => void,
    failed: (detail: string) => void,
  ) {
    this.bytesFreed = 0;
    this.isYoung = () => false;
    this.#disk = disk;
    this.#folder = folder;
    this.#map = map;
    this.#writer = writer;
    this.#handOver = handOver;
    this.#group = new GroupCommit(soon, (done) => this.#start(done));
    this.#failed = failed;
    this.#rounds = [];
    this.#writes = 0;
    this.#writesDurable = 0;
    this.#isFailed = false;
  }

  get unsynced(): boolean {
    return this.#writes !== this.#writesDurable;
  }

  /** To be called after each write that a sync has to cover. */
  written(): void {
    this.#writes++;
  }

  /**
   * Calls back once all written so far is durable, or with false where that can no longer be said.
   */
  wait(done: (durable: boolean) => void): void {
    if (this.unsynced && !this.#isFailed) this.#group.wait(done);
    else done(!this.unsynced);
  }

  /** Calls back when no sync runs any more. */
  settle(done: () => void): void {
    if (this.#group.isBusy) this.#group.wait(() => done());
    else done();
  }

  /** Deletes what has become old enough for it, where no sync is under way or needed to do so. */
  tidy(): void {
    const { active } = this.#writer;
    if (active === null || this.unsynced || this.#isFailed || this.#group.isBusy) return;
    this.#delete(this.#deletable(active));
  }

  /** Takes over from recovery: all is durable, and a record has to say so if none does yet. */
  begin(active: Segment, needsSyncedRecord: boolean): void {
    this.#setDurable(active, active.end);
    if (needsSyncedRecord) this.#appendSynced();
  }

  /** Cuts a failed write off; false where that fails too, and nothing may be written any more. */
  rollBack(): boolean {
    try {
      this.#writer.rollback();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#fail(`cannot cut a half-written record: ${error.message}`);
      return false;
    }
  }

  #start(done: (durable: boolean) => void): void {
    const writes = this.#writes;
    const { active } = this.#writer;
    // Those that came while the last sync ran may have been covered by it after all.
    if (active === null || this.#isFailed || !this.unsynced) {
      done(!this.unsynced);
      return;
    }
    if (!this.#handOver.now()) {
      this.#isFailed = true;
      done(false);
      return;
    }
    const round: Round = { active, end: active.end, writes, dead: this.#deletable(active), done, error: undefined };
    this.#rounds.push(round);
    const segments: Segment[] = [];
    for (const segment of this.#map.segments) if (segment.unsynced) segments.push(segment);
    this.#syncFrom(segments, 0, (error) => {
      round.error = error;
      this.#endRounds();
    });
  }

  /** Ends those that are done and have none before them that is not. */
  #endRounds(): void {
    for (let round = this.#rounds[0]; round?.error !== undefined; round = this.#rounds[0]) {
      this.#rounds.shift();
      this.#endRound(round, round.error);
    }
  }

  #endRound({ active, end, writes, dead, done }: Round, error: DiskError | null): void {
    if (error !== null) this.#fail(`sync failed: ${error.message}`);
    if (!this.#isFailed) {
      this.#setDurable(active, end);
      this.#writesDurable = writes;
      this.#delete(dead);
      this.#tellKept();
    }
    done(!this.#isFailed);
    // Those who were told may have written already: then their records say it.
    this.#appendSynced();
  }

  #syncFrom(segments: Segment[], index: number, done: (error: DiskError | null) => void): void {
    if (index >= segments.length) {
      done(null);
      return;
    }
    segments[index].unsynced = false;
    segments[index].file.sync((error) => {
      if (error !== null) done(error);
      else this.#syncFrom(segments, index + 1, done);
    });
  }

  #tellKept(): void {
    let bytes = 0;
    for (const segment of this.#map.segments) {
      if (segment.isPinned && segment.live === 0 && !this.isYoung(segment)) bytes += segment.end;
    }
    if (bytes > 0) this.#map.onKept(bytes);
  }

  /** The next record tells what is durable; only where there is none, this one does. */
  #appendSynced(): void {
    if (this.unsynced || this.#isFailed) return;
    try {
      this.#writer.appendSynced();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.rollBack();
    }
  }

  #setDurable(segment: Segment, end: number): void {
    this.#writer.durableSegment = segment.number;
    this.#writer.durableOffset = end;
  }

  #fail(detail: string): void {
    this.#isFailed = true;
    this.#failed(detail);
  }

  #deletable(active: Segment): Segment[] {
    const dead: Segment[] = [];
    if (this.#map.isUncertain) return dead;
    const { segments } = this.#map;
    for (let index = 0; index < segments.length; index++) {
      const segment = segments[index];
      if (segment === active) break;
      const isDead = isDeletable(segment, dead.length === index);
      if (isDead && !this.isYoung(segment)) dead.push(segment);
    }
    return dead;
  }

  /**
   * Deletes files, each durably before the next: a later one may hold what forgot an earlier one's
   * records. Where that fails, the rest waits for the next start.
   */
  #delete(dead: Segment[]): void {
    try {
      for (const segment of dead) {
        // The sync before has deleted it.
        if (this.#map.segmentOf(segment.number) !== segment) continue;
        // A set that refers to a payload in it was written meanwhile, or somebody reads one.
        if (segment.live !== 0 || segment.holds > 0) break;
        this.#map.dropSegment(segment);
        segment.file.close();
        this.#disk.remove(segmentPath(this.#folder, segment.number));
        this.#disk.syncFolder(this.#folder);
        this.bytesFreed += segment.end;
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#map.isUncertain = true;
    }
  }
}
