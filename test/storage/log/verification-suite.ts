/**
 * Verification of a log: every bit is under some checksum, damage is named where it can be, what is
 * held now is told from what was replaced, and nothing is changed by looking.
 */

import { DiskError } from "../../../storage/disk.ts";
import type { LogEngine } from "../../../storage/log/log-engine.ts";
import { HEADER_BYTES, INLINE_BYTES_MAX } from "../../../storage/log/record.ts";
import { LogVerification, type VerificationReport } from "../../../storage/log/verification.ts";
import { everyHere } from "../../random.ts";
import type { Case, Check } from "../../suite.ts";
import { Machine } from "../engine-beds.ts";
import { bytesAt, digestOf, LABELS, nameOf, payloadOf, setOf } from "../sets.ts";

const FILE = "objects/00000001.log";

export const suite: Case[] = [
  { name: "a sound log: segments, records, live and dead objects are counted", run: sound },
  { name: "a log in use is read as it is, and not changed", run: inUse },
  { name: "a bit of every byte of a file with every kind of record, turned over, is told", run: flips },
  { name: "damage is named, and told as live or dead", run: names },
  { name: "a hole in the middle is one damaged place; what follows counts", run: hole },
  { name: "a large payload whose segment is gone is told by the object that needs it", run: gone },
  { name: "a torn tail is no damage", run: tornTail },
];

function verify(machine: Machine): VerificationReport {
  const verification = new LogVerification(machine.disk.mount(), "objects");
  while (verification.step());
  verification.close();
  return verification.report;
}

/** Beyond what lies beside its head: a record of its own. */
const LARGE_BYTES = INLINE_BYTES_MAX + 100;
const SMALL = setOf({ counter: 1, payload: payloadOf(1, 40) });
const OTHER = setOf({ counter: 2, payload: payloadOf(2, 50) });
const LARGE = setOf({ counter: 3, payload: payloadOf(3, LARGE_BYTES) });
const TOMBSTONE = setOf({ counter: 4, payload: new Uint8Array(0) });

/** Every kind of record: five objects written, one replaced, one removed. */
function fill(machine: Machine): LogEngine {
  const engine = machine.open();
  engine.write(nameOf("b/gone"), SMALL, LABELS);
  engine.write(nameOf("b/old"), SMALL, LABELS);
  engine.write(nameOf("b/large"), LARGE, LABELS);
  engine.remove(nameOf("b/gone"), ...digestOf(SMALL));
  engine.write(nameOf("b/old"), OTHER, LABELS);
  engine.write(nameOf("b/dead"), TOMBSTONE, LABELS);
  machine.sync(engine);
  return engine;
}

function sound(check: Check): void {
  const machine = new Machine(1);
  fill(machine);
  const report = verify(machine);
  check.equal(report.damaged, 0, "no damage");
  check.equal(report.segments, 1, "one file");
  check.equal(report.liveObjects, 3, "old, large and dead are held");
  check.equal(report.deadObjects, 2, "gone, and old's first record");
  check.equal(report.records, 9, "with the segment's, the body's, the removal and the sync's");
  check.equal(report.tailBytes, 0, "no tail");
}

function inUse(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 16 << 10 });
  for (let index = 0; index < 100; index++) {
    const set = setOf({ counter: index + 1, payload: payloadOf(index, 500) });
    engine.write(nameOf(`b/${index}`), set, LABELS);
  }
  engine.handOver();
  const before = machine.disk.files().map((path) => machine.disk.contents(path));
  const report = verify(machine);
  check.equal(report.damaged, 0, "no damage, though nothing is synced");
  check.equal(report.liveObjects, 100, "all are seen");
  check.ok(report.segments >= 4, `${report.segments} files`);
  const after = machine.disk.files().map((path) => machine.disk.contents(path));
  check.same(after, before, "no byte has changed");
}

