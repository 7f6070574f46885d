/**
 * Snapshots of the index: a start with one finds what a start without it finds, whatever happened to
 * it or to the log; and it reads little.
 */

import { readFileSync } from "node:fs";
import { toHex } from "../../../core/bytes.ts";
import type { LogEngine, LogOptions } from "../../../storage/log/log-engine.ts";
import { versionCounter, versionOffset } from "../../../core/version-set.ts";
import { everyHere, SeededRandom, seedFrom, sizeHere } from "../../random.ts";
import { Death } from "../../simulation/disk.ts";
import type { Case, Check } from "../../suite.ts";
import { Machine } from "../engine-beds.ts";
import { digestOf, LABELS, nameOf, outcomeText, payloadOf, read, setOf } from "../sets.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);
const SNAPSHOT = "objects/index.snapshot";
const FILE = "objects/00000001.log";
const OPTIONS = { segmentBytes: 16 << 10, snapshotBytes: 1_000 };

export const suite: Case[] = [
  { name: "after a clean stop a start reads the snapshot and nothing of the log", run: cleanStop },
  { name: "after a kill a start reads what follows the snapshot", run: tail },
  { name: "writes between the pieces of a snapshot: it is true at its beginning", run: betweenPieces },
  { name: "bits of all bytes of a snapshot turned over: the whole log is read", run: flips },
  { name: "a snapshot cut at every byte, or longer: the whole log is read", run: cuts },
  { name: "a snapshot of another log, or of a later time: the whole log is read", run: foreign },
  { name: "a segment is gone that is needed, or one too many is there", run: otherSegments },
  { name: "a snapshot that was not believed is gone before anything is written", run: removal },
  { name: "a store with damage has no snapshot: what was found is found again", run: damage },
  { name: "a snapshot that cannot be written harms nothing", run: failing },
  { name: "what a snapshot needs of a dead segment stays until the next one stands", run: pinned },
  { name: "small stores and those that are told so write none", run: none },
  { name: "the reading of a log tells how far it has come", run: progress },
  { name: "the recent past is told as by the whole log", run: recentPast },
  { name: "the worked example of FORMAT.md", run: golden },
];

/** Writes, replaces and removes objects `from` … `to`. */
function work(engine: LogEngine, from: number, to: number): void {
  for (let index = from; index < to; index++) {
    const name = nameOf(`b/${index % 97}`);
    if (index % 11 === 3) {
      const outcome = read(engine, name, false);
      if (outcome.status === "found") engine.remove(name, ...digestOf(outcome.set));
      continue;
    }
    const length = index % 13 === 0 ? 5_000 : index % 200;
    const set = setOf({ counter: index + 1, payload: payloadOf(index, length) });
    const { status } = engine.write(name, set, LABELS);
    if (status !== "done") throw new Error(`write ${index} is ${status}`);
  }
}

function accountsOf(engine: LogEngine): unknown[] {
  const { objects, liveBytes, totalBytes } = engine.stats();
  const roots = new Uint32Array(32);
  for (let partition = 0; partition < 16; partition++) {
    engine.tree(partition).rootInto(roots, partition * 2);
  }
  const texts = Array.from({ length: 97 }, (_, key) => outcomeText(read(engine, nameOf(`b/${key}`))));
  return [objects, liveBytes, totalBytes, roots.join(), texts.join("; ")];
}

function close(machine: Machine, engine: LogEngine): void {
  machine.wait((done) => engine.close(done));
}

/** A machine that was stopped cleanly after some work, with a snapshot. */
function stopped(from = 0, to = 300): Machine {
  const machine = new Machine(SEED);
  const engine = machine.open(OPTIONS);
  work(engine, from, to);
  close(machine, engine);
  if (!machine.disk.files().includes(SNAPSHOT)) throw new Error("No snapshot was written");
  return machine;
}

/** Another machine with the same files, but those whose path contains `without`. */
function copyOf(machine: Machine, without = "nothing"): Machine {
  const twin = new Machine(1);
  for (const path of machine.disk.files()) {
    if (!path.includes(without)) twin.disk.setContents(path, machine.disk.contents(path));
  }
  return twin;
}

/** What a start finds that reads the whole log. */
function wholeLog(machine: Machine): unknown[] {
  return accountsOf(copyOf(machine, "snapshot").open(OPTIONS));
}

/** Opens, and says whether the state is that of the whole log and what became of the snapshot. */
function judge(machine: Machine, isBelieved: boolean, check: Check, say: string): void {
  const wanted = wholeLog(machine);
  const engine = machine.open(OPTIONS);
  const { isFromSnapshot, snapshotProblem } = engine.recovery;
  check.equal(isFromSnapshot, isBelieved, `${say}: ${snapshotProblem}`);
  check.equal(snapshotProblem === "", isBelieved, `${say}: why`);
  check.same(accountsOf(engine), wanted, `${say}: as the whole log says`);
}

