/**
 * Rounds: which messages of a partition are too old to be applied, so that deletes can be forgotten.
 *
 *   label    on every state that this node sends of the partition, as of the moment when it began to read it
 *   closed   what comes with a lower label is refused: whoever has it reads again, and finds what there is now
 *
 *                 clean         raise                seal              reap
 *   label     3 ────┼─────────────4─────────────────────┼─────────────────┼──────►
 *   closed    3 ────┼─────────────3──── (in flight: 3) ─4─────────────────┼──────►
 *                   └ watch: no hint, no surplus since ─┴ else: broken
 *
 * A tombstone may be forgotten when nothing that it covers can come back: all owners have it synced; after that
 * no member has a hint or a surplus copy of the partition; after that every member labels anew; and then
 * all refuse what has the old label. What is read under the new label comes from owners, who have the tombstone.
 * Hints that are kept, and owners that become partial, meanwhile break the watch, and the round with it: all that
 * happened then is that labels went up. A member that is down blocks its rounds. No clock decides. SPEC 1.
 *
 * `closed` is persisted: a process that was stopped for an hour may still have old messages to send. Labels
 * are not; after a start this node asks what the others use (adopt), since what it reads from then on is new.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { readFile, replaceFile, type Disk } from "../../storage/disk.ts";

const PATH = "rounds";
const FORMAT = 1;
const HEADER = 12;
const WATCHES_MAX = 64;

/** What was promised to the leader of a round. */
interface Watch {
  readonly id: string;
  readonly partitions: ReadonlySet<number>;
}

export class Rounds {
  readonly #disk: Disk;
  readonly #labels: Uint32Array;
  readonly #closed: Uint32Array;
  readonly #watches: Watch[] = [];

  constructor(disk: Disk, partitions: number) {
    this.#disk = disk;
    this.#labels = new Uint32Array(partitions);
    this.#closed = new Uint32Array(partitions);
  }

  /** Takes over what was persisted; a file that does not check is as if it said nothing. */
  restore(): void {
    const bytes = readFile(this.#disk, PATH);
    const count = this.#closed.length;
    if (bytes === null || bytes.length !== HEADER + count * 4) return;
    if (bytes[0] !== FORMAT || readU32(bytes, 4) !== count) return;
    if (readU32(bytes, 8) !== crc32c(bytes, HEADER, bytes.length)) return;
    for (let partition = 0; partition < count; partition++) {
      this.#closed[partition] = readU32(bytes, HEADER + partition * 4);
      this.#labels[partition] = this.#closed[partition];
    }
  }

  /** The label of what is read here from now on. */
  label(partition: number): number {
    return this.#labels[partition];
  }

  /** All labels, in the order of the partitions, u32 each: for those who start. */
  allLabels(): Uint8Array {
    const bytes = new Uint8Array(this.#labels.length * 4);
    this.#labels.forEach((label, partition) => writeU32(bytes, partition * 4, label));
    return bytes;
  }

  /** Takes over higher labels of another member. @returns false where it is no list of them */
  adopt(bytes: unknown): boolean {
    if (!(bytes instanceof Uint8Array) || bytes.length !== this.#labels.length * 4) return false;
    for (let partition = 0; partition < this.#labels.length; partition++) {
      const label = readU32(bytes, partition * 4);
      if (label > this.#labels[partition]) this.#labels[partition] = label;
    }
    return true;
  }

  /** Whether a state with this label is not to be applied any more. */
  isClosed(partition: number, label: number): boolean {
    return label < this.#closed[partition];
  }

  /** Begins to watch these partitions for a round. REQUIRES: they are clean here now */
  watch(id: string, partitions: readonly number[]): void {
    this.#watches.push({ id, partitions: new Set(partitions) });
    if (this.#watches.length > WATCHES_MAX) this.#watches.shift();
  }

  /** Whether all of these have been clean since the watch of this id began. */
  isWatched(id: string, partitions: readonly number[]): boolean {
    const watch = this.#watches.findLast((known) => known.id === id);
    return watch !== undefined && partitions.every((one) => watch.partitions.has(one));
  }

  /** Something was kept here, or became uncertain, that no watch allows. */
  breakWatches(): void {
    this.#watches.length = 0;
  }

  /**
   * Labels these partitions with `labels` from now on; false, and nothing is changed, where one is not
   * higher than before: another round was here first.
   */
  raise(partitions: readonly number[], labels: readonly number[]): boolean {
    if (partitions.some((partition, index) => labels[index] <= this.#labels[partition])) return false;
    partitions.forEach((partition, index) => {
      this.#labels[partition] = labels[index];
    });
    return true;
  }

  /** Refuses what has lower labels from now on, also after a restart. @throws DiskError: nothing is promised */
  seal(partitions: readonly number[], labels: readonly number[]): void {
    const bytes = new Uint8Array(HEADER + this.#closed.length * 4);
    const closed = this.#closed.slice();
    partitions.forEach((partition, index) => {
      closed[partition] = Math.max(closed[partition], labels[index]);
    });
    bytes[0] = FORMAT;
    writeU32(bytes, 4, closed.length);
    closed.forEach((label, partition) => writeU32(bytes, HEADER + partition * 4, label));
    writeU32(bytes, 8, crc32c(bytes, HEADER, bytes.length));
    replaceFile(this.#disk, PATH, bytes);
    this.#closed.set(closed);
  }

  /** Whether what has lower labels than this is refused. */
  isSealed(partition: number, label: number): boolean {
    return this.#closed[partition] >= label;
  }
}
