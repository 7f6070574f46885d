/**
 * What only the log does: segments that roll, are prepared and deleted, one sync for many, the
 * watermark, and the bytes of its format.
 */

import { readFileSync } from "node:fs";
import { toHex, writeU32 } from "../../../core/bytes.ts";
import { crc32c } from "../../../core/crc32c.ts";
import type { Engine } from "../../../storage/engine.ts";
import { openLogEngine } from "../../../storage/log/log-engine.ts";
import { versionCount, versionCounter, versionOffset } from "../../../core/version-set.ts";
import { HEADER_BYTES } from "../../../storage/log/record.ts";
import { IN_FULL } from "../../random.ts";
import type { Case, Check } from "../../suite.ts";
import { Machine, OPTIONS } from "../engine-beds.ts";
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

const INDEX_BYTES = "the index takes at most 48 bytes an object at any moment";

export const suite: Case[] = [
  { name: "segments roll, the next one is prepared, and all is found again", run: rolling },
  { name: "a store that empties itself gives its files back, once that is durable", run: emptying },
  { name: "segments with a live large payload stay", run: liveBodies },
  {
    name: "one sync serves all that wait; those that come meanwhile are served by the next",
    run: group,
  },
  { name: "as many as a sync serves get a second one beside it, answered in order", run: beside },
  { name: "of two syncs the second counts only when the first ended well", run: besideAFailure },
  { name: "who go on in step are told in halves, and a sync is always under way", run: inStep },
  { name: "nothing to sync: answered at once, without a sync", run: nothingToSync },
  {
    name: "free bytes below the reserve: full, deletes pass, and it recovers by itself",
    run: reserve,
  },
  { name: "no descriptor for the next segment: full, reads go on, and it recovers", run: noDescriptor },
  { name: "free bytes are not asked for at each write", run: seldomAsked },
  { name: "kill keeps what was written and not synced", run: kept },
  { name: "a turn's writes reach the disk as one, before its end only for who asks", run: turn },
  { name: "a write that the disk did not take: told, unreadable, and nothing after it", run: untaken },
  { name: "a record of a newer format is refused with a sentence", run: newer },
  { name: "an unreadable disk refuses to open with a sentence", run: unreadable },
  { name: "the log tells what was replaced not long ago, and shows its notes", run: history },
  { name: "a history is shown what is recent by the log, whatever the clock says", run: oldHistory },
  { name: "a note beyond its limit is refused", run: longNote },
  { name: "the worked example of FORMAT.md", run: golden },
  { name: "the worked example of FORMAT.md with a large payload", run: goldenLarge },
  // Lengths of typed arrays, which are the same everywhere.
  ...(IN_FULL ? [{ name: INDEX_BYTES, run: indexBytes }] : []),
];

function put(engine: Engine, key: string, counter: number, length: number): string {
  const set = setOf({ counter, payload: payloadOf(counter, length) });
  const { status } = engine.write(nameOf(`b/${key}`), set, LABELS);
  if (status !== "done") throw new Error(`write is ${status}`);
  return `found ${textOf(set)}`;
}

function readText(engine: Engine, key: string): string {
  return outcomeText(read(engine, nameOf(`b/${key}`)));
}

function forget(engine: Engine, key: string): void {
  const name = nameOf(`b/${key}`);
  const outcome = read(engine, name, false);
  if (outcome.status === "found") engine.remove(name, ...digestOf(outcome.set));
}

function rolling(check: Check): void {
  const options = { segmentBytes: 8192 };
  const machine = new Machine(1);
  const engine = machine.open(options);
  const wanted: string[] = [];
  for (let index = 0; index < 200; index++) {
    wanted.push(put(engine, `${index}`, index + 1, 100 + (index % 7) * 900));
    if (index % 5 === 0) machine.sync(engine);
  }
  check.ok(machine.disk.files().length > 20, `${machine.disk.files().length} segments`);
  wanted.forEach((text, index) => check.equal(readText(engine, `${index}`), text, `${index}`));
  machine.sync(engine);
  machine.disk.unplug();
  const again = machine.open(options);
  wanted.forEach((text, index) => check.equal(readText(again, `${index}`), text, `again ${index}`));
  check.equal(again.stats().liveBytes, engine.stats().liveBytes, "the accounts are the same");
}