function cleanStop(check: Check): void {
  const machine = stopped();
  const wanted = wholeLog(machine);
  const engine = machine.open(OPTIONS);
  check.ok(engine.recovery.isFromSnapshot, "from the snapshot");
  check.equal(engine.recovery.records, 0, "no record is read");
  check.same(accountsOf(engine), wanted, "as the whole log says");
  const before = machine.disk.contents(SNAPSHOT);
  close(machine, engine);
  check.same(machine.disk.contents(SNAPSHOT), before, "nothing new, no new one");
  machine.disk.unplug();
  judge(machine, true, check, "after a power loss");
  check.ok(!machine.disk.files().some((path) => path.endsWith(".new")), "nothing is left over");
}

function tail(check: Check): void {
  const machine = stopped();
  const engine = machine.open({ ...OPTIONS, snapshotBytes: 1 << 20 });
  work(engine, 300, 350);
  machine.sync(engine);
  machine.disk.kill();
  judge(machine, true, check, "killed");
  const { records, scannedBytes } = machine.open(OPTIONS).recovery;
  check.ok(records > 40 && records < 80, `${records} records for 50 writes`);
  check.ok(scannedBytes < 64 << 10, `${scannedBytes} bytes are read`);
}

function betweenPieces(check: Check): void {
  const machine = new Machine(SEED);
  const random = new SeededRandom(SEED);
  const keys = sizeHere(60_000, 20_000);
  const options = { segmentBytes: 1 << 20, snapshotBytes: 70 * keys };
  const engine = machine.open(options);
  const change = (): void => {
    const name = nameOf(`b/${random.below(keys)}`);
    const outcome = read(engine, name, false);
    if (outcome.status === "found" && random.chance(1, 3)) {
      engine.remove(name, ...digestOf(outcome.set));
    } else {
      const counter = random.uint32();
      engine.write(name, setOf({ counter, payload: payloadOf(counter, counter % 50) }), LABELS);
    }
  };
  const first = setOf({ counter: 1, payload: payloadOf(1, 9) });
  for (let key = 0; key < keys; key++) engine.write(nameOf(`b/${key}`), first, LABELS);
  for (let turn = 0; turn < 400; turn++) {
    for (let count = 0; count < 20; count++) change();
    machine.world.run(0.1);
  }
  machine.sync(engine);
  machine.disk.kill();
  const wanted = wholeLog(machine);
  const again = machine.open(options);
  check.ok(again.recovery.isFromSnapshot, `SEED=${SEED} ${again.recovery.snapshotProblem}`);
  check.ok(again.recovery.records < (2 * keys) / 3, `${again.recovery.records} records are read`);
  check.same(accountsOf(again), wanted, `SEED=${SEED} as the whole log says`);
}

/** Bits of the ends of a snapshot, where its fields are, and of each other byte one by turns. */
const FIELD_BYTES = 64;

function flips(check: Check): void {
  const machine = stopped(0, 40);
  const wanted = wholeLog(machine);
  const { length } = machine.disk.contents(SNAPSHOT);
  for (let bit = 0, turn = 0; bit < 8 * length; turn++) {
    noticed(check, machine, bit, turn % 16 === 0 ? wanted : wanted.slice(0, 2));
    const isField = bit < 8 * FIELD_BYTES || bit >= 8 * (length - FIELD_BYTES);
    bit += everyHere(isField ? 1 : 9);
  }
}

/** @param wanted the beginning of the accounts to compare, or all of them */
function noticed(check: Check, machine: Machine, bit: number, wanted: readonly unknown[]): void {
  const twin = copyOf(machine);
  twin.disk.flip(SNAPSHOT, bit);
  const engine = twin.open(OPTIONS);
  check.equal(engine.recovery.isFromSnapshot, false, `bit ${bit}: is noticed`);
  const { objects, liveBytes } = engine.stats();
  const accounts = wanted.length > 2 ? accountsOf(engine) : [objects, liveBytes];
  check.same(accounts, wanted, `bit ${bit}: as the whole log says`);
}

function cuts(check: Check): void {
  const machine = stopped(0, 40);
  const whole = machine.disk.contents(SNAPSHOT);
  const wanted = wholeLog(machine);
  const longer = new Uint8Array(whole.length + 1);
  longer.set(whole);
  for (let length = 0; length <= longer.length; length += everyHere(1)) {
    if (length === whole.length) continue;
    const say = `${length} of ${whole.length} bytes`;
    const twin = copyOf(machine);
    twin.disk.setContents(SNAPSHOT, longer.slice(0, length));
    const engine = twin.open(OPTIONS);
    check.equal(engine.recovery.isFromSnapshot, false, `${say}: is noticed`);
    check.ok(engine.recovery.snapshotProblem !== "", `${say}: why`);
    if (length % 16 === 0) check.same(accountsOf(engine), wanted, `${say}: as the whole log says`);
  }
}

