/**
 * The files of the machine, rooted at one data directory, over node:fs (which Bun, Deno and Node
 * serve alike). Writes and reads are synchronous calls into the page cache; syncing and
 * preallocating run on the runtime's threads.
 *
 * A data directory belongs to one process (server/ports/data-lock.ts); `openDataDirectory` takes
 * the lock and gives the disk that the node works on.
 */

import * as fs from "node:fs";
import { type Disk, DiskError, type DiskFile } from "../../storage/disk.ts";
import { DataLock, dataHolder } from "./data-lock.ts";
import { DescriptorReserve } from "./descriptors.ts";

/**
 * What is written in one go when a file is filled. The kernel's page cache keeps it in folios as large, and
 * goes through all blocks of a folio at each small write into it: of a megabyte, 10 % of the time of a node
 * that makes 64 puts at a time durable (226 instead of 187 thousand a second; one at a time without a sync
 * 225 instead of 194). Of smaller folios there are more, and they are colder: 128 KiB cost 6 % of the reads.
 */
const ZEROS_BYTES = 256 << 10;
/** To free so much takes 0.2 ms, and 13 ms for a segment of 64 MiB. */
const FREED_LATER_BYTES = 1 << 20;
/** Enough for a new segment, a snapshot and the state files at one time, and as many again. */
const RESERVED_DESCRIPTORS = 8;
const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

export interface DataDirectory {
  readonly disk: Disk;
  /** Another one after each start of the kernel; see Ports.bootId. */
  readonly bootId: string;
  /** Descriptors of its files, and those in reserve for more of them. */
  descriptors(): number;
  /** Gives the directory free for another process. */
  release(): void;
}

/**
 * Makes the directory where it is absent, locks it for this process and opens it.
 * @throws DiskError with a sentence for the operator: "EBUSY" where another process holds it
 */
export function openDataDirectory(path: string): DataDirectory {
  attempt(() => fs.mkdirSync(path, { recursive: true }));
  const bootId = readBootId();
  const lock = attempt(() => new DataLock(path, bootId));
  const reserve = new DescriptorReserve(RESERVED_DESCRIPTORS);
  const disk = new FileDisk(path, reserve);
  return {
    disk,
    bootId,
    descriptors: () => disk.openFiles + reserve.held,
    release: () => {
      reserve.release();
      lock.release();
    },
  };
}

export interface ReadableDirectory {
  /** Opens files for reading alone; the system refuses every write. */
  readonly disk: Disk;
  /** The process that works on the directory now; 0: none does. */
  readonly holder: number;
}

/**
 * A data directory to look at, in use or not: no lock is taken and nothing is changed.
 * @throws DiskError "ENOENT" where there is none
 */
export function readDataDirectory(path: string): ReadableDirectory {
  const holder = attempt(() => dataHolder(path, readBootId()));
  return { disk: new FileDisk(path, null), holder };
}

/** What link() says where file system or rights do not allow it, or the file has gone. */
const NO_LINKS = new Set(["ENOENT", "EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES"]);

/**
 * Makes a file of directory `target` the same as one of `source`, by a hard link; the function
 * answers false where that cannot be, and the file has to be copied. @throws DiskError
 */
export function hardLinks(source: string, target: string): (from: string, to: string) => boolean {
  return (from, to) => {
    try {
      attempt(() => fs.linkSync(`${source}/${from}`, `${target}/${to}`));
      return true;
    } catch (error) {
      if (error instanceof DiskError && NO_LINKS.has(error.code)) return false;
      throw error;
    }
  };
}

/**
 * Where the kernel does not name its boots, each start counts as one: nothing is taken for kept.
 */
function readBootId(): string {
  if (fs.existsSync(BOOT_ID_PATH)) return fs.readFileSync(BOOT_ID_PATH, "utf8").trim();
  return crypto.randomUUID();
}

/** Runs a call of node:fs and says its failure in the words of the contract. */
function attempt<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw asDiskError(error);
  }
}