function flips(check: Check): void {
  const machine = new Machine(1);
  fill(machine);
  const file = machine.disk.contents(FILE);
  let untold = 0;
  // Each byte once, in all of its bits by turns: all bits would take a minute.
  for (let at = 0; at < file.length; at += everyHere(1)) {
    machine.disk.setContents(FILE, file);
    machine.disk.flip(FILE, at * 8 + (at % 8));
    const { damaged, tailBytes } = verify(machine);
    if (damaged + tailBytes === 0) untold++;
  }
  check.equal(untold, 0, `of ${file.length} flips`);
}

/** Turns a bit of the first place where these bytes stand. */
function hit(machine: Machine, bytes: Uint8Array, delta = 0): void {
  const file = machine.disk.contents(FILE);
  const at = file.findIndex((_, start) => bytes.every((byte, i) => file[start + i] === byte));
  if (at < 0) throw new Error("No such bytes in the file");
  machine.disk.flip(FILE, (at + delta) * 8);
}

function names(check: Check): void {
  const machine = new Machine(1);
  fill(machine);
  const body = bytesAt(LARGE, 0).subarray(0, 64);
  hit(machine, body, 5);
  hit(machine, bytesAt(SMALL, 0));
  const { damages } = verify(machine);
  const told = damages.map(({ name, hits }) => {
    return `${name === null ? "?" : new TextDecoder().decode(name)} ${hits}`;
  });
  check.same(told.sort(), ["b/gone dead", "b/large live"], "the removed one and the large one");
}

function hole(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 1 << 20 });
  for (let index = 0; index < 100; index++) {
    const set = setOf({ counter: index + 1, payload: payloadOf(index, 500) });
    engine.write(nameOf(`b/${index}`), set, LABELS);
  }
  machine.sync(engine);
  const file = machine.disk.contents(FILE);
  file.fill(0, 20_000, 25_000);
  machine.disk.setContents(FILE, file);
  const report = verify(machine);
  // The record that the hole begins in, and the headers behind it.
  check.equal(report.damaged, 2, "the cut record, and what follows up to the next mark");
  check.ok(report.liveObjects >= 91, `${report.liveObjects} of 100 are left`);
  check.equal(report.tailBytes, 0, "nothing is taken for a tail");
}

function gone(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 8 << 10 });
  engine.write(nameOf("b/large"), LARGE, LABELS);
  // A second version that keeps the first one's payload where it lies, in a later segment.
  const both = setOf(
    { counter: 3, payload: payloadOf(3, LARGE_BYTES) },
    { counter: 5, payload: payloadOf(5, LARGE_BYTES) },
  );
  engine.write(nameOf("b/large"), { ...both, payloads: [null, both.payloads[1] ?? null] }, LABELS);
  machine.sync(engine);
  check.equal(verify(machine).damaged, 0, "sound at first");
  const disk = machine.disk.mount();
  disk.remove(FILE);
  const report = verify(machine);
  check.equal(report.damaged, 1, "one payload cannot be found");
  check.equal(report.damages[0]?.hits, "live", "and it is needed");
  check.equal(new TextDecoder().decode(report.damages[0]?.name ?? undefined), "b/large", "by whom");
}

function tornTail(check: Check): void {
  const machine = new Machine(1);
  const engine = fill(machine);
  const synced = machine.disk.contents(FILE).length;
  engine.write(nameOf("b/more"), SMALL, LABELS);
  engine.handOver();
  const file = machine.disk.contents(FILE);
  for (const length of [synced + 1, synced + HEADER_BYTES + 3, file.length - 1]) {
    machine.disk.setContents(FILE, file.slice(0, length));
    const report = verify(machine);
    check.equal(report.damaged, 0, `cut at ${length}: no damage`);
    check.equal(report.tailBytes, length - synced, `cut at ${length}: the tail is told`);
    check.equal(report.liveObjects, 3, `cut at ${length}: what was synced counts`);
  }
  let code = "";
  try {
    new LogVerification(machine.disk.mount(), "objects").close();
    machine.disk.inject({ on: "open", at: 1, effect: "EACCES" });
    new LogVerification(machine.disk.mount(), "objects");
  } catch (error) {
    code = error instanceof DiskError ? error.code : String(error);
  }
  check.equal(code, "EACCES", "what cannot be opened is said");
}
