/**
 * A copy of a node's files that a node could start from, taken beside the running node.
 *
 *   list ─► open all, oldest first ─► hard link, or copy ─► the last one: copy up to its last record
 *     ▲            │ a file is gone: compaction was faster
 *     └────────────┘
 *
 * It asks the node nothing, since the log makes it unnecessary: a segment that has a successor never
 * changes, the last one only grows, and what is acknowledged has been handed to the kernel, where any
 * process can read it. Compaction deletes a segment once its live records are synced in later ones. So
 * where every file of one listing could be opened, oldest first, nothing is missing, and an open file
 * stays when its name goes: the copy holds all that was acknowledged before the listing, and is a
 * prefix of what the store wrote. A write that was caught halfway is a torn tail: recovery cuts it off.
 *
 * A link shares its bytes with the store: the sealed segment is synced first, so that no recovery has a
 * reason to cut it. A file that the target has from the backup before, as long and with the same first
 * and last bytes, is left as it is: records are full of actors, counters and stamps that are drawn once.
 */

import { crc32c } from "../../core/crc32c.ts";
import { type Disk, DiskError, type DiskFile } from "../disk.ts";
import { KIND_SEGMENT } from "./record.ts";
import { segmentNumber, segmentPath } from "./segment.ts";
import { SegmentScan } from "./segment-scan.ts";

const CHUNK_BYTES = 1 << 20;
/** What is compared of a file at either end. */
const COMPARED_BYTES = 64 << 10;
/** Listings that compaction may spoil before it is given up. */
const ATTEMPTS = 100;

/** One file of a backup: its first `bytes` bytes count, whatever follows. */
export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  /** crc32c of them. */
  readonly checksum: number;
}

export interface BackupOptions {
  /** The data directory, to be read only. */
  readonly source: Disk;
  readonly target: Disk;
  /** Logs below both: "objects", "hints". */
  readonly folders: readonly string[];
  /** What the target holds from the backup before. */
  readonly previous: readonly BackupFile[];
  /**
   * Makes `to` of the target the same file as `from` of the source; false where that cannot be, or
   * where the source has it no longer.
   */
  readonly link: (from: string, to: string) => boolean;
}

interface Planned {
  /** Open from the listing on: a file that is deleted meanwhile can still be read. */
  readonly file: DiskFile;
  readonly path: string;
  readonly bytes: number;
  readonly isSealed: boolean;
}

export class LogBackup {
  /** What the backup consists of, once run() has ended. */
  files: BackupFile[];
  bytesTotal: number;
  bytesDone: number;
  linked: number;
  copied: number;
  unchanged: number;
  readonly #options: BackupOptions;
  readonly #previous: ReadonlyMap<string, BackupFile>;
  readonly #scan: SegmentScan;
  readonly #chunk: Uint8Array;

  constructor(options: BackupOptions) {
    this.files = [];
    this.bytesTotal = 0;
    this.bytesDone = 0;
    this.linked = 0;
    this.copied = 0;
    this.unchanged = 0;
    this.#options = options;
    this.#previous = new Map(options.previous.map((file) => [file.path, file]));
    this.#scan = new SegmentScan();
    this.#chunk = new Uint8Array(CHUNK_BYTES);
  }

