/** The files of the machine: what it means to take a large one away. */

import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { openDataDirectory } from "../../../server/ports/disk.ts";
import type { Disk } from "../../../storage/disk.ts";

const LARGE = new Uint8Array(2 << 20).fill(1);
const LIMIT_MS = 10_000;

t.test("a large file that is removed, or replaced, is gone with its blocks, and nobody holds it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "halo-disk-"));
  const { disk, release } = openDataDirectory(folder);
  t.teardown(() => {
    release();
    rmSync(folder, { recursive: true });
  });
  make(disk, "removed", LARGE);
  disk.remove("removed");
  t.notOk(existsSync(join(folder, "removed")), "no name");
  make(disk, "replaced", LARGE);
  make(disk, "new", Uint8Array.of(7));
  disk.rename("new", "replaced");
  t.equal(disk.open("replaced").size(), 1, "the new one stands in its place");
  const untilMs = Date.now() + LIMIT_MS;
  while (nameless(folder).length > 0 && Date.now() < untilMs) await new Promise((later) => setTimeout(later, 5));
  t.same(nameless(folder), [], "no descriptor keeps blocks that no name leads to");
  t.throws(() => disk.remove("removed"), { code: "ENOENT" }, "what is not there cannot be removed");
  t.throws(() => disk.rename("new", "replaced"), { code: "ENOENT" }, "nor moved");
});

function make(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, { create: true });
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

/** Files of the folder that this process has open and that have no name any more. */
function nameless(folder: string): string[] {
  const open = readdirSync("/proc/self/fd").map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return "";
    }
  });
  return open.filter((path) => path.startsWith(folder) && path.endsWith("(deleted)"));
}
