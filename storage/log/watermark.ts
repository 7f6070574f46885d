/**
 * Whether there is room for a write: free bytes of the file system against a reserve, and the log's
 * own size against its bound. Asking the system costs more than a small write, so it is asked once
 * per some megabytes written; while there is too little it is asked at each attempt, so that
 * writing goes on as soon as there is room again.
 *
 *   free bytes   ├── files of others ──┼── compaction ──┼── deletes ──┼── all writes ──▶
 *                0                   1/4              1/2          reserve
 *
 * Space comes back by deletes and by compaction, and both write before it does: each has a part of
 * the reserve that the other cannot use up.
 */

import { type Disk, DiskError } from "../disk.ts";
import type { EngineOptions } from "../engine.ts";

const CHECK_BYTES_MAX = 8 << 20;
const CHECK_BYTES_MIN = 64 << 10;
/** What a delete is taken to write. */
const DELETE_BYTES = 512;

export class Watermark {
  readonly #disk: Disk;
  readonly #log: { readonly totalBytes: number };
  readonly #freeBytesMin: number;
  readonly #totalBytesMax: number;
  /** Bytes that may be written before the system is asked again. */
  #credit: number;

  constructor(disk: Disk, log: { readonly totalBytes: number }, options: EngineOptions) {
    this.#disk = disk;
    this.#log = log;
    this.#freeBytesMin = options.freeBytesMin;
    this.#totalBytesMax = options.totalBytesMax;
    this.#credit = 0;
  }

  /**
   * Why a write that brings this many bytes is refused; "" where it is not. 0 bytes (a delete) may
   * use half of the reserve.
   */
  refusal(bytes: number): string {
    if (bytes === 0) return this.#refusalOfDelete();
    if (this.#totalBytesMax > 0) {
      const total = this.#log.totalBytes;
      if (total + bytes > this.#totalBytesMax) {
        return `the log has ${total} bytes, limit is ${this.#totalBytesMax}`;
      }
    }
    this.#credit -= bytes;
    return this.#credit >= 0 || this.#freeBytesMin === 0 ? "" : this.#ask(bytes);
  }

  /** Bytes that may be written for the sake of those that come back by it. */
  get compactionBytes(): number {
    return this.#freeBytes() - this.#freeBytesMin / 4;
  }

  /** Whether a write of this many bytes would be refused. */
  isShort(bytes: number): boolean {
    const { totalBytes } = this.#log;
    if (this.#totalBytesMax > 0 && totalBytes + bytes > this.#totalBytesMax) return true;
    return this.#freeBytesMin > 0 && !this.hasRoomFor(bytes);
  }

  /** Whether the disk would keep its reserve if this many bytes were taken. */
  hasRoomFor(bytes: number): boolean {
    return this.#freeBytes() - bytes >= this.#freeBytesMin;
  }

  /** A write found the disk full: ask again before the next one. */
  ranOut(): void {
    this.#credit = 0;
  }

  #refusalOfDelete(): string {
    this.#credit -= DELETE_BYTES;
    if (this.#credit >= 0 || this.#freeBytesMin === 0) return "";
    if (this.#ask(DELETE_BYTES) === "") return "";
    const free = this.#freeBytes();
    if (free >= this.#freeBytesMin / 2) return "";
    return `the disk has ${free} free bytes, which are kept for giving space back`;
  }

  #ask(bytes: number): string {
    const free = this.#freeBytes();
    if (free - bytes < this.#freeBytesMin) {
      return `the disk has ${free} free bytes, ${this.#freeBytesMin} are kept in reserve`;
    }
    const step = Math.floor(this.#freeBytesMin / 8);
    this.#credit = Math.min(CHECK_BYTES_MAX, Math.max(CHECK_BYTES_MIN, step));
    return "";
  }

  /** A disk that does not say how much is free has nothing to spare. */
  #freeBytes(): number {
    try {
      return this.#disk.freeBytes();
    } catch (error) {
      if (error instanceof DiskError) return 0;
      throw error;
    }
  }
}