function foreign(check: Check): void {
  const other = new Machine(SEED);
  const engine = other.open(OPTIONS);
  // The same names and lengths: the files differ in nothing but their values.
  for (let index = 0; index < 300; index++) {
    const length = index % 13 === 0 ? 5_000 : index % 200;
    const set = setOf({ counter: index + 7_001, payload: payloadOf(index + 1, length) });
    engine.write(nameOf(`b/${index % 97}`), set, LABELS);
  }
  close(other, engine);
  const mixed = stopped();
  mixed.disk.setContents(SNAPSHOT, other.disk.contents(SNAPSHOT));
  judge(mixed, false, check, "of another log");
  const early = stopped();
  const wanted = copyOf(early);
  const later = early.open(OPTIONS);
  work(later, 300, 400);
  close(early, later);
  wanted.disk.setContents(SNAPSHOT, early.disk.contents(SNAPSHOT));
  judge(wanted, false, check, "of a later time");
}

function otherSegments(check: Check): void {
  const machine = stopped();
  const segments = machine.disk.files().filter((path) => path.endsWith(".log"));
  check.ok(segments.length > 3, `${segments.length} segments`);
  let refused = 0;
  for (const path of segments) {
    const twin = copyOf(machine, path);
    const wanted = wholeLog(twin);
    const engine = twin.open(OPTIONS);
    if (!engine.recovery.isFromSnapshot) refused++;
    check.same(accountsOf(engine), wanted, `without ${path}: as the whole log says`);
  }
  check.ok(refused > 2, `${refused} of ${segments.length} were needed`);
  const old = stopped(0, 100);
  const later = stopped(0, 1000);
  for (const from of [1000, 1100]) {
    const engine = later.open(OPTIONS);
    work(engine, from, from + 50);
    later.sync(engine);
    close(later, engine);
  }
  check.ok(!later.disk.files().includes(FILE), "the first segment has been deleted");
  later.disk.setContents(FILE, old.disk.contents(FILE));
  judge(later, false, check, "an old segment that has come back");
}

function removal(check: Check): void {
  for (let at = 5; at < 12; at++) {
    const machine = stopped();
    machine.disk.flip(SNAPSHOT, 999);
    machine.disk.inject({ on: "change", at, effect: "die" });
    try {
      work(machine.open(OPTIONS), 300, 330);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
    }
    machine.disk.unplug();
    check.ok(!machine.disk.files().includes(SNAPSHOT), `death at operation ${at}: gone for good`);
  }
}

function damage(check: Check): void {
  const machine = stopped(0, 97);
  machine.disk.setContents(SNAPSHOT, new Uint8Array(3));
  machine.disk.flip(FILE, 8 * 100);
  for (let start = 1; start < 4; start++) {
    const engine = machine.open(OPTIONS);
    check.ok(engine.recovery.damaged > 0 && engine.lostNames > 0, `start ${start}: it is found`);
    check.equal(engine.recovery.isFromSnapshot, false, `start ${start}: in the whole log`);
    for (let counter = 1; counter < 40; counter++) {
      const set = setOf({ counter, payload: payloadOf(counter, 300) });
      engine.write(nameOf("b/another"), set, LABELS);
      machine.sync(engine);
    }
    close(machine, engine);
    check.ok(!machine.disk.files().includes(SNAPSHOT), `start ${start}: no snapshot`);
  }
}

function failing(check: Check): void {
  const base = stopped();
  for (const on of ["change", "sync", "rename", "open"] as const) {
    for (let at = 1; at <= 12; at++) {
      const machine = copyOf(base);
      const engine = machine.open(OPTIONS);
      work(engine, 300, 301);
      machine.sync(engine);
      machine.disk.inject({ on, at, effect: "EIO" });
      close(machine, engine);
      machine.disk.clearFaults();
      const twin = copyOf(machine);
      const say = `EIO at ${on} ${at} of a clean stop`;
      const wanted = wholeLog(twin);
      const again = twin.open(OPTIONS);
      check.same(accountsOf(again), wanted, `${say}: as the whole log says`);
      check.equal(again.recovery.snapshotProblem, "", `${say}: the old one or the new one stands`);
    }
  }
}