function emptying(check: Check): void {
  const options = { segmentBytes: 8192 };
  const machine = new Machine(1);
  const engine = machine.open(options);
  for (let round = 0; round < 5; round++) {
    for (let index = 0; index < 60; index++) put(engine, `${index}`, 1 + index, 500);
    machine.sync(engine);
    const files = machine.disk.files().length;
    for (let index = 0; index < 60; index++) forget(engine, `${index}`);
    check.ok(machine.disk.files().length >= files, "nothing goes before it is durable");
    machine.sync(engine);
    check.ok(machine.disk.files().length <= 3, `${files} → ${machine.disk.files().length} files`);
    check.equal(engine.stats().liveBytes, 0, "nothing is live");
    machine.disk.unplug();
    check.equal(machine.open(options).stats().objects, 0, "nothing comes back");
    return;
  }
}

function liveBodies(check: Check): void {
  const options = { segmentBytes: 8192 };
  const machine = new Machine(1);
  const engine = machine.open(options);
  const body = { counter: 1, payload: payloadOf(1, 5000) };
  engine.write(nameOf("b/large"), setOf(body), LABELS);
  for (let counter = 2; counter < 40; counter++) {
    put(engine, "small", counter, 3000);
    const set = setOf(body, { counter, payload: payloadOf(counter, 20) });
    const given = { head: set.head, payloads: [null, set.payloads[1]] };
    engine.write(nameOf("b/large"), given, LABELS);
    machine.sync(engine);
    check.equal(readText(engine, "large"), `found ${textOf(set)}`, `rewrite ${counter}`);
  }
  const files = machine.disk.files();
  check.ok(files.includes(FILE), "the first segment holds the live payload");
  check.ok(files.length < 10, `the dead ones between are gone: ${files.length} files`);
  forget(engine, "large");
  put(engine, "small", 99, 3000);
  machine.sync(engine);
  check.ok(!machine.disk.files().includes(FILE), "until it is forgotten");
}

function group(check: Check): void {
  const machine = new Machine(1, { syncMsMin: 5, syncMsMax: 5 });
  const engine = machine.open();
  const told: string[] = [];
  const ask = (key: string): void => {
    put(engine, key, 1, 10);
    engine.sync(() => told.push(key));
  };
  const before = machine.disk.changes;
  for (const key of ["a", "b", "c"]) ask(key);
  machine.world.run(1);
  for (const key of ["d", "e"]) ask(key);
  machine.world.run(4.5);
  check.same(told, ["a", "b", "c"], "the first sync serves those that came before it began");
  check.equal(engine.unsynced, true, "the others wait");
  machine.world.run(5);
  check.same(told, ["a", "b", "c", "d", "e"], "the second one serves the others");
  // Five records, the segment's own and its folder, two syncs, one record that says what is
  // durable.
  check.equal(machine.disk.changes - before, 10, "two syncs in all");
}

/** So many writes that wait for a sync, from `first` on; what they are told, and when. */
function ask(machine: Machine, engine: Engine, first: number, count: number, told: string[]): void {
  for (let index = first; index < first + count; index++) {
    put(engine, `k${index}`, index + 1, 10);
    engine.sync((durable) => told.push(`${index} ${durable} ${Math.round(machine.world.elapsedMs)}`));
  }
}

/** Two syncs, each of eight, that take so long; the second begins a millisecond after the first. */
function two(firstMs: number, secondMs: number, failing: number): { told: string[]; unsynced: boolean } {
  const machine = new Machine(1);
  const engine = machine.open();
  const told: string[] = [];
  machine.disk.setSyncTime(firstMs, firstMs);
  if (failing > 0) machine.disk.inject({ on: "sync", at: failing, effect: "EIO" });
  ask(machine, engine, 0, 8, told);
  machine.world.run(1);
  machine.disk.setSyncTime(secondMs, secondMs);
  ask(machine, engine, 8, 8, told);
  machine.world.run(20);
  return { told, unsynced: engine.unsynced };
}

function expected(first: string, second: string): string[] {
  return Array.from({ length: 16 }, (_, index) => `${index} ${index < 8 ? first : second}`);
}

function beside(check: Check): void {
  check.same(two(5, 5, 0).told, expected("true 5", "true 6"), "both run at one time");
  check.same(two(9, 2, 0).told, expected("true 9", "true 9"), "who is done first waits");
  check.equal(two(9, 2, 0).unsynced, false, "all is durable");
  const machine = new Machine(1, { syncMsMin: 5, syncMsMax: 5 });
  const engine = machine.open();
  const told: string[] = [];
  ask(machine, engine, 0, 8, told);
  machine.world.run(1);
  ask(machine, engine, 8, 7, told);
  machine.world.run(20);
  check.same(told[14], "14 true 10", "fewer wait for the first to end");
}