  /** Takes the backup; yields after each piece of work. @throws DiskError, NewerFormatError */
  *run(): Generator<void> {
    const { folders, target } = this.#options;
    const opened: DiskFile[] = [];
    try {
      const plan = folders.flatMap((folder) => {
        target.makeFolder(folder);
        const files = this.#open(folder);
        opened.push(...files.values());
        return this.#plan(folder, files);
      });
      this.bytesTotal = plan.reduce((sum, { bytes }) => sum + bytes, 0);
      for (const one of plan) this.files.push(yield* this.#take(one));
      for (const folder of folders) target.syncFolder(folder);
    } finally {
      for (const file of opened) file.close();
    }
  }

  /** Every segment of one listing, by number, oldest first. @throws DiskError */
  #open(folder: string): Map<number, DiskFile> {
    const { source } = this.#options;
    for (let attempt = 1;; attempt++) {
      const files = new Map<number, DiskFile>();
      const numbers = source.list(folder).map(segmentNumber).filter((number) => number > 0);
      try {
        for (const number of numbers.sort((left, right) => left - right)) {
          files.set(number, source.open(segmentPath(folder, number)));
        }
        return files;
      } catch (error) {
        for (const file of files.values()) file.close();
        const isGone = error instanceof DiskError && error.code === "ENOENT";
        if (!isGone || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** The segments of a log and where their records end; those without any are left out. */
  #plan(folder: string, files: ReadonlyMap<number, DiskFile>): Planned[] {
    const ends = new Map<number, number>();
    const plan: Planned[] = [];
    let isSealed = false;
    for (const [number, file] of [...files].reverse()) {
      this.#scan.open(file, number);
      const hasFrame = this.#scan.isRecord(0) && this.#scan.header.kind === KIND_SEGMENT;
      if (hasFrame) ends.set(this.#scan.header.digest0, this.#scan.header.digest1);
      const bytes: number = isSealed ? (ends.get(number) ?? file.size()) : this.#recordsEnd();
      if (bytes > 0) plan.unshift({ file, path: segmentPath(folder, number), bytes, isSealed });
      isSealed ||= bytes > 0;
    }
    return plan;
  }

  /** Where the last record of the scanned segment ends. */
  #recordsEnd(): number {
    let end = 0;
    for (let at = 0; at >= 0;) {
      if (this.#scan.isRecord(at)) end = at += this.#scan.header.length;
      else at = this.#scan.nextRecord(at + 1);
    }
    return end;
  }

  *#take(planned: Planned): Generator<void, BackupFile> {
    const { file, path, bytes, isSealed } = planned;
    const { target, link } = this.#options;
    const before = this.#previous.get(path);
    if (before?.bytes === bytes && this.#isUnchanged(file, path, bytes)) {
      this.unchanged++;
      this.bytesDone += bytes;
      return before;
    }
    if (isSealed) file.syncNow();
    const temporary = `${path}.new`;
    if (target.exists(temporary)) target.remove(temporary);
    const isLinked = isSealed && link(path, temporary);
    const checksum = yield* isLinked
      ? this.#copy(file, bytes, null)
      : this.#copyTo(file, bytes, temporary);
    target.rename(temporary, path);
    // Renaming one link of a file over another of the same file does nothing.
    if (target.exists(temporary)) target.remove(temporary);
    if (isLinked) this.linked++;
    else this.copied++;
    return { path, bytes, checksum };
  }

  *#copyTo(source: DiskFile, bytes: number, path: string): Generator<void, number> {
    const file = this.#options.target.open(path, { create: true });
    try {
      const checksum = yield* this.#copy(source, bytes, file);
      file.syncNow();
      return checksum;
    } finally {
      file.close();
    }
  }

  /** Reads, writes where there is a target, and returns the checksum. */
  *#copy(source: DiskFile, bytes: number, target: DiskFile | null): Generator<void, number> {
    const checksum = yield* copyChecked(source, target, bytes, this.#chunk, (count) => {
      this.bytesDone += count;
    });
    return checksum;
  }

  #isUnchanged(source: DiskFile, path: string, bytes: number): boolean {
    const { target } = this.#options;
    if (!target.exists(path)) return false;
    const file = target.open(path);
    try {
      const last = Math.max(0, bytes - COMPARED_BYTES);
      return isSameAt(source, file, 0, bytes) && isSameAt(source, file, last, bytes);
    } finally {
      file.close();
    }
  }
}

/**
 * Copies a file's first bytes, a piece at a time (target null: only reads them), and returns their
 * crc32c. @throws DiskError; "EIO" where the file is shorter
 */
export function* copyChecked(
  source: DiskFile,
  target: DiskFile | null,
  bytes: number,
  chunk: Uint8Array,
  done: (count: number) => void,
): Generator<void, number> {
  let checksum = 0;
  for (let at = 0; at < bytes;) {
    const wanted = Math.min(chunk.length, bytes - at);
    const count = source.read(chunk, 0, wanted, at);
    if (count < wanted) {
      throw new DiskError("EIO", `${source.path} has ${at + count} bytes, wanted are ${bytes}`);
    }
    checksum = crc32c(chunk, 0, count, checksum);
    target?.write(chunk, 0, count, at);
    at += count;
    done(count);
    yield;
  }
  return checksum;
}

/** The crc32c of a file's first bytes. @throws DiskError */
export function checksumOf(
  file: DiskFile,
  bytes: number,
  done: (count: number) => void,
): number {
  const reading = copyChecked(file, null, bytes, new Uint8Array(CHUNK_BYTES), done);
  let step = reading.next();
  while (!step.done) step = reading.next();
  return step.value;
}

/** Whether two files have the same bytes from `at` on, up to COMPARED_BYTES and `end`. */
function isSameAt(left: DiskFile, right: DiskFile, at: number, end: number): boolean {
  const count = Math.min(COMPARED_BYTES, end - at);
  const ours = new Uint8Array(count);
  const theirs = new Uint8Array(count);
  if (left.read(ours, 0, count, at) < count || right.read(theirs, 0, count, at) < count) return false;
  return ours.every((byte, index) => byte === theirs[index]);
}
