/**
 * Where the next segment comes from.
 *
 * Writing into blocks that exist and are durable halves the cost of a sync, but filling 64 MiB with
 * zeros takes tens of milliseconds: so the next file is made in the background, while the current
 * one still has room, and the writer that needs it finds it ready.
 *
 *   current   ██████████████████████████▌▒▒▒▒▒▒▒▒▒▒▒▒▒       a piece each time the writer has come so far
 *   next      0000000000000000░░░░░░░░░░░░░░░░░░░░░░░       that the last one is worth it
 *
 * Piece by piece, since the syncs of others wait behind what a disk has to write: all at once, they did
 * for 80 ms where three stores share one. A writer that comes too early gets a plain file that grows with
 * its records; the half-filled one is dropped.
 *
 * Files in preparation hold zeros only; recovery removes what a crash leaves of them.
 */

import { type Disk, DiskError } from "../disk.ts";
import { Segment, segmentPath } from "./segment.ts";

/** Bytes of a file that are filled in one go. */
const PIECE_BYTES = 4 << 20;

export class SegmentSupply {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #segmentBytes: number;
  #ready: Segment | null;
  /** The file that is being filled; how far it is, and how far it should be. */
  #filling: Segment | null;
  #filled: number;
  #wanted: number;
  /** A piece of it is being written. */
  #isBusy: boolean;
  #isAbandoned: boolean;
  #closed: (() => void) | null;

  constructor(disk: Disk, folder: string, segmentBytes: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#ready = null;
    this.#filling = null;
    this.#filled = 0;
    this.#wanted = 0;
    this.#isBusy = false;
    this.#isAbandoned = false;
    this.#closed = null;
  }

  get isReady(): boolean {
    return this.#ready !== null;
  }

  /**
   * Fills another piece of segment `number`, unless one is ready; returns whether to ask again for the next
   * one. Failure only costs speed.
   */
  prepare(number: number): boolean {
    if (this.#ready !== null) return false;
    if (this.#isAbandoned) return true;
    if (this.#filling === null && !this.#begin(number)) return false;
    this.#wanted = Math.min(this.#segmentBytes, this.#wanted + PIECE_BYTES);
    if (!this.#isBusy) this.#fill();
    return this.#wanted < this.#segmentBytes;
  }

  #begin(number: number): boolean {
    try {
      this.#filling = this.#create(number);
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
    this.#filled = 0;
    this.#wanted = 0;
    return true;
  }

  #fill(): void {
    const segment = this.#filling;
    if (segment === null) return;
    const to = Math.min(this.#wanted, this.#filled + PIECE_BYTES);
    this.#isBusy = true;
    segment.file.preallocate(this.#filled, to, (error) => {
      this.#isBusy = false;
      this.#filled = to;
      this.#pieceFilled(segment, error);
    });
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
    const filling = this.#filling?.number ?? 0;
    const segment = this.#create(filling >= number ? filling + 1 : number);
    this.#abandon();
    try {
      this.#disk.syncFolder(this.#folder);
    } catch (error) {
      this.discard(segment);
      throw error;
    }
    return segment;
  }

  /** Drops the file that is being filled, at once or when its piece is done. */
  #abandon(): void {
    if (this.#filling === null) return;
    this.#isAbandoned = this.#isBusy;
    if (this.#isBusy) return;
    this.discard(this.#filling);
    this.#filling = null;
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
    this.#abandon();
    if (this.#filling === null) done();
    else this.#closed = done;
  }

  #create(number: number): Segment {
    const path = segmentPath(this.#folder, number);
    // A leftover that discard() could not remove.
    if (this.#disk.exists(path)) this.#disk.remove(path);
    return new Segment(number, this.#disk.open(path, { create: true }));
  }

  #pieceFilled(segment: Segment, error: DiskError | null): void {
    const isWhole = this.#filled === this.#segmentBytes;
    if (error === null && !this.#isAbandoned && !isWhole) {
      if (this.#filled < this.#wanted) this.#fill();
      return;
    }
    this.#filling = null;
    if (error !== null || this.#isAbandoned || !this.#isFolderSynced()) this.discard(segment);
    else {
      segment.preallocated = this.#segmentBytes;
      this.#ready = segment;
    }
    this.#isAbandoned = false;
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
