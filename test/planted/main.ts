/**
 * Plants bugs, one at a time, in a copy of the sources, and runs the suites of storage on each: every one
 * must be noticed.
 *
 *   bun test/planted/main.ts             all of them
 *   BUGS=3-5 …                           some, by number
 *
 * Ends with exit code 1 where a bug was not noticed, or could not be planted.
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BUGS, type Bug } from "./bugs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COPIED = ["core", "storage", "server", "test", "package.json", "tsconfig.json"];
/** The suites that know of crashes, damage and disks. */
const SUITES = [
  "storage/log/log-",
  "storage/log/compaction",
  "storage/log/snapshot",
  "storage/actor",
  "storage/disk",
];
const RUN_MS_MAX = 120_000;

function main(): boolean {
  const [first, last] = (process.env.BUGS ?? `1-${BUGS.length}`).split("-").map(Number);
  const copy = mkdtempSync(join(tmpdir(), "halo-planted-"));
  let missed = 0;
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    for (let number = first; number <= (last ?? first); number++) {
      if (!isNoticed(copy, BUGS[number - 1], number)) missed++;
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
  console.log(missed === 0 ? "every planted bug was noticed" : `${missed} were NOT noticed`);
  return missed === 0;
}

function isNoticed(copy: string, bug: Bug, number: number): boolean {
  const path = join(copy, bug.file);
  const sound = readFileSync(path, "utf8");
  if (sound.split(bug.from).length !== 2) {
    console.log(`${number} ${bug.name}: ${bug.file} does not have its words, or has them twice`);
    return false;
  }
  writeFileSync(path, sound.replace(bug.from, () => bug.to));
  const began = performance.now();
  const { status, stdout } = spawnSync(process.execPath, ["test/runtimes.ts", ...SUITES], {
    cwd: copy,
    encoding: "utf8",
    timeout: RUN_MS_MAX,
  });
  writeFileSync(path, sound);
  const seconds = Math.round((performance.now() - began) / 1000);
  const failed = stdout.split("\n").find((line) => line.startsWith("FAILED"));
  const isFound = status !== 0;
  const how = isFound ? `noticed: ${failed ?? "it did not end well"}` : "NOT noticed";
  console.log(`${number} ${bug.name}: ${how} (${seconds} s)`);
  return isFound;
}

process.exit(main() ? 0 : 1);
