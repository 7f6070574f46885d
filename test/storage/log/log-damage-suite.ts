/**
 * Damaged files of the log (RELIABILITY.md B3, B4): tails cut at every byte, filled with zeros or
 * rubbish; every bit turned over. Never a wrong value, always a report, never more lost than was
 * hit.
 */

import { readU32, writeU32 } from "../../../core/bytes.ts";
import { crc32c } from "../../../core/crc32c.ts";
import type { Engine } from "../../../storage/engine.ts";
import type { LogEngine } from "../../../storage/log/log-engine.ts";
import { HEADER_BYTES, KIND_BODY } from "../../../storage/log/record.ts";
import { SeededRandom } from "../../random.ts";
import type { Case, Check } from "../../suite.ts";
import { Machine } from "../engine-beds.ts";
import {
  digestOf,
  LABELS,
  nameOf,
  outcomeText,
  payloadOf,
  read,
  setOf,
  textOf,
  without,
} from "../sets.ts";

const FILE = "objects/00000001.log";

export const suite: Case[] = [
  {
    name: "an unsynced last record of each kind, cut at every byte: it alone is lost",
    run: cutTail,
  },
  { name: "zeros and rubbish behind the last record are cut off once", run: rubbishTail },
  {
    name: "every bit of a file with every kind of record, turned over: never a wrong value",
    run: flips,
  },
  {
    name: "headers with wrong fields and a fitting checksum: never a wrong value, no crash",
    run: rewrites,
  },
  { name: "damage in the middle never drops what follows", run: middle },
  { name: "a damaged record answers damaged, and a write repairs it", run: repairing },
  { name: "a kept payload whose record is damaged stays damaged", run: keptDamage },
  { name: "a misdirected write is noticed", run: misdirected },
];

const ONE = setOf({ counter: 1, payload: payloadOf(1, 40) });
const TWO = setOf(
  { counter: 2, payload: payloadOf(2, 30) },
  { counter: 3, payload: payloadOf(3, 4200) },
);
const GONE = setOf({ counter: 4, payload: payloadOf(4, 10) });
const TOMBSTONE = setOf({ counter: 5, payload: new Uint8Array(0) });
const NAMES = ["one", "two", "gone", "dead"].map((key) => nameOf(`b/${key}`));
const [one, two, gone, dead] = NAMES;

/** What each name may read at some time of fill(). */
const HISTORY: readonly (readonly string[])[] = [
  ["absent", `found ${textOf(ONE)}`],
  ["absent", `found ${textOf(ONE)}`, `found ${textOf(TWO)}`],
  ["absent", `found ${textOf(GONE)}`],
  ["absent", `found ${textOf(ONE)}`, `found ${textOf(TOMBSTONE)}`],
];

const STEPS: readonly ((engine: Engine) => unknown)[] = [
  (engine) => engine.write(two, ONE, LABELS),
  (engine) => engine.write(gone, GONE, LABELS),
  (engine) => engine.write(one, ONE, LABELS),
  (engine) => engine.write(dead, ONE, LABELS),
  (engine) => engine.remove(gone, ...digestOf(GONE)),
  (engine) => engine.write(two, TWO, LABELS),
  (engine) => engine.write(dead, TOMBSTONE, LABELS),
];

function readAll(engine: Engine): string[] {
  return NAMES.map((name) => outcomeText(read(engine, name)));
}

function fileAfter(steps: number, isSynced: boolean): Uint8Array {
  const machine = new Machine(1);
  const engine = machine.open();
  for (const step of STEPS.slice(0, steps)) step(engine);
  if (isSynced) machine.sync(engine);
  if (steps === 0) return new Uint8Array(0);
  return machine.disk.contents(FILE);
}

/** A machine whose log is this one file. */
function machineWith(file: Uint8Array): Machine {
  const machine = new Machine(1);
  machine.open();
  machine.disk.setContents(FILE, file);
  return machine;
}

function cutTail(check: Check): void {
  for (let steps = 1; steps <= STEPS.length; steps++) {
    const before = fileAfter(steps - 1, false);
    const after = fileAfter(steps, false);
    const wanted = readAll(machineWith(before).open());
    const least = Math.max(before.length, HEADER_BYTES);
    const boundaries = recordStarts(after);
    for (let length = least; length < after.length; length++) {
      const say = `step ${steps} cut at ${length - before.length}`;
      const machine = machineWith(after.slice(0, length));
      const engine = machine.open();
      check.same(readAll(engine), wanted, `${say}: what was before`);
      const isBoundary = boundaries.includes(length);
      check.equal(engine.recovery.tornBytes > 0, !isBoundary, `${say}: told as torn`);
      check.equal(engine.recovery.damaged, 0, `${say}: not as damage`);
      STEPS[steps - 1](engine);
      const now = readAll(engine);
      check.same(readAll(machine.open()), now, `${say}: the next record is sound`);
    }
  }
}

