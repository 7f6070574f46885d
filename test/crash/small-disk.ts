/**
 * A real file system of a few MiB that can be full, or fail: ext4 in a file (Linux, as root). Where the
 * machine does not allow it, there is none.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";

export class SmallDisk {
  readonly folder: string;
  readonly #image: string;

  private constructor(folder: string, image: string) {
    this.folder = folder;
    this.#image = image;
  }

  /** Null where this process may not mount anything. */
  static mount(folder: string, mebibytes: number): SmallDisk | null {
    const image = `${folder}.ext4`;
    mkdirSync(folder, { recursive: true });
    const isMounted = runs("truncate", ["-s", `${mebibytes}M`, image]) &&
      runs("mkfs.ext4", ["-q", image]) &&
      runs("mount", ["-o", "loop", image, folder]);
    if (isMounted) return new SmallDisk(folder, image);
    rmSync(image, { force: true });
    return null;
  }

  /** What the kernel does when the medium fails: nothing can be written from now on, in no open file. */
  fail(): void {
    runs("mount", ["-o", "remount,abort", this.folder]);
  }

  unmount(): void {
    runs("umount", ["--lazy", this.folder]);
    rmSync(this.#image, { force: true });
  }
}

function runs(program: string, given: readonly string[]): boolean {
  try {
    execFileSync(program, given, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
