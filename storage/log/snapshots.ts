/**
 * When the index is written to disk, and what happens then.
 *
 *   log      ├──── 64 MiB or more ────┼──────────────────┼─▶
 *   snapshot                    begin └ piece ‖ piece ‖ … ‖ sync ┘ rename
 *
 * In the background after so many bytes of log that reading them at the next start is worth more
 * than writing the index, and when the engine is closed. A piece takes half a millisecond,
 * others come in between, and each few megabytes wait for the disk, so that a snapshot is never a
 * burst. It takes the place of the one before only after all of the log that it is true of is
 * durable: a start may trust that the log reaches so far.
 *
 * A snapshot that fails costs time at the next start and nothing else. None is made of a store
 * with damage, or whose accounts are uncertain: what recovery found has to be found again.
 */

import { type Disk, DiskError } from "../disk.ts";
import type { LogSync } from "./log-sync.ts";
import type { LogWriter } from "./log-writer.ts";
import type { RecordMap } from "./record-map.ts";
import { ENTRY_BYTES, SNAPSHOT_NAME, SNAPSHOT_OLD_NAME } from "./snapshot.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";

export const SNAPSHOT_BYTES_DEFAULT = 64 << 20;
/** Beyond so much log a clean stop writes a snapshot: less is read within milliseconds. */
const CLOSE_BYTES = 1 << 20;
/** The log may grow by so many bytes for each byte of the index before that is written again. */
const GROWTH = 2;
/** After so many bytes the disk is waited for. */
const SYNC_BYTES = 4 << 20;

/** So much of an old one is freed in one go. */
const SHRINK_BYTES = 1 << 20;

export interface SnapshotPlan {
  readonly disk: Disk;
  readonly folder: string;
  readonly map: RecordMap;
  readonly writer: LogWriter;
  readonly sync: LogSync;
  readonly soon: (callback: () => void) => void;
  /** Whether the disk has room for so many bytes. */
  readonly mayWrite: (bytes: number) => boolean;
  /** Bytes of log between two snapshots, at least; 0: none is ever written. */
  readonly bytesMin: number;
  /** Bytes of log that the start had to read. */
  readonly tailBytes: number;
}

export class Snapshots {
  readonly #plan: SnapshotPlan;
  /** What the writer had appended when the last snapshot was begun. */
  #coveredAt: number;
  #dueAt: number;
  #current: SnapshotWriter | null;
  /** Called when the last one is done; null: the engine is open. */
  #closed: (() => void) | null;
  #isSound: boolean;

  constructor(plan: SnapshotPlan) {
    this.#plan = plan;
    this.#coveredAt = -plan.tailBytes;
    this.#dueAt = 0;
    this.#current = null;
    this.#closed = null;
    this.#isSound = true;
    plan.map.onKept = (bytes) => this.#release(bytes);
    this.#planNext();
  }

  /** To be called after each write. */
  written(): void {
    if (this.#plan.writer.appended >= this.#dueAt && this.#current === null) this.#begin();
  }

  /**
   * Writes the last one if it is worth it, and calls back when nothing is written any more.
   * REQUIRES: the log is durable, or `isSound` false; nothing is written to it again.
   */
  close(isSound: boolean, done: () => void): void {
    this.#closed = done;
    this.#isSound = isSound;
    if (this.#current === null) this.#end();
  }

  /** Where the next snapshot sets free more than it takes, it is begun at once. */
  #release(bytes: number): void {
    const { bytesMin, map } = this.#plan;
    if (this.#current !== null || this.#closed !== null || bytesMin === 0) return;
    if (bytes >= map.index.count * ENTRY_BYTES) this.#begin();
  }

  #planNext(): void {
    const { bytesMin, map } = this.#plan;
    const interval = Math.max(bytesMin, GROWTH * ENTRY_BYTES * map.index.count);
    this.#dueAt = bytesMin === 0 ? Infinity : this.#coveredAt + interval;
  }

  #begin(): void {
    const { disk, folder, map, writer, mayWrite } = this.#plan;
    const { active } = writer;
    this.#coveredAt = writer.appended;
    this.#planNext();
    if (active === null || map.isUncertain) return;
    if (!mayWrite(map.index.count * ENTRY_BYTES)) return this.#failed();
    try {
      this.#current = new SnapshotWriter(disk, folder, map, active);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return this.#failed();
    }
    this.#soon(this.#current, 0);
  }