function rubbishTail(check: Check): void {
  const whole = fileAfter(STEPS.length, false);
  const wanted = readAll(machineWith(whole).open());
  const random = new SeededRandom(3);
  for (const length of [1, 3, 15, 71, 72, 73, 512, 4096, 65_536]) {
    for (const isZeros of [true, false]) {
      const file = new Uint8Array(whole.length + length);
      file.set(whole);
      if (!isZeros) random.fill(file.subarray(whole.length));
      const machine = machineWith(file);
      const engine = machine.open();
      const say = `${length} bytes of ${isZeros ? "zeros" : "rubbish"}`;
      check.same(readAll(engine), wanted, `${say}: all is there`);
      check.equal(engine.recovery.damaged, 0, `${say}: no damage`);
      engine.write(one, TWO, LABELS);
      machine.sync(engine);
      const again = machine.open();
      check.equal(outcomeText(read(again, one)), `found ${textOf(TWO)}`, `${say}: goes on`);
      check.equal(again.recovery.tornBytes, 0, `${say}: cut once`);
    }
  }
}

/**
 * Every read is right, or told as damaged, or (where names were lost) a state of the name before.
 */
function judge(engine: LogEngine, wanted: readonly string[], check: Check, say: string): void {
  const isPartial = engine.lostNames > 0;
  readAll(engine).forEach((text, index) => {
    const isAllowed = text === wanted[index] || text === "damaged" ||
      (isPartial && HISTORY[index].includes(text));
    if (!isAllowed) check.ok(false, `${say}: ${NAMES[index].bytes} reads ${text}`);
  });
}

function flips(check: Check): void {
  const file = fileAfter(STEPS.length, true);
  const wanted = readAll(machineWith(file).open());
  const machine = machineWith(file);
  let reported = 0;
  const bits = file.length * 8;
  for (let bit = 0; bit < bits; bit++) {
    machine.disk.setContents(FILE, file);
    machine.disk.flip(FILE, bit);
    const engine = machine.open();
    judge(engine, wanted, check, `bit ${bit}`);
    const torn = engine.recovery.tornBytes;
    const isTold = engine.stats().damaged > 0 || torn > 0;
    if (isTold) reported++;
    else if (!isUnread(file, bit >> 3)) check.ok(false, `bit ${bit}: nothing is told`);
    if (torn > HEADER_BYTES) check.ok(false, `bit ${bit}: ${torn} bytes cut for one bit`);
    engine.write(one, TWO, LABELS);
    if (outcomeText(read(engine, one)) !== `found ${textOf(TWO)}`) {
      check.ok(false, `bit ${bit}: write`);
    }
  }
  check.ok(reported > bits * 0.8, `${reported} of ${bits} flips told`);
}

/** Whether the byte belongs to content that no read needs any more. */
function isUnread(file: Uint8Array, at: number): boolean {
  const starts = recordStarts(file);
  const index = starts.findLastIndex((start) => start <= at);
  if (at < starts[index] + HEADER_BYTES) return false;
  // The name in a body record serves tools; reads come by the object's record.
  if (file[starts[index] + 9] === KIND_BODY) return at < starts[index] + HEADER_BYTES + 5;
  // After the segment's own: two, gone, one, dead, remove; of these only `one` is still current.
  return index >= 1 && index <= 5 && index !== 3;
}

function rewrites(check: Check): void {
  const random = new SeededRandom(17);
  const file = fileAfter(STEPS.length, true);
  const starts = recordStarts(file);
  const machine = machineWith(file);
  for (let round = 0; round < 3000; round++) {
    const damaged = file.slice();
    const start = starts[random.below(starts.length)];
    for (let count = 1 + random.below(2); count > 0; count--) {
      damaged[start + 10 + random.below(HEADER_BYTES - 10)] = random.below(256);
    }
    writeU32(damaged, start + 4, crc32c(damaged, start + 8, start + HEADER_BYTES));
    machine.disk.setContents(FILE, damaged);
    judgeLive(machine.open(), check, `round ${round}, record at ${start}`);
  }
}

function recordStarts(file: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = 0; at < file.length; at += readU32(file, at + 12)) starts.push(at);
  return starts;
}