function besideAFailure(check: Check): void {
  check.same(two(5, 5, 1).told, expected("false 5", "false 6"), "the first fails");
  check.same(two(9, 2, 1).told, expected("false 9", "false 9"), "the first fails after the second's success");
  check.same(two(5, 5, 2).told, expected("true 5", "false 6"), "the second fails");
  check.same(two(9, 2, 2).told, expected("true 9", "false 9"), "and is told after the first");
  check.equal(two(9, 2, 1).unsynced, true, "nothing is called durable");
}

function inStep(check: Check): void {
  const machine = new Machine(1, { syncMsMin: 5, syncMsMax: 5 });
  const engine = machine.open();
  let answered = 0;
  const writer = (key: number): void => {
    put(engine, `k${key}`, key + 1, 10);
    engine.sync((durable) => {
      if (!durable) return;
      answered++;
      writer(key + 64);
    });
  };
  for (let key = 0; key < 64; key++) writer(key);
  machine.world.run(5.5);
  check.equal(answered, 64, "the first sync served all");
  const before = machine.disk.changes;
  machine.world.run(50);
  check.equal(answered, 64 * 11, "all go on as fast as syncs end");
  check.equal(machine.disk.changes - before, 10 * (64 + 2), "with two syncs for 64 records");
}

function nothingToSync(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open();
  put(engine, "a", 1, 10);
  machine.sync(engine);
  const before = machine.disk.changes;
  let told = false;
  engine.sync((durable) => {
    told = durable;
  });
  check.equal(told, true, "before it returns");
  check.equal(machine.disk.changes, before, "the disk is left alone");
}

function reserve(check: Check): void {
  const machine = new Machine(1, { capacityBytes: 300_000 });
  const engine = machine.open({ freeBytesMin: 100_000 });
  let counter = 0;
  let outcome = "done";
  while (outcome === "done") {
    counter++;
    const set = setOf({ counter, payload: payloadOf(counter, 1000) });
    outcome = engine.write(nameOf(`b/${counter}`), set, LABELS).status;
  }
  check.equal(outcome, "full", "is refused");
  check.ok(machine.disk.capacityBytes > 0 && counter > 50, `after ${counter} values`);
  const refused = engine.write(
    nameOf("b/x"),
    setOf({ counter: 1, payload: payloadOf(1, 9) }),
    LABELS,
  );
  const detail = refused.status === "done" ? "" : refused.detail;
  check.ok(/free bytes, 100000 are kept/.test(detail), detail);
  const tombstone = setOf({ counter: 9999, payload: new Uint8Array(0) });
  check.equal(engine.write(nameOf("b/1"), tombstone, LABELS).status, "done", "a delete passes");
  check.equal(readText(engine, "2").slice(0, 5), "found", "reads go on");
  machine.disk.capacityBytes = 10_000_000;
  put(engine, "y", 1, 1000);
  check.equal(machine.sync(engine), true, "and all is well again");
}

function noDescriptor(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 4096 });
  const first = put(engine, "first", 1, 3000);
  machine.disk.inject({ on: "open", at: 1, effect: "EMFILE", isSticky: true });
  const set = setOf({ counter: 2, payload: payloadOf(2, 3000) });
  const outcomes = [1, 2].map(() => engine.write(nameOf("b/second"), set, LABELS));
  const refusals = outcomes.map((one) => one.status === "full" && one.of);
  check.same(refusals, ["files", "files"], "refused for want of files, each time");
  check.equal(outcomeText(read(engine, nameOf("b/first"))), first, "reads go on");
  check.equal(outcomeText(read(engine, nameOf("b/second"))), "absent", "nothing half-written");
  machine.disk.clearFaults();
  const second = put(engine, "second", 2, 3000);
  check.equal(machine.sync(engine), true, "it goes on, durable");
  machine.disk.unplug();
  const again = machine.open({ segmentBytes: 4096 });
  check.equal(outcomeText(read(again, nameOf("b/first"))), first, "after a power loss: the first");
  check.equal(outcomeText(read(again, nameOf("b/second"))), second, "and the second");
}

function seldomAsked(check: Check): void {
  const machine = new Machine(1);
  const disk = machine.disk.mount();
  let asked = 0;
  const free = disk.freeBytes.bind(disk);
  disk.freeBytes = () => {
    asked++;
    return free();
  };
  const engine = machine.openOn(disk, { freeBytesMin: 1 << 20 });
  for (let counter = 1; counter <= 1000; counter++) put(engine, `${counter}`, counter, 100);
  check.ok(asked > 0 && asked < 20, `${asked} times for 1,000 writes`);
}

function kept(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open();
  const wanted = put(engine, "a", 1, 10);
  machine.disk.kill();
  const again = machine.open();
  check.equal(readText(again, "a"), wanted, "is there");
  machine.disk.unplug();
  check.equal(readText(machine.open(), "a"), wanted, "and durable since it was recovered");
}