  #soon(current: SnapshotWriter, syncedBytes: number): void {
    this.#plan.soon(() => this.#goOn(current, syncedBytes));
  }

  /** The next piece, after all that came meanwhile. */
  #goOn(current: SnapshotWriter, syncedBytes: number): void {
    this.#attempt(current, () => {
      const isDone = current.writePiece();
      if (!isDone && current.written - syncedBytes < SYNC_BYTES) {
        this.#soon(current, syncedBytes);
        return;
      }
      const { written } = current;
      current.file.sync((error) => {
        if (error !== null) this.#abandon(current);
        else if (isDone) this.#waitForLog(current);
        else this.#goOn(current, written);
      });
    });
  }

  #waitForLog(current: SnapshotWriter): void {
    this.#plan.sync.wait((durable) => {
      if (!durable) this.#abandon(current);
      else if (this.#closed === null) this.#finish(current);
      else {
        // No write follows: the record that says what is durable may still be in memory alone.
        this.#attempt(current, () => {
          current.last.file.sync((error) => {
            if (error !== null) this.#abandon(current);
            else this.#finish(current);
          });
        });
      }
    });
  }

  #finish(current: SnapshotWriter): void {
    this.#attempt(current, () => {
      current.writeHeader();
      current.file.sync((error) => {
        if (error !== null) this.#abandon(current);
        else this.#attempt(current, () => {
          current.publish();
          this.#shrinkOld();
        });
      });
    });
  }

  /** Takes away the one that was replaced, a part at a time. */
  #shrinkOld(): void {
    const { disk, folder } = this.#plan;
    const path = `${folder}/${SNAPSHOT_OLD_NAME}`;
    try {
      const size = disk.exists(path) ? this.#cutOff(path) : 0;
      if (size > 0) {
        this.#plan.soon(() => this.#shrinkOld());
        return;
      }
      if (disk.exists(path)) disk.remove(path);
    } catch (error) {
      // What stays is removed at the next start.
      if (!(error instanceof DiskError)) throw error;
    }
    this.#end();
  }

  /** Cuts a part off a file's end; returns what it has left. @throws DiskError */
  #cutOff(path: string): number {
    const file = this.#plan.disk.open(path);
    try {
      const size = Math.max(0, file.size() - SHRINK_BYTES);
      file.truncate(size);
      return size;
    } finally {
      file.close();
    }
  }

  #attempt(current: SnapshotWriter, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#abandon(current);
    }
  }

  #abandon(current: SnapshotWriter): void {
    current.abandon();
    this.#failed();
    this.#end();
  }

  #end(): void {
    this.#current = null;
    if (this.#closed === null) return;
    const { bytesMin, writer } = this.#plan;
    const isWorthIt = writer.appended - this.#coveredAt >= Math.min(bytesMin, CLOSE_BYTES);
    if (this.#isSound && bytesMin > 0 && isWorthIt) this.#begin();
    if (this.#current === null) this.#closed();
  }

  /** The old snapshot stays, unless files that could go have to stay for it. */
  #failed(): void {
    const { disk, folder, map } = this.#plan;
    const pinned = map.segments.filter((segment) => segment.isPinned);
    if (!pinned.some((segment) => segment.live === 0)) return;
    try {
      const path = `${folder}/${SNAPSHOT_NAME}`;
      if (disk.exists(path)) disk.remove(path);
      disk.syncFolder(folder);
    } catch (error) {
      if (error instanceof DiskError) return;
      throw error;
    }
    for (const segment of pinned) segment.isPinned = false;
  }
}
