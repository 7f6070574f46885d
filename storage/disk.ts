/**
 * The files below an engine: what storage asks of the operating system, and nothing more.
 *
 * Writes and reads are synchronous (a write to the page cache costs under a microsecond, a promise
 * costs more); only syncing waits. What was written and not synced survives the death of the
 * process and not the death of the machine: the simulated disk (test/simulation/disk.ts) is
 * merciless about it.
 *
 * Paths are relative to the data directory, with "/" between parts.
 */

/** What went wrong, in the words of errno: "ENOSPC", "EIO", "ENOENT", "EROFS", "EMFILE"… */
export class DiskError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What errno says when room, not the disk, is missing: it may come back. */
const OUT_OF_ROOM = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EMFILE", "ENFILE", "ENOMEM"]);

/** Whether a failure says that room is missing: space, files or memory. */
export function isOutOfRoom(error: DiskError): boolean {
  return OUT_OF_ROOM.has(error.code);
}

/** What there is too little of: space on the disk, memory, or files that a process may open. */
export type Room = "disk" | "memory" | "files";

/** REQUIRES: isOutOfRoom() */
export function missingRoom(error: DiskError): Room {
  if (error.code === "EMFILE" || error.code === "ENFILE") return "files";
  return error.code === "ENOMEM" ? "memory" : "disk";
}

export interface DiskFile {
  readonly path: string;
  /** Bytes in the file. */
  size(): number;
  /** Writes source[start, end) at `position`, all of it. @throws DiskError */
  write(source: Uint8Array, start: number, end: number, position: number): void;
  /**
   * Reads into target[start, end) from `position`; returns the bytes read, fewer only at the end.
   * @throws DiskError
   */
  read(target: Uint8Array, start: number, end: number, position: number): number;
  /**
   * Makes all written bytes durable (fdatasync); calls back later, never before it returns. Two may be
   * under way at one time, each for what was written before it was called; an error of the file is told
   * to both.
   */
  sync(done: (error: DiskError | null) => void): void;
  /** The same, waiting. @throws DiskError */
  syncNow(): void;
  /** Cuts or extends (with zeros). @throws DiskError */
  truncate(size: number): void;
  /**
   * Makes a file that ends at `from` end at `to`, with zeros that are durable, in the background: writes
   * into them later need no new blocks, which makes a sync twice as fast. Nothing else may touch the
   * file until it calls back, which is never before it returns.
   */
  preallocate(from: number, to: number, done: (error: DiskError | null) => void): void;
  close(): void;
}

export interface Disk {
  /**
   * Opens for reading and writing; `create` makes an absent file, and fails on a present one.
   * @throws DiskError
   */
  open(path: string, options?: { create?: boolean }): DiskFile;
  /** Names in a folder, sorted; an absent folder is empty. @throws DiskError */
  list(folder: string): string[];
  exists(path: string): boolean;
  /** Makes a folder and its parents; present ones are fine. @throws DiskError */
  makeFolder(path: string): void;
  remove(path: string): void;
  rename(source: string, target: string): void;
  /** Makes creations, removals and renames in a folder durable. @throws DiskError */
  syncFolder(folder: string): void;
  /** Free bytes of the file system. */
  freeBytes(): number;
}

/**
 * Writes a whole small file so that after any crash it is the old one or the new one. @throws
 * DiskError
 */
export function replaceFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`;
  if (disk.exists(temporary)) disk.remove(temporary);
  const file = disk.open(temporary, { create: true });
  try {
    file.write(bytes, 0, bytes.length, 0);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.rename(temporary, path);
  const slash = path.lastIndexOf("/");
  disk.syncFolder(slash < 0 ? "" : path.slice(0, slash));
}

/** Reads a whole small file, or null when it is absent. @throws DiskError */
export function readFile(disk: Disk, path: string): Uint8Array | null {
  if (!disk.exists(path)) return null;
  const file = disk.open(path);
  try {
    const bytes = new Uint8Array(file.size());
    const count = file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, count);
  } finally {
    file.close();
  }
}
