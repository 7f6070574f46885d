/**
 * The contract of storage/disk.ts, on the real disk and on the simulated one; and what the
 * simulated one loses.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { openDataDirectory } from "../../server/ports/disk.ts";
import { type Disk, DiskError, readFile, replaceFile } from "../../storage/disk.ts";
import { SeededRandom } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import { payloadOf } from "./sets.ts";
import { Machine } from "./engine-beds.ts";

type Wait = (start: (done: () => void) => void) => Promise<void>;

const cases: readonly (readonly [
  name: string,
  run: (disk: Disk, check: Check, wait: Wait) => void | Promise<void>,
])[] = [
  ["files: written, read, cut, extended", files],
  ["open() makes only what is absent and opens only what is there", opening],
  ["folders: listed in order, an absent one is empty", folders],
  ["remove() and rename()", renaming],
  ["sync() and preallocate() call back later, once", callbacks],
  ["two syncs at one time, and more that wait, end once each", twoSyncs],
  ["replaceFile() and readFile()", replacing],
  ["free bytes are some", free],
];

export const suite: Case[] = [
  ...cases.map(([name, run]) => ({
    name: `real disk: ${name}`,
    run: (check: Check) => onReal(run, check),
  })),
  ...cases.map(([name, run]) => ({
    name: `simulated disk: ${name}`,
    run: (check: Check) => {
      const machine = new Machine(1);
      return run(machine.disk.mount(), check, (start) => Promise.resolve(machine.wait(start)));
    },
  })),
  { name: "power loss keeps what was synced, and spares nothing else for sure", run: powerLoss },
  { name: "kill keeps all; handles of the dead throw", run: kill },
  {
    name: "replaceFile() over power losses: the old file or the new one",
    run: replacingOverCrashes,
  },
  {
    name: "a failed sync is a success the next time, and the bytes are not there",
    run: failedSync,
  },
];

async function twoSyncs(disk: Disk, check: Check, wait: Wait): Promise<void> {
  const file = disk.open("a", { create: true });
  const ended: number[] = [];
  for (let round = 0; round < 3; round++) {
    await wait((done) => {
      let left = 5;
      for (let index = 0; index < 5; index++) {
        file.write(payloadOf(index, 10), 0, 10, index * 10);
        file.sync((error) => {
          check.equal(error, null, "it is durable");
          ended.push(index);
          if (--left === 0) done();
        });
      }
      check.equal(ended.length, round * 5, "none before it returns");
    });
  }
  check.same([...ended].sort(), [0, 1, 2, 3, 4].flatMap((index) => [index, index, index]), "each once");
  file.close();
}

async function onReal(run: (typeof cases)[number][1], check: Check): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/halo-disk-`);
  const data = openDataDirectory(folder);
  try {
    await run(data.disk, check, (start) => new Promise((resolve) => start(resolve)));
  } finally {
    data.release();
    rmSync(folder, { recursive: true });
  }
}

function files(disk: Disk, check: Check): void {
  const file = disk.open("a", { create: true });
  const bytes = payloadOf(1, 10_000);
  file.write(bytes, 100, 9000, 50);
  check.equal(file.size(), 8950, "a gap is zeros");
  const target = new Uint8Array(10_000);
  check.equal(file.read(target, 10, 10_000, 40), 8910, "fewer only at the end");
  check.same(target.slice(10, 20), new Uint8Array(10), "the gap");
  check.same(target.slice(20, 8920), bytes.slice(100, 9000), "the bytes");
  check.equal(file.read(target, 0, 10, 9000), 0, "nothing behind the end");
  file.truncate(60);
  file.truncate(80);
  check.equal(file.read(target, 0, 100, 50), 30, "cut and extended");
  check.same(
    target.slice(0, 30),
    new Uint8Array([...bytes.slice(100, 110), ...new Uint8Array(20)]),
    "with zeros",
  );
  file.syncNow();
  file.close();
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error);
  }
  return "";
}

function opening(disk: Disk, check: Check): void {
  check.equal(codeOf(() => disk.open("a")), "ENOENT", "absent");
  disk.open("a", { create: true }).close();
  check.equal(codeOf(() => disk.open("a", { create: true })), "EEXIST", "present");
  check.equal(codeOf(() => disk.open("none/a", { create: true })), "ENOENT", "no such folder");
  check.equal(codeOf(() => disk.remove("b")), "ENOENT", "nothing to remove");
}

function folders(disk: Disk, check: Check): void {
  check.same(disk.list("x/y"), [], "absent");
  disk.makeFolder("x/y");
  disk.makeFolder("x/y");
  for (const name of ["c", "a", "b"]) disk.open(`x/y/${name}`, { create: true }).close();
  disk.syncFolder("x/y");
  check.same(disk.list("x/y"), ["a", "b", "c"], "sorted");
  check.same(disk.list("x"), ["y"], "a folder is listed");
  check.same([disk.exists("x/y/a"), disk.exists("x/y/d")], [true, false], "exists");
}

function renaming(disk: Disk, check: Check): void {
  const file = disk.open("a", { create: true });
  file.write(payloadOf(1, 10), 0, 10, 0);
  file.close();
  disk.open("b", { create: true }).close();
  disk.rename("a", "b");
  check.same([disk.exists("a"), readFile(disk, "b")], [false, payloadOf(1, 10)], "replaced");
  disk.remove("b");
  check.equal(readFile(disk, "b"), null, "removed");
}

async function callbacks(disk: Disk, check: Check, wait: Wait): Promise<void> {
  const file = disk.open("a", { create: true });
  let isLater = false;
  await wait((done) => {
    file.preallocate(0, 2_000_000, (error) => {
      check.ok(isLater && error === null, "later, without an error");
      file.preallocate(2_000_000, 3_000_000, (second) => {
        check.ok(second === null, "and so is the next piece");
        done();
      });
    });
    isLater = true;
  });
  check.equal(file.size(), 3_000_000, "is that large");
  const target = new Uint8Array(10).fill(1);
  file.read(target, 0, 10, 2_999_990);
  check.same(target, new Uint8Array(10), "zeros");
  isLater = false;
  await wait((done) => {
    file.sync((error) => {
      check.ok(isLater && error === null, "later, without an error");
      done();
    });
    isLater = true;
  });
  file.close();
}

function replacing(disk: Disk, check: Check): void {
  check.equal(readFile(disk, "f"), null, "absent");
  replaceFile(disk, "f", payloadOf(1, 100));
  replaceFile(disk, "f", payloadOf(2, 50));
  check.same(readFile(disk, "f"), payloadOf(2, 50), "the last one");
  check.equal(disk.exists("f.new"), false, "nothing left behind");
}

function free(disk: Disk, check: Check): void {
  check.ok(disk.freeBytes() > 1 << 20, `${disk.freeBytes()}`);
}

function powerLoss(check: Check): void {
  const bytes = payloadOf(1, 5000);
  const fates = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const machine = new Machine(seed);
    const disk = machine.disk.mount();
    const synced = disk.open("synced", { create: true });
    synced.write(bytes, 0, 2000, 0);
    synced.syncNow();
    disk.syncFolder("");
    synced.write(bytes, 2000, 5000, 2000);
    const unlisted = disk.open("unlisted", { create: true });
    unlisted.write(bytes, 0, 10, 0);
    unlisted.syncNow();
    machine.disk.unplug();
    const after = readFile(machine.disk.mount(), "synced") ?? new Uint8Array(0);
    check.same(after.slice(0, 2000), bytes.slice(0, 2000), "what was synced is there");
    const whole = after.length === 5000 && after.every((byte, index) => byte === bytes[index]);
    fates.add(
      after.length === 2000 ? "dropped" : whole ? "kept" : after.length < 5000 ? "short" : "holes",
    );
    fates.add(machine.disk.files().includes("unlisted") ? "listed" : "missing");
  }
  const all = ["dropped", "holes", "kept", "listed", "missing", "short"];
  check.same([...fates].sort(), all, "every fate is met");
}

function kill(check: Check): void {
  const machine = new Machine(1);
  const disk = machine.disk.mount();
  const file = disk.open("a", { create: true });
  file.write(payloadOf(1, 10), 0, 10, 0);
  let isCalled = false;
  file.sync(() => {
    isCalled = true;
  });
  machine.disk.kill();
  check.throws(() => file.write(payloadOf(1, 10), 0, 10, 0), "the handle is dead");
  check.throws(() => disk.list(""), "the disk is dead");
  machine.world.run(1000);
  check.equal(isCalled, false, "its callbacks never come");
  check.same(readFile(machine.disk.mount(), "a"), payloadOf(1, 10), "all is kept");
}

function replacingOverCrashes(check: Check): void {
  const random = new SeededRandom(5);
  for (let seed = 0; seed < 500; seed++) {
    const machine = new Machine(seed);
    replaceFile(machine.disk.mount(), "f", payloadOf(1, 700));
    machine.disk.inject({ on: "change", at: 1 + random.below(6), effect: "die" });
    let isDone = false;
    try {
      replaceFile(machine.disk.mount(), "f", payloadOf(2, 900));
      isDone = true;
    } catch {
      // Died half-way.
    }
    machine.disk.unplug();
    machine.disk.clearFaults();
    const text = String(readFile(machine.disk.mount(), "f"));
    const isNew = text === String(payloadOf(2, 900));
    check.ok(
      isNew || (!isDone && text === String(payloadOf(1, 700))),
      `seed ${seed}, done ${isDone}`,
    );
    replaceFile(machine.disk.mount(), "f", payloadOf(3, 10));
  }
}

function failedSync(check: Check): void {
  const machine = new Machine(1);
  const disk = machine.disk.mount();
  replaceFile(disk, "a", payloadOf(1, 10));
  const file = disk.open("a");
  file.write(payloadOf(2, 10), 0, 10, 0);
  machine.disk.inject({ on: "sync", at: 1, effect: "EIO" });
  check.equal(codeOf(() => file.syncNow()), "EIO", "fails once");
  file.syncNow();
  check.same(readFile(disk, "a"), payloadOf(2, 10), "still reads as written");
  machine.disk.unplug();
  check.same(readFile(machine.disk.mount(), "a"), payloadOf(1, 10), "and is lost");
}