function middle(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 1 << 20 });
  const sets = Array.from(
    { length: 100 },
    (_, index) => setOf({ counter: index + 1, payload: payloadOf(index, 500) }),
  );
  sets.forEach((set, index) => engine.write(nameOf(`b/${index}`), set, LABELS));
  machine.sync(engine);
  const file = machine.disk.contents(FILE);
  // A hole of 5,000 bytes, as of a lost page or two.
  file.fill(0, 20_000, 25_000);
  machine.disk.setContents(FILE, file);
  const damaged = machine.open({ segmentBytes: 1 << 20 });
  let missing = 0;
  sets.forEach((set, index) => {
    const outcome = outcomeText(read(damaged, nameOf(`b/${index}`)));
    if (outcome !== `found ${textOf(set)}`) missing++;
  });
  check.ok(missing >= 6 && missing <= 9, `${missing} of 100 are hit by a hole of 5,000 bytes`);
  check.equal(damaged.recovery.damaged, 1, "one place is damaged");
  check.equal(damaged.lostNames, 1, "whose names cannot be told");
  check.equal(damaged.recovery.tornBytes, 0, "nothing is cut");
  check.same(damaged.recovery.damages[0].segment, 1, "and it is named");
}

/** The offset of a byte of a record's part, by the text that stands there. */
function find(file: Uint8Array, bytes: Uint8Array): number {
  for (let at = 0; at + bytes.length <= file.length; at++) {
    if (bytes.every((byte, index) => file[at + index] === byte)) return at;
  }
  throw new Error("No such bytes in the file");
}

function repairing(check: Check): void {
  for (const payload of [TWO.payloads[0], TWO.payloads[1], two.bytes]) {
    if (payload === null) continue;
    const machine = machineWith(fileAfter(STEPS.length, true));
    const file = machine.disk.contents(FILE);
    // The last record of that name: the search begins behind the first ones.
    const from = find(file, TWO.payloads[1] ?? payload) - 300;
    const at = from + find(file.subarray(from), payload);
    machine.disk.flip(FILE, at * 8);
    if (payload === two.bytes) {
      const second = at + 1 + find(file.subarray(at + 1), payload);
      machine.disk.flip(FILE, second * 8);
    }
    const engine = machine.open();
    check.equal(outcomeText(read(engine, two)), "damaged", "reads as damaged");
    check.ok(engine.stats().damaged > 0, "is counted");
    check.equal(engine.stats().objects, 3, "stays in the index");
    check.equal(engine.write(two, TWO, LABELS).status, "done", "is written again");
    check.equal(outcomeText(read(engine, two)), `found ${textOf(TWO)}`, "and is whole");
    check.equal(engine.stats().objects, 3, "as the same object");
  }
}

function keptDamage(check: Check): void {
  for (const isContent of [false, true]) {
    const machine = machineWith(fileAfter(STEPS.length, true));
    const file = machine.disk.contents(FILE);
    const payload = TWO.payloads[0] ?? new Uint8Array(0);
    const at = find(file, payload);
    // One byte before the inline payloads is the end of the payload table.
    machine.disk.flip(FILE, (isContent ? at - 1 : at) * 8);
    const engine = machine.open();
    const grown = setOf(
      { counter: 2, payload },
      { counter: 3, payload: payloadOf(3, 4200) },
      { counter: 9, payload: payloadOf(9, 20) },
    );
    check.equal(engine.write(two, without(grown, 0, 1), LABELS).status, "done", "is written");
    check.equal(outcomeText(read(engine, two)), "damaged", "damage stays damage");
    check.equal(read(engine, two, false).status, "found", "the head is known");
    check.equal(engine.write(two, grown, LABELS).status, "done", "is repaired");
    check.equal(outcomeText(read(engine, two)), `found ${textOf(grown)}`, "and is whole");
  }
}

function misdirected(check: Check): void {
  for (let at = 1; at <= STEPS.length + 1; at++) {
    const machine = new Machine(at);
    machine.disk.inject({ on: "write", at, effect: "misdirect" });
    const engine = machine.open();
    for (const step of STEPS) step(engine);
    const say = `write ${at} lands elsewhere`;
    judgeLive(engine, check, say);
    machine.sync(engine);
    machine.disk.clearFaults();
    const again = machine.open();
    judgeLive(again, check, `${say}, after a restart`);
  }
}

/** Without a report nothing but states that were. */
function judgeLive(engine: LogEngine, check: Check, say: string): void {
  readAll(engine).forEach((text, index) => {
    check.ok(text === "damaged" || HISTORY[index].includes(text), `${say}: reads ${text}`);
  });
}