function asDiskError(error: unknown): unknown {
  if (error instanceof DiskError || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "EIO";
  return new DiskError(code, error.message);
}

/** The same for the error of a callback, which is a disk's error by its origin. */
function callbackError(error: Error): DiskError {
  const known = asDiskError(error);
  return known instanceof DiskError ? known : new DiskError("EIO", error.message);
}

class FileDisk implements Disk {
  /** Files that are open now. */
  openFiles: number;
  readonly #root: string;
  readonly #reserve: DescriptorReserve | null;
  readonly #closed = (): void => {
    this.openFiles--;
  };

  /** @param reserve null: the files are for reading alone */
  constructor(root: string, reserve: DescriptorReserve | null) {
    this.openFiles = 0;
    this.#root = root;
    this.#reserve = reserve;
  }

  open(path: string, options?: { create?: boolean }): DiskFile {
    const existing = this.#reserve === null ? "r" : "r+";
    const flags = options?.create === true ? "wx+" : existing;
    const descriptor = this.#opening(() => fs.openSync(this.#at(path), flags, 0o640));
    this.openFiles++;
    return new OpenFile(path, descriptor, this.#closed);
  }

  /** @throws DiskError */
  #opening<Result>(call: () => Result): Result {
    const reserve = this.#reserve;
    return attempt(() => (reserve === null ? call() : reserve.open(call)));
  }

  list(folder: string): string[] {
    return this.#opening(() => {
      const path = this.#at(folder);
      return fs.existsSync(path) ? fs.readdirSync(path).sort() : [];
    });
  }

  exists(path: string): boolean {
    return fs.existsSync(this.#at(path));
  }

  makeFolder(path: string): void {
    attempt(() => fs.mkdirSync(this.#at(path), { recursive: true, mode: 0o750 }));
  }

  remove(path: string): void {
    this.#freeingLater(path, () => fs.unlinkSync(this.#at(path)));
  }

  rename(source: string, target: string): void {
    this.#freeingLater(target, () => fs.renameSync(this.#at(source), this.#at(target)));
  }

  syncFolder(folder: string): void {
    this.#opening(() => {
      const descriptor = fs.openSync(this.#at(folder), "r");
      try {
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
    });
  }

  /**
   * Takes a file's name away while it is held open, if it is large: then it is its closing, on another thread,
   * that frees its blocks, and the node goes on meanwhile.
   */
  #freeingLater(path: string, takeAway: () => void): void {
    const held = this.#holdLarge(path);
    try {
      attempt(takeAway);
    } finally {
      if (held !== null) fs.close(held, () => {});
    }
  }

  /** Null where the file is small or absent, or there is no descriptor for it. */
  #holdLarge(path: string): number | null {
    try {
      const size = fs.statSync(this.#at(path), { throwIfNoEntry: false })?.size ?? 0;
      return size < FREED_LATER_BYTES ? null : fs.openSync(this.#at(path), "r");
    } catch {
      return null;
    }
  }

  freeBytes(): number {
    const system = attempt(() => fs.statfsSync(this.#root));
    return system.bavail * system.bsize;
  }

  #at(path: string): string {
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }
}

class OpenFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #closed: () => void;
  #isSyncing = false;
  /** For a sync beside the first; null while there is none. */
  #second: number | null = null;
  #isSecondSyncing = false;
  readonly #postponed: ((error: DiskError | null) => void)[] = [];

  constructor(path: string, descriptor: number, closed: () => void) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#closed = closed;
  }

  size(): number {
    return attempt(() => fs.fstatSync(this.#descriptor).size);
  }

  write(source: Uint8Array, start: number, end: number, position: number): void {
    try {
      while (start < end) {
        const count = fs.writeSync(this.#descriptor, source, start, end - start, position);
        start += count;
        position += count;
      }
    } catch (error) {
      throw asDiskError(error);
    }
  }

  read(target: Uint8Array, start: number, end: number, position: number): number {
    let at = start;
    try {
      while (at < end) {
        const count = fs.readSync(this.#descriptor, target, at, end - at, position);
        if (count === 0) break;
        at += count;
        position += count;
      }
    } catch (error) {
      throw asDiskError(error);
    }
    return at - start;
  }

  /**
   * The kernel tells an error of the file once to each opening of it, so a second sync beside the first has
   * an opening of its own: else one of them could be told that all is well. Where there is no descriptor
   * left for that, it waits for the first.
   */
  sync(done: (error: DiskError | null) => void): void {
    if (!this.#isSyncing) {
      this.#isSyncing = true;
      this.#syncBy(this.#descriptor, done, () => {
        this.#isSyncing = false;
      });
      return;
    }
    this.#second ??= this.#openAgain();
    if (this.#second === null || this.#isSecondSyncing) {
      this.#postponed.push(done);
      return;
    }
    this.#isSecondSyncing = true;
    this.#syncBy(this.#second, done, () => {
      this.#isSecondSyncing = false;
    });
  }

  #syncBy(descriptor: number, done: (error: DiskError | null) => void, ended: () => void): void {
    fs.fdatasync(descriptor, (error) => {
      ended();
      const postponed = this.#postponed.shift();
      if (postponed !== undefined) this.sync(postponed);
      else if (!this.#isSyncing && !this.#isSecondSyncing) this.#closeSecond();
      done(error ? callbackError(error) : null);
    });
  }

  /** The same file, whatever its name is by now; null where it cannot be opened. */
  #openAgain(): number | null {
    try {
      return fs.openSync(`/proc/self/fd/${this.#descriptor}`, "r+");
    } catch {
      // No descriptor left, or no /proc: one sync at a time, as if nobody had asked for more.
      return null;
    }
  }

  #closeSecond(): void {
    if (this.#second === null) return;
    attempt(() => fs.closeSync(this.#second ?? -1));
    this.#second = null;
  }

  syncNow(): void {
    attempt(() => fs.fdatasyncSync(this.#descriptor));
  }

  truncate(size: number): void {
    attempt(() => fs.ftruncateSync(this.#descriptor, size));
  }

  preallocate(from: number, to: number, done: (error: DiskError | null) => void): void {
    this.#fill(new Uint8Array(Math.min(to - from, ZEROS_BYTES)), from, to, done);
  }

  close(): void {
    this.#closeSecond();
    attempt(() => fs.closeSync(this.#descriptor));
    this.#closed();
  }

  /** Writes zeros from `position` on, a piece at a time, and syncs at the end. */
  #fill(
    zeros: Uint8Array,
    position: number,
    size: number,
    done: (error: DiskError | null) => void,
  ): void {
    if (position >= size) {
      this.sync(done);
      return;
    }
    const length = Math.min(zeros.length, size - position);
    fs.write(this.#descriptor, zeros, 0, length, position, (error, count) => {
      if (error) done(callbackError(error));
      else this.#fill(zeros, position + count, size, done);
    });
  }
}
