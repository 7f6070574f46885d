/** The least disk that a membership needs: small files that are replaced whole. */

import { type Disk, DiskError, type DiskFile } from "../../../storage/disk.ts";
import type { Log } from "../../../server/ports/log.ts";

export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };

/** Files in memory; small ones that are replaced whole, so that nothing is ever torn. */
export class SmallDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  /** Writes fail while this is set. */
  full = false;
  /** So many more files may be replaced; then the disk fails until it is set to infinity again. */
  replacementsLeft = Number.POSITIVE_INFINITY;

  open(path: string, options?: { create?: boolean }): DiskFile {
    if (this.full) throw new DiskError("ENOSPC", "no space left");
    if (options?.create === true) {
      if (this.replacementsLeft <= 0) throw new DiskError("EIO", "the machine is about to die");
      this.replacementsLeft--;
      this.files.set(path, new Uint8Array(0));
    }
    if (!this.files.has(path)) throw new DiskError("ENOENT", `no file ${path}`);
    return new SmallFile(this, path);
  }
  list(): string[] {
    return [...this.files.keys()].sort();
  }
  exists(path: string): boolean {
    return this.files.has(path);
  }
  makeFolder(): void {}
  remove(path: string): void {
    this.files.delete(path);
  }
  rename(source: string, target: string): void {
    const bytes = this.files.get(source);
    if (bytes === undefined) throw new DiskError("ENOENT", `no file ${source}`);
    this.files.set(target, bytes);
    this.files.delete(source);
  }
  syncFolder(): void {}
  freeBytes(): number {
    return this.full ? 0 : 1e9;
  }
}

class SmallFile implements DiskFile {
  readonly path: string;
  readonly #disk: SmallDisk;
  constructor(disk: SmallDisk, path: string) {
    this.#disk = disk;
    this.path = path;
  }
  #bytes(): Uint8Array {
    return this.#disk.files.get(this.path) ?? new Uint8Array(0);
  }
  size(): number {
    return this.#bytes().length;
  }
  write(source: Uint8Array, start: number, end: number, position: number): void {
    if (this.#disk.full) throw new DiskError("ENOSPC", "no space left");
    const bytes = new Uint8Array(Math.max(this.size(), position + end - start));
    bytes.set(this.#bytes());
    bytes.set(source.subarray(start, end), position);
    this.#disk.files.set(this.path, bytes);
  }
  read(target: Uint8Array, start: number, end: number, position: number): number {
    const part = this.#bytes().subarray(position, position + end - start);
    target.set(part, start);
    return part.length;
  }
  sync(done: (error: DiskError | null) => void): void {
    done(null);
  }
  syncNow(): void {}
  truncate(): void {}
  preallocate(): void {}
  close(): void {}
}