function pinned(check: Check): void {
  const machine = new Machine(SEED);
  const engine = machine.open({ segmentBytes: 8192, snapshotBytes: 40_000 });
  const write = (key: number, counter: number, length: number): void => {
    const set = setOf({ counter, payload: payloadOf(counter, length) });
    engine.write(nameOf(`b/${key}`), set, LABELS);
    machine.sync(engine);
    machine.world.run(20);
  };
  // The record of a set with a body, and in the next segments so much that a snapshot is written.
  write(0, 1, 5_000);
  for (let counter = 1; counter <= 20; counter++) write(1, counter, 3_000);
  check.ok(machine.disk.files().includes(SNAPSHOT), "a snapshot stands");
  check.ok(machine.disk.files().includes(FILE), "its first segment lives");
  engine.write(nameOf("b/0"), setOf({ counter: 2, payload: payloadOf(2, 5_000) }), LABELS);
  machine.sync(engine);
  check.ok(machine.disk.files().includes(FILE), "it is dead, and the snapshot needs it");
  judge(copyOf(machine), true, check, "killed now");
  machine.world.run(50);
  write(2, 1, 10);
  check.ok(!machine.disk.files().includes(FILE), "the next snapshot, which is begun at once, does not");
  judge(copyOf(machine), true, check, "killed then");
}

function none(check: Check): void {
  const small = new Machine(SEED);
  const engine = small.open();
  work(engine, 0, 300);
  close(small, engine);
  check.ok(!small.disk.files().includes(SNAPSHOT), "what is read within milliseconds");
  const told = new Machine(SEED);
  const silent = told.open({ ...OPTIONS, snapshotBytes: 0 });
  work(silent, 0, 300);
  close(told, silent);
  check.ok(!told.disk.files().includes(SNAPSHOT), "0 bytes: never");
}

function progress(check: Check): void {
  const machine = stopped();
  const twin = copyOf(machine, "snapshot");
  const told: (readonly [number, number])[] = [];
  const options: Partial<LogOptions> = {
    ...OPTIONS,
    progress: (done, total) => void told.push([done, total]),
  };
  twin.open(options);
  check.ok(told.length > 3, `${told.length} times`);
  check.ok(told.every(([done], index) => index === 0 || done > told[index - 1][0]), "it grows");
  const last = told[told.length - 1];
  check.equal(last[0], last[1], "to the end");
}

/** The stamps of test/storage/sets: a millisecond a counter. */
const STAMPED_MS = 1_700_000_000_000;

/** What an opening tells of the recent past, sorted: notes, and the counters that were replaced. */
function toldBy(machine: Machine, nowMs: number, reachMs: number): string[] {
  const told: string[] = [];
  const engine = machine.open({
    ...OPTIONS,
    history: {
      nowMs,
      reachMs,
      replaced(position0, before) {
        const counter = versionCounter(before, versionOffset(0, 0));
        if (STAMPED_MS + counter >= nowMs - reachMs) told.push(`${position0}: ${counter}`);
      },
      noted(position0, note) {
        if (STAMPED_MS + note[0] * 8 >= nowMs - reachMs) told.push(`${position0}: note ${note[0]}`);
      },
      removed() {},
    },
  });
  told.push(String(engine.recovery.isFromSnapshot));
  return told.sort();
}

function recentPast(check: Check): void {
  const machine = new Machine(SEED);
  const engine = machine.open(OPTIONS);
  for (let from = 0; from < 1_000; from += 8) {
    work(engine, from, from + 8);
    // Notes after everything, also where nothing else follows.
    engine.note(nameOf(`b/${from % 97}`), Uint8Array.of(from / 8));
  }
  close(machine, engine);
  for (const reachMs of [50, 300, 2_000]) {
    const nowMs = STAMPED_MS + 1_000;
    const whole = toldBy(copyOf(machine, "snapshot"), nowMs, reachMs);
    const wanted = whole.map((line) => (line === "false" ? "true" : line)).sort();
    check.ok(whole.length > reachMs / 40, `${whole.length} lines of ${reachMs} ms`);
    check.same(toldBy(copyOf(machine), nowMs, reachMs), wanted, `the last ${reachMs} ms`);
  }
}

/** The bytes of the example in storage/FORMAT.md: lines of an offset, two spaces and bytes. */
function exampleBytes(): string {
  const page = readFileSync(new URL("../../../storage/FORMAT.md", import.meta.url), "utf8");
  const start = page.indexOf("`objects/index.snapshot` is then");
  const lines = page.slice(start, page.indexOf("## ", start)).matchAll(
    /^ *\d+  ((?:[0-9a-f]{2} ?)+)/gm,
  );
  return [...lines].map((line) => line[1].replaceAll(" ", "")).join("");
}

function golden(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ snapshotBytes: 1 });
  const payload = Uint8Array.of(0x68, 0x65, 0x6c, 0x6c, 0x6f);
  engine.write(nameOf("cart/17"), setOf({ counter: 1, payload }), LABELS);
  machine.wait((done) => engine.sync(() => done()));
  close(machine, engine);
  const bytes = machine.disk.contents(SNAPSHOT);
  check.equal(toHex(bytes, 0, bytes.length), exampleBytes(), "every byte");
}
