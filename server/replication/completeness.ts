/**
 * Complete or partial: whether this replica's "nothing" counts.
 *
 * A replica is *complete* for a partition when it holds all that a primary of it is expected to hold; it
 * is *partial* before its first comparison, after a wipe, after damage whose names cannot be told, and
 * after an unclean start under another kernel boot id. A partial replica takes writes and answers what
 * it has; but a 404 needs R complete primaries (coordination/get), or else a wiped disk would answer
 * "not found" for what its neighbours hold.
 *
 *   partial ──compared with a complete replica──────────► complete
 *   partial ──compared with all other primaries─────────► complete
 *   complete ──wipe, damage, unclean start, not owned───► partial
 *
 * One bit a partition, persisted. A bit is only ever set after what it claims is true, and cleared on
 * disk before the process goes on, so a crash errs towards partial.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { readFile, replaceFile, type Disk } from "../../storage/disk.ts";

const PATH = "completeness";
const FORMAT = 1;
const HEADER = 12;

export class Completeness {
  readonly #disk: Disk;
  readonly #bits: Uint8Array;
  readonly #partitions: number;
  /** Peers that a partial partition was compared with since it became partial. */
  readonly #compared = new Map<number, Set<string>>();
  #isDirty = false;

  /** Starts with every partition partial; `restore` or `completeAll` follow. */
  constructor(disk: Disk, partitions: number) {
    this.#disk = disk;
    this.#partitions = partitions;
    this.#bits = new Uint8Array(Math.ceil(partitions / 8));
  }

  /** Takes over what was persisted; an absent or damaged file leaves all partial. */
  restore(): void {
    const bytes = readFile(this.#disk, PATH);
    if (bytes === null || bytes.length !== HEADER + this.#bits.length) return;
    if (bytes[0] !== FORMAT || readU32(bytes, 4) !== this.#partitions) return;
    if (readU32(bytes, 8) !== crc32c(bytes, HEADER, bytes.length, 0)) return;
    this.#bits.set(bytes.subarray(HEADER));
  }

  /** Everything is complete: the first node of a cluster holds all there is. */
  completeAll(): void {
    this.#bits.fill(255);
    this.#compared.clear();
    this.save(true);
  }

  /** Everything is partial: the store may have lost something and cannot tell what. */
  partialAll(): void {
    this.#bits.fill(0);
    this.#compared.clear();
    this.save(true);
  }

  isComplete(partition: number): boolean {
    return (this.#bits[partition >> 3] & (1 << (partition & 7))) !== 0;
  }

  /**
   * A comparison with a peer ended with both holding the same.
   * @param others the ids of all other primaries of the partition
   */
  compared(partition: number, peer: string, peerIsComplete: boolean, others: string[]): void {
    if (this.isComplete(partition)) return;
    const seen = this.#compared.get(partition) ?? new Set<string>();
    seen.add(peer);
    this.#compared.set(partition, seen);
    if (peerIsComplete || others.every((other) => seen.has(other))) this.#complete(partition);
  }

  /** A partition with no other primaries has nobody to be compared with. */
  completeAlone(partition: number): void {
    if (!this.isComplete(partition)) this.#complete(partition);
  }

  /** A partition that is owned no longer is no longer kept up. */
  release(partition: number): void {
    if (!this.isComplete(partition)) return;
    this.#bits[partition >> 3] &= ~(1 << (partition & 7));
    this.#isDirty = true;
  }

  #complete(partition: number): void {
    this.#bits[partition >> 3] |= 1 << (partition & 7);
    this.#compared.delete(partition);
    this.#isDirty = true;
  }

  /** Persists what changed; with `isForced` in any case. @throws DiskError */
  save(isForced = false): void {
    if (!this.#isDirty && !isForced) return;
    const bytes = new Uint8Array(HEADER + this.#bits.length);
    bytes[0] = FORMAT;
    writeU32(bytes, 4, this.#partitions);
    bytes.set(this.#bits, HEADER);
    writeU32(bytes, 8, crc32c(bytes, HEADER, bytes.length, 0));
    replaceFile(this.#disk, PATH, bytes);
    this.#isDirty = false;
  }
}