/** A machine whose engine goes on in a prepared segment, where records wait for the turn's end. */
function prepared(): { machine: Machine; engine: Engine } {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 32 << 10 });
  for (let index = 0; index < 20; index++) put(engine, "filler", index + 1, 1000);
  machine.world.run(50);
  put(engine, "filler", 21, 10);
  machine.sync(engine);
  return { machine, engine };
}

function turn(check: Check): void {
  const { machine, engine } = prepared();
  const before = machine.disk.changes;
  const wanted = ["a", "b", "c"].map((key, index) => put(engine, key, index + 1, 100));
  let kept: boolean | null = null;
  engine.handedOver((isKept) => {
    kept = isKept;
  });
  check.equal(machine.disk.changes, before, "three writes wait");
  check.equal(kept, null, "nobody is told yet");
  machine.world.run(1);
  check.equal(machine.disk.changes - before, 1, "they go as one");
  check.equal(kept, true, "and that is told");
  const [d, e] = ["d", "e"].map((key, index) => put(engine, key, index + 9, 100));
  check.equal(readText(engine, "d"), d, "what is not in the file yet is read all the same");
  check.equal(engine.handOver(), true, "who cannot wait asks");
  check.equal(machine.disk.changes - before, 2, "and all of the turn goes");
  machine.disk.kill();
  const again = machine.open({ segmentBytes: 32 << 10 });
  ["a", "b", "c"].forEach((key, index) => check.equal(readText(again, key), wanted[index], key));
  check.same([readText(again, "d"), readText(again, "e")], [d, e], "nothing of it dies");
}

function untaken(check: Check): void {
  const { machine, engine } = prepared();
  const filler = readText(engine, "filler");
  put(engine, "a", 1, 100);
  put(engine, "b", 2, 100);
  machine.disk.inject({ on: "change", at: 1, effect: "EIO" });
  let kept: boolean | null = null;
  engine.handedOver((isKept) => {
    kept = isKept;
  });
  machine.world.run(1);
  check.equal(kept, false, "who waits is told");
  check.equal(engine.handOver(), false, "and who asks");
  check.equal(readText(engine, "a"), "failed", "it is neither absent nor wrong");
  check.equal(readText(engine, "filler"), filler, "what the disk has is read");
  const set = setOf({ counter: 3, payload: payloadOf(3, 10) });
  check.equal(engine.write(nameOf("b/c"), set, LABELS).status, "sealed", "the log takes no more");
  check.equal(machine.sync(engine), false, "and never called durable");
  machine.disk.unplug();
  machine.disk.clearFaults();
  check.equal(readText(machine.open({ segmentBytes: 32 << 10 }), "filler"), filler, "after all that");
}

function errorOf(machine: Machine): string {
  let sentence = "";
  const soon = (callback: () => void): void => void machine.world.after(0, callback);
  openLogEngine(machine.disk.mount(), { ...OPTIONS, soon }, (engine, error) => {
    sentence = engine === null ? error : "opened";
  });
  return sentence;
}

/** What a log tells who opens it: "position: counters that are gone", "position: note", "position: removed". */
function toldBy(machine: Machine, nowMs: number, reachMs: number): string[] {
  const told: string[] = [];
  machine.open({
    history: {
      nowMs,
      reachMs,
      replaced(position0, before, after) {
        const gone = countersOf(before).filter((counter) => !countersOf(after).includes(counter));
        told.push(`${position0}: ${gone.join()}`);
      },
      noted: (position0, note) => void told.push(`${position0}: ${toHex(note, 0, note.length)}`),
      removed: (position0) => void told.push(`${position0}: removed`),
    },
  });
  return told;
}

function countersOf(head: Uint8Array): number[] {
  const count = versionCount(head, 0);
  return Array.from({ length: count }, (_, index) => versionCounter(head, versionOffset(0, index)));
}

/** The stamps of test/storage/sets. */
const STAMPED_MS = 1_700_000_000_000;

function history(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open();
  const [a, b] = [nameOf("b/a"), nameOf("b/b")];
  const versions = [1, 2, 3].map((counter) => ({ counter, payload: payloadOf(counter, 5000) }));
  engine.write(a, setOf(versions[0], versions[1]), LABELS);
  engine.note(b, Uint8Array.of(0xab, 0xcd));
  engine.write(b, setOf(versions[0]), LABELS);
  engine.write(a, without(setOf(versions[1], versions[2]), 0), LABELS);
  engine.remove(b, ...digestOf(setOf(versions[0])));
  engine.write(b, setOf(versions[2]), LABELS);
  machine.disk.kill();
  const wanted = [`${b.position0}: abcd`, `${a.position0}: 1`, `${b.position0}: removed`];
  check.same(toldBy(machine, STAMPED_MS + 9, 1_000), wanted, "no more than that");
}

