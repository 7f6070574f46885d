/**
 * Where the next segment comes from.
 *
 * Writing into blocks that exist and are durable halves the cost of a sync, but filling 64 MiB with
 * zeros takes tens of milliseconds: so the next file is made in the background, while the current
 * one still has room, and the writer that needs it finds it ready. A writer that comes too early
 * gets a plain file that grows with its records; the half-filled one is dropped when its filling
 * ends.
 *
 * Files in preparation hold zeros only; recovery removes what a crash leaves of them.
 */

import { type Disk, DiskError } from "../disk.ts";
import { Segment, segmentPath } from "./segment.ts";

export class SegmentSupply {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #segmentBytes: number;
  #ready: Segment | null;
  /** The number of the file that is being filled; 0: none. */
  #filling: number;
  #isAbandoned: boolean;
  #closed: (() => void) | null;

  constructor(disk: Disk, folder: string, segmentBytes: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#ready = null;
    this.#filling = 0;
    this.#isAbandoned = false;
    this.#closed = null;
  }

  get isReady(): boolean {
    return this.#ready !== null;
  }

  /**
   * Begins to fill segment `number`, if none is ready or being filled. Failure only costs speed.
   */
  prepare(number: number): void {
    if (this.#ready !== null || this.#filling !== 0) return;
    let segment: Segment;
    try {
      segment = this.#create(number);
    } catch (error) {
      if (error instanceof DiskError) return;
      throw error;
    }
    this.#filling = number;
    this.#isAbandoned = false;
    segment.file.preallocate(this.#segmentBytes, (error) => this.#filled(segment, error));
  }

  /**
   * The segment to go on in: the prepared one, else a new empty one numbered `number` or higher.
   */
  take(number: number): Segment {
    const ready = this.#ready;
    if (ready !== null) {
      this.#ready = null;
      return ready;
    }
    if (this.#filling !== 0) this.#isAbandoned = true;
    const segment = this.#create(this.#filling >= number ? this.#filling + 1 : number);
    try {
      this.#disk.syncFolder(this.#folder);
    } catch (error) {
      this.discard(segment);
      throw error;
    }
    return segment;
  }

  /** Removes a segment that was taken and never written. */
  discard(segment: Segment): void {
    segment.file.close();
    try {
      this.#disk.remove(segmentPath(this.#folder, segment.number));
    } catch (error) {
      // What stays behind holds no record: recovery removes it at the next start.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  /** Drops what is prepared; calls back when no background work touches the disk any more. */
  close(done: () => void): void {
    const ready = this.#ready;
    this.#ready = null;
    if (ready !== null) this.discard(ready);
    if (this.#filling === 0) {
      done();
      return;
    }
    this.#isAbandoned = true;
    this.#closed = done;
  }

  #create(number: number): Segment {
    const path = segmentPath(this.#folder, number);
    // A leftover that discard() could not remove.
    if (this.#disk.exists(path)) this.#disk.remove(path);
    return new Segment(number, this.#disk.open(path, { create: true }));
  }

  #filled(segment: Segment, error: DiskError | null): void {
    this.#filling = 0;
    if (error !== null || this.#isAbandoned || !this.#isFolderSynced()) this.discard(segment);
    else {
      segment.preallocated = this.#segmentBytes;
      this.#ready = segment;
    }
    const closed = this.#closed;
    this.#closed = null;
    if (closed !== null) closed();
  }

  #isFolderSynced(): boolean {
    try {
      this.#disk.syncFolder(this.#folder);
      return true;
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }
}