function oldHistory(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open();
  const name = nameOf("b/a");
  for (const counter of [1, 2, 601, 602]) {
    engine.write(name, setOf({ counter, payload: payloadOf(counter, 10) }), LABELS);
  }
  machine.disk.kill();
  const [first, second, third] = [1, 2, 601].map((counter) => `${name.position0}: ${counter}`);
  const told = (nowMs: number) => toldBy(machine, STAMPED_MS + nowMs, 100);
  check.same(told(602), [second, third], "with a stamp of the last 100 ms");
  check.same(told(3_600_000), [second, third], "by a clock that is far ahead, the log's own time");
  check.same(told(-3_600_000), [first, second, third], "by one that is behind, nothing is too old");
}

function longNote(check: Check): void {
  const engine = new Machine(1).open();
  check.equal(engine.note(nameOf("b/a"), new Uint8Array(4096)).status, "done", "4,096 bytes");
  check.throws(() => engine.note(nameOf("b/a"), new Uint8Array(4097)), "one more");
}

function newer(check: Check): void {
  for (const [at, value] of [[8, 2], [9, 77]]) {
    const machine = new Machine(1);
    put(machine.open(), "a", 1, 10);
    const file = machine.disk.contents(FILE);
    file[HEADER_BYTES + at] = value;
    const checksum = crc32c(file, HEADER_BYTES + 8, HEADER_BYTES * 2);
    writeU32(file, HEADER_BYTES + 4, checksum);
    machine.disk.setContents(FILE, file);
    const sentence = errorOf(machine);
    check.ok(/Cannot open objects\/00000001.log: record at 72/.test(sentence), sentence);
    check.same(machine.disk.contents(FILE), file, "nothing is changed");
  }
}

function unreadable(check: Check): void {
  const machine = new Machine(1);
  put(machine.open(), "a", 1, 10);
  machine.disk.inject({ on: "read", at: 6, effect: "EIO", isSticky: true });
  const sentence = errorOf(machine);
  check.ok(/Cannot recover objects\/00000001.log: .*EIO/.test(sentence), sentence);
  machine.disk.clearFaults();
  check.equal(readText(machine.open(), "a").slice(0, 5), "found", "nothing was lost by it");
}

/** The bytes of an example in storage/FORMAT.md: lines of an offset, two spaces and bytes. */
function exampleBytes(from: string, to: string): string {
  const page = readFileSync(new URL("../../../storage/FORMAT.md", import.meta.url), "utf8");
  const start = page.indexOf(from);
  const lines = page.slice(start, page.indexOf(to, start)).matchAll(
    /^ *\d+  ((?:[0-9a-f]{2} ?)+)/gm,
  );
  return [...lines].map((line) => line[1].replaceAll(" ", "")).join("");
}

function golden(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open();
  const payload = Uint8Array.of(0x68, 0x65, 0x6c, 0x6c, 0x6f);
  engine.write(nameOf("cart/17"), setOf({ counter: 1, payload }), LABELS);
  machine.sync(engine);
  const file = machine.disk.contents(FILE);
  const wanted = exampleBytes("## Worked example", "`objects/index.snapshot`");
  check.equal(toHex(file, 0, file.length), wanted, "every byte");
}

function goldenLarge(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ streamBytesMin: 11, sliceBytes: 8 });
  const payload = new TextEncoder().encode("hello, world");
  engine.write(nameOf("cart/17"), setOf({ counter: 1, payload }), LABELS);
  machine.sync(engine);
  const file = machine.disk.contents(FILE);
  const wanted = exampleBytes("### The same with a large payload", "## Trade-offs");
  check.equal(toHex(file, 0, file.length), wanted, "every byte");
}

function indexBytes(check: Check): void {
  const machine = new Machine(1);
  const engine = machine.open({ segmentBytes: 64 << 20 });
  const set = setOf({ counter: 1, payload: new Uint8Array(0) });
  let worst = 0;
  for (let index = 1; index <= 200_000; index++) {
    engine.write(nameOf(`b/${index}`), set, LABELS);
    // Regions that hold some dozens each: below that, fixed costs weigh.
    if (index >= 150_000 && index % 1000 === 0) {
      worst = Math.max(worst, engine.stats().indexBytes / index);
    }
  }
  check.ok(worst > 32 && worst <= 48, `${worst.toFixed(1)} bytes an object at 200,000`);
}
