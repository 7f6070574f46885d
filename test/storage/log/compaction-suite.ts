/**
 * Compaction of the log: space comes back, nothing changes for readers, nothing removed comes back,
 * and what cannot be moved stays. Crashes at every operation meanwhile: log-crash-suite.ts.
 */

import { ObjectName } from "../../../core/object-name.ts";
import type { CompactionOptions } from "../../../storage/log/compaction.ts";
import type { LogEngine, LogOptions } from "../../../storage/log/log-engine.ts";
import { everyHere, roundsHere, seedFrom } from "../../random.ts";
import { compactionFaults } from "../../crash/compaction-faults.ts";
import type { Case, Check } from "../../suite.ts";
import { Machine } from "../engine-beds.ts";
import { digestOf, LABELS, nameOf, outcomeText, payloadOf, read, setOf, textOf } from "../sets.ts";
import { collidingNames } from "../../core/md5-collision.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);
const SEGMENT_BYTES = 8192;
/** Long enough for compaction to come to rest. */
const REST_MS = 500;

export const suite: Case[] = [
  { name: "a half-dead store shrinks, and nothing changes for readers", run: shrinking },
  { name: "large payloads are moved with the objects that refer to them", run: bodies },
  { name: "what was removed does not come back when the removal is moved", run: removals },
  { name: "a store of removals shrinks to nothing behind a live object", run: delivered },
  { name: "two names with one MD5 are moved apart", run: collisions },
  { name: "an emptied bucket leaves its tombstones, and gives its bytes back", run: emptied },
  {
    name: "a damaged record stays and says so; once it is written again, its file goes",
    run: damaged,
  },
  { name: "an unreadable segment is left as it is, told once, and tried later", run: unreadable },
  { name: "no room to move: left as it is, and done when there is room", run: noRoom },
  {
    name: "a disk full of dead bytes takes writes again after deletes, without a restart",
    run: full,
  },
  { name: "a full disk gives back what is dead in segments that are mostly live", run: mostlyLive },
  { name: "deletes leave compaction its part of the reserve", run: deletesBounded },
  { name: "segments that were written to lately are left alone", run: cold },
  { name: "a dead segment stays while it is young, and goes without a further write", run: young },
  { name: "steps are as small as they are told to be, and wait as they are told", run: steps },
  { name: "nothing worth it: nothing is moved, and no timer stays", run: idle },
  {
    name: "random writes, removals, crashes and compaction: only states that were",
    run: (check) => void compactionFaults(check, SEED, roundsHere(20)),
  },
];

interface Store {
  readonly machine: Machine;
  engine: LogEngine;
  /** What each key reads. */
  readonly wanted: Map<string, string>;
  counter: number;
}

function options(
  machine: Machine,
  compaction: Partial<CompactionOptions> = {},
  segmentBytes = SEGMENT_BYTES,
): Partial<LogOptions> {
  return { segmentBytes, compaction: machine.compaction(compaction) };
}

function open(machine: Machine, compaction: Partial<CompactionOptions> = {}): Store {
  const engine = machine.open(options(machine, compaction));
  return { machine, engine, wanted: new Map(), counter: 0 };
}

function put(store: Store, key: string, length: number): void {
  const counter = ++store.counter;
  const set = setOf({ counter, payload: payloadOf(counter, length) });
  const { status } = store.engine.write(nameOf(`b/${key}`), set, LABELS);
  if (status !== "done") throw new Error(`write of ${key} is ${status}`);
  store.wanted.set(key, `found ${textOf(set)}`);
}

function forget(store: Store, key: string): void {
  const name = nameOf(`b/${key}`);
  const outcome = read(store.engine, name, false);
  if (outcome.status !== "found") throw new Error(`${key} is ${outcome.status}`);
  store.engine.remove(name, ...digestOf(outcome.set));
  store.wanted.set(key, "absent");
}

function readText(store: Store, key: string): string {
  return outcomeText(read(store.engine, nameOf(`b/${key}`)));
}

function readsAll(store: Store, check: Check, say: string): void {
  for (const [key, text] of store.wanted) {
    check.equal(readText(store, key), text, `${say}: ${key}`);
  }
}

/** Every key reads what was written, now and after a power loss that follows a sync. */
function holds(store: Store, check: Check, say: string): void {
  const { machine } = store;
  readsAll(store, check, say);
  const before = accounts(store.engine);
  machine.sync(store.engine);
  machine.disk.unplug();
  store.engine = machine.open({ segmentBytes: SEGMENT_BYTES });
  readsAll(store, check, `${say}, opened again`);
  check.equal(store.engine.recovery.damaged, 0, `${say}: recovery finds no damage`);
  check.equal(accounts(store.engine), before, `${say}: the accounts and digests are the same`);
}

function accounts(engine: LogEngine): string {
  const { objects, liveBytes } = engine.stats();
  const digests = new Uint32Array(2);
  const texts: string[] = [];
  for (let partition = 0; partition < 16; partition++) {
    engine.tree(partition).rootInto(digests, 0);
    texts.push(digests.join("."));
  }
  return `${objects} objects, ${liveBytes} live bytes, ${texts.join(" ")}`;
}

/** A store with two of three records dead in each of its segments. */
function halfDead(machine: Machine, keys: number, length: number, store = open(machine)): Store {
  for (let index = 0; index < keys; index++) {
    put(store, `kept ${index}`, length);
    put(store, "dead", length);
    put(store, "dead", length);
  }
  return store;
}

function shrinking(check: Check): void {
  const machine = new Machine(1);
  const store = halfDead(machine, 100, 200);
  const full = store.engine.stats().totalBytes;
  machine.sync(store.engine);
  machine.world.run(REST_MS);
  const { totalBytes, liveBytes, segmentsCompacted, bytesMoved, bytesFreed } = store.engine.stats();
  check.ok(totalBytes < 1.6 * liveBytes, `${full} bytes → ${totalBytes}, ${liveBytes} of them live`);
  check.ok(segmentsCompacted > 5, `${segmentsCompacted} segments`);
  check.ok(bytesMoved > liveBytes / 2 && bytesMoved < 2 * liveBytes, `${bytesMoved} bytes moved`);
  check.ok(bytesFreed > full - totalBytes, `${bytesFreed} bytes freed`);
  const files = machine.disk.files().length;
  check.ok(files * SEGMENT_BYTES < 2 * totalBytes, `${files} files`);
  check.same(machine.troubles, [], "no trouble");
  holds(store, check, "compacted");
}

function bodies(check: Check): void {
  const machine = new Machine(2);
  const store = open(machine);
  store.engine = machine.open(options(machine, {}, 4 * SEGMENT_BYTES));
  for (let index = 0; index < 12; index++) {
    const counter = ++store.counter;
    const small = { counter, payload: payloadOf(counter, 50) };
    const large = { counter: 1000 + counter, payload: payloadOf(counter, 5000) };
    const other = { counter: 2000 + counter, payload: payloadOf(counter, 4500) };
    const set = setOf(small, large, other);
    store.engine.write(nameOf(`b/large ${index}`), set, LABELS);
    store.wanted.set(`large ${index}`, `found ${textOf(set)}`);
    for (let dead = 0; dead < 3; dead++) put(store, "dead", 4000);
  }
  machine.world.run(REST_MS);
  const { totalBytes, liveBytes, bytesMoved } = store.engine.stats();
  check.ok(bytesMoved > 40_000, `${bytesMoved} bytes moved`);
  check.ok(totalBytes < 1.7 * liveBytes, `${totalBytes} bytes, of which ${liveBytes} live`);
  holds(store, check, "with bodies");
}

function removals(check: Check): void {
  const machine = new Machine(3);
  const store = open(machine);
  // The first segment stays: it is nearly all live, and holds what is removed later.
  for (let index = 0; index < 20; index++) put(store, `kept ${index}`, 200);
  for (const key of ["gone", "back"]) put(store, key, 100);
  for (let round = 0; round < 30; round++) put(store, "dead", 500);
  for (const key of ["gone", "back"]) forget(store, key);
  put(store, "back", 30);
  for (let round = 0; round < 60; round++) put(store, "dead", 500);
  machine.world.run(REST_MS);
  check.ok(machine.disk.files().includes("objects/00000001.log"), "the first segment is there");
  check.ok(store.engine.stats().segmentsCompacted > 0, "others were emptied");
  check.ok(machine.disk.files().length <= 4, `${machine.disk.files().join(", ")}`);
  holds(store, check, "after removals");
}

function delivered(check: Check): void {
  const machine = new Machine(4);
  const store = open(machine);
  for (let index = 0; index < 20; index++) put(store, `kept ${index}`, 200);
  for (let index = 0; index < 300; index++) {
    put(store, `hint ${index}`, 300);
    if (index >= 20) forget(store, `hint ${index - 20}`);
    if (index % 20 === 0) machine.world.run(5);
  }
  for (let index = 280; index < 300; index++) forget(store, `hint ${index}`);
  machine.world.run(REST_MS);
  const { totalBytes, liveBytes } = store.engine.stats();
  check.ok(totalBytes < liveBytes + 3 * SEGMENT_BYTES, `${totalBytes} bytes, ${liveBytes} live`);
  holds(store, check, "all delivered");
}

function emptied(check: Check): void {
  const machine = new Machine(6);
  const store = open(machine);
  for (let index = 0; index < 200; index++) {
    put(store, `stays${index % 20}`, 100);
    put(store, `goes${index}`, 1000);
  }
  machine.world.run(REST_MS);
  const before = store.engine.stats().totalBytes;
  // Sets whose only version has no payload: what a delete leaves.
  for (let index = 0; index < 200; index++) put(store, `goes${index}`, 0);
  machine.world.run(REST_MS);
  const { liveBytes, totalBytes } = store.engine.stats();
  check.ok(before > 200_000, `${before} bytes before`);
  check.ok(liveBytes < 70_000, `${liveBytes} bytes live`);
  check.ok(totalBytes < 2 * liveBytes + 2 * SEGMENT_BYTES, `${totalBytes} bytes on disk`);
  holds(store, check, "emptied");
}

function collisions(check: Check): void {
  const machine = new Machine(5);
  const store = open(machine);
  const [left, right] = collidingNames("key").map((bytes) => new ObjectName(bytes));
  // Tags that collide as well would take some billion tries: pretend.
  Object.assign(right, { tag: left.tag });
  const one = setOf({ counter: 900, payload: payloadOf(1, 5000) });
  const two = setOf({ counter: 901, payload: payloadOf(2, 5000) });
  const gone = setOf({ counter: 902, payload: payloadOf(3, 50) });
  store.engine.write(right, gone, LABELS);
  store.engine.write(left, one, LABELS);
  store.engine.remove(right, ...digestOf(gone));
  for (let round = 0; round < 40; round++) put(store, "dead", 500);
  machine.world.run(REST_MS);
  check.equal(outcomeText(read(store.engine, left)), `found ${textOf(one)}`, "left");
  check.equal(outcomeText(read(store.engine, right)), "absent", "right is removed");
  store.engine.write(right, two, LABELS);
  for (let round = 0; round < 40; round++) put(store, "dead", 500);
  machine.world.run(REST_MS);
  check.equal(outcomeText(read(store.engine, left)), `found ${textOf(one)}`, "left again");
  check.equal(outcomeText(read(store.engine, right)), `found ${textOf(two)}`, "right");
  check.ok(!machine.disk.files().includes("objects/00000001.log"), "the first segment is gone");
}

/** Where these bytes lie. */
function findIn(file: Uint8Array, bytes: Uint8Array): number {
  for (let at = 0; at + bytes.length <= file.length; at++) {
    if (bytes.every((byte, index) => file[at + index] === byte)) return at;
  }
  throw new Error("No such bytes in the file");
}

function damaged(check: Check): void {
  const first = "objects/00000001.log";
  const payloads = [payloadOf(1, 60), payloadOf(2, 4300)];
  // Its inline payload, its body, its name, the mark of its header.
  for (const place of ["inline", "body", "name", "header"]) {
    const machine = new Machine(6);
    const store = open(machine, { deadBytesMin: 1 << 30 });
    // What cannot say which bodies it had when it is replaced makes the accounts uncertain until
    // the next start: so a body only where the body is hit.
    const parts = payloads.slice(0, place === "body" ? 2 : 1);
    const set = setOf(...parts.map((payload, index) => ({ counter: 500 + index, payload })));
    store.engine.write(nameOf("b/hit"), set, LABELS);
    for (let index = 0; index < 40; index++) {
      put(store, index % 9 === 0 ? `kept ${index}` : "dead", 300);
    }
    machine.sync(store.engine);
    const file = machine.disk.contents(first);
    const inline = findIn(file, payloads[0]);
    const from = Math.max(0, inline - 400);
    const name = from + findIn(file.subarray(from), nameOf("b/hit").bytes);
    const body = place === "body" ? findIn(file, payloads[1]) : 0;
    const at = { inline, body, name, header: name - 72 }[place] ?? 0;
    // Damage that comes while the store is open: a header that is lost before a start has no name.
    store.engine = machine.open(options(machine));
    machine.disk.flip(first, (at + 1) * 8);
    machine.world.run(REST_MS);
    check.equal(readText(store, "hit"), "damaged", `${place}: never absent`);
    check.ok(machine.disk.files().includes(first), `${place}: its segment stays`);
    check.equal(machine.troubles.length, 1, `${place}: told once: ${machine.troubles.join("; ")}`);
    check.ok(/segment 1 stays: \d+ bytes, [12] damaged places/.test(machine.troubles[0]), place);
    readsAll(store, check, place);
    const { status } = store.engine.write(nameOf("b/hit"), set, LABELS);
    check.equal(status, "done", `${place}: is written again`);
    machine.sync(store.engine);
    machine.world.run(REST_MS);
    check.ok(!machine.disk.files().includes(first), `${place}: then the segment goes`);
    store.wanted.set("hit", `found ${textOf(set)}`);
    holds(store, check, place);
  }
}

function unreadable(check: Check): void {
  let isCovered = false;
  for (let at = 1; !isCovered; at += everyHere(3)) {
    for (const isSticky of [false, true]) {
      const machine = new Machine(at);
      const store = halfDead(machine, 12, 400, open(machine, { coldMs: 20 }));
      machine.sync(store.engine);
      machine.world.run(19);
      machine.disk.inject({ on: "read", at, effect: "EIO", isSticky });
      machine.world.run(50);
      machine.disk.clearFaults();
      isCovered = machine.disk.struck === 0;
      const say = `EIO on read ${at}${isSticky ? " and on" : ""}`;
      const told = machine.troubles.filter((trouble) => /EIO/.test(trouble)).length;
      check.ok(told <= 1, `${say}: told once: ${machine.troubles.join("; ")}`);
      readsAll(store, check, say);
      put(store, "later", 10);
      machine.world.run(REST_MS);
      const { totalBytes, liveBytes } = store.engine.stats();
      check.ok(
        totalBytes < liveBytes + 2 * SEGMENT_BYTES,
        `${say}: done later: ${totalBytes} bytes, ${liveBytes} live`,
      );
      holds(store, check, say);
    }
  }
}

function noRoom(check: Check): void {
  for (let spare = 0; spare < 9000; spare += 450) {
    const machine = new Machine(8);
    const store = halfDead(machine, 40, 250, open(machine, { coldMs: 20 }));
    machine.sync(store.engine);
    machine.world.run(10);
    const used = 2 ** 40 - machine.disk.freeBytes();
    machine.disk.capacityBytes = used + spare;
    machine.world.run(100);
    const say = `${spare} bytes to spare`;
    readsAll(store, check, say);
    machine.disk.capacityBytes = 2 ** 40;
    put(store, "later", 10);
    machine.world.run(REST_MS);
    const { totalBytes, liveBytes } = store.engine.stats();
    check.ok(totalBytes < 1.8 * liveBytes, `${say}: done later: ${totalBytes}, ${liveBytes} live`);
    holds(store, check, say);
  }
}

/** Fills the disk, and says after how many writes it was full. */
function fillUp(store: Store, length: number): number {
  for (let index = 0;; index++) {
    const counter = ++store.counter;
    const set = setOf({ counter, payload: payloadOf(counter, length) });
    const outcome = store.engine.write(nameOf(`b/${index}`), set, LABELS);
    if (outcome.status === "full") return index;
    store.wanted.set(`${index}`, `found ${textOf(set)}`);
    if (index % 50 === 0) store.machine.sync(store.engine);
  }
}

/** Overwrites with nothing, which is what a delete comes to here. */
function entomb(store: Store, key: string): void {
  const set = setOf({ counter: ++store.counter, payload: new Uint8Array(0) });
  const { status } = store.engine.write(nameOf(`b/${key}`), set, LABELS);
  if (status !== "done") throw new Error(`delete of ${key} is ${status}`);
  store.wanted.set(key, `found ${textOf(set)}`);
}

function full(check: Check): void {
  const machine = new Machine(9, { capacityBytes: 400_000 });
  const engine = machine.open({ ...options(machine), freeBytesMin: 60_000 });
  const store = { machine, engine, wanted: new Map<string, string>(), counter: 0 };
  const count = fillUp(store, 1000);
  machine.world.run(REST_MS);
  const more = setOf({ counter: 9, payload: payloadOf(9, 900) });
  check.equal(engine.write(nameOf("b/0"), more, LABELS).status, "full", "nothing has died yet");
  for (let index = 0; index < count; index++) {
    if (index % 3 === 0) continue;
    entomb(store, `${index}`);
    if (index % 10 === 0) machine.world.run(1);
  }
  machine.world.run(REST_MS);
  const { bytesFreed } = engine.stats();
  check.ok(bytesFreed > 200_000, `${bytesFreed} bytes came back`);
  for (let index = 0; index < 100; index++) put(store, `new ${index}`, 1000);
  readsAll(store, check, "after all");
}

/** A third of each segment is dead: not worth moving the rest, unless writes are refused without it. */
function mostlyLive(check: Check): void {
  for (const limit of ["of the disk", "of the log"]) {
    const isOfDisk = limit === "of the disk";
    const machine = new Machine(18, isOfDisk ? { capacityBytes: 2_000_000 } : {});
    const bounds = isOfDisk ? { freeBytesMin: 300_000 } : { totalBytesMax: 1_700_000 };
    const engine = machine.open({ ...options(machine, { deadRatioMin: 0.5 }), ...bounds });
    const store = { machine, engine, wanted: new Map<string, string>(), counter: 0 };
    const count = fillUp(store, 1000);
    machine.sync(engine);
    machine.world.run(REST_MS);
    const before = engine.stats();
    for (let index = 0; index < count; index += 3) {
      entomb(store, `${index}`);
      if (index % 10 === 0) machine.world.run(1);
    }
    machine.world.run(REST_MS);
    check.equal(before.bytesMoved, 0, "nothing is moved before");
    // Three quarters of what died.
    for (let index = 0; index < count / 4; index++) {
      put(store, `new ${index}`, 1000);
      if (index % 10 === 0) machine.world.run(20);
    }
    machine.world.run(REST_MS);
    const { bytesFreed, bytesMoved } = engine.stats();
    check.ok(bytesMoved < 4 * (bytesFreed - bytesMoved), `${bytesFreed} freed, ${bytesMoved} moved`);
    machine.world.run(10 * REST_MS);
    check.equal(engine.stats().bytesMoved, bytesMoved, `${limit}: and it comes to rest`);
    readsAll(store, check, limit);
  }
}

function deletesBounded(check: Check): void {
  const machine = new Machine(10, { capacityBytes: 300_000 });
  // Without compaction, nothing comes back.
  const engine = machine.open({ segmentBytes: SEGMENT_BYTES, freeBytesMin: 80_000 });
  const store = { machine, engine, wanted: new Map<string, string>(), counter: 0 };
  fillUp(store, 1000);
  let deletes = 0;
  for (; deletes < 1000; deletes++) {
    const tombstone = setOf({ counter: 10_000 + deletes, payload: new Uint8Array(0) });
    const outcome = engine.write(nameOf("b/0"), tombstone, LABELS);
    if (outcome.status === "done") continue;
    check.equal(outcome.status, "full", "refused");
    check.ok(/kept for giving space back/.test(outcome.detail), outcome.detail);
    break;
  }
  check.ok(deletes > 100, `${deletes} deletes pass after the last write`);
  check.ok(machine.disk.freeBytes() > 30_000, `${machine.disk.freeBytes()} bytes are left`);
}

function cold(check: Check): void {
  const machine = new Machine(11);
  const store = halfDead(machine, 60, 200, open(machine, { coldMs: 1000 }));
  machine.sync(store.engine);
  machine.world.run(900);
  check.equal(store.engine.stats().bytesMoved, 0, "nothing is moved for a second");
  machine.world.run(REST_MS);
  check.ok(store.engine.stats().segmentsCompacted > 0, "and then it is, without a further write");
  holds(store, check, "cold");
}

function young(check: Check): void {
  const machine = new Machine(17);
  const store = open(machine, { coldMs: 1000 });
  const name = nameOf("b/a");
  const key = "a";
  // One name over and over: all segments but the last are dead as soon as they are full.
  for (let index = 0; index < 200; index++) put(store, key, 200);
  machine.sync(store.engine);
  machine.world.run(500);
  put(store, key, 200);
  machine.sync(store.engine);
  check.equal(store.engine.stats().bytesFreed, 0, "nothing goes");
  machine.world.run(REST_MS);
  const { bytesFreed, bytesMoved } = store.engine.stats();
  check.ok(bytesFreed > 7 * SEGMENT_BYTES, `${bytesFreed} bytes went when they were old enough`);
  check.equal(bytesMoved, 0, "and nothing had to be moved for it");
  check.equal(machine.world.waiting, 0, "no timer stays");
  check.equal(outcomeText(read(store.engine, name)), store.wanted.get(key), "it reads");
  holds(store, check, "young");
}

function steps(check: Check): void {
  const machine = new Machine(12);
  const grants: number[] = [];
  const pacer = {
    after: (bytes: number, step: () => void): { cancel(): void } => {
      grants.push(bytes);
      return machine.after(7, step);
    },
  };
  const store = halfDead(machine, 100, 200, open(machine, { pacer, stepBytes: 1500 }));
  machine.sync(store.engine);
  const before = machine.world.elapsedMs;
  machine.world.run(100_000);
  const { bytesMoved } = store.engine.stats();
  const most = Math.max(...grants);
  check.ok(most >= 1500 && most < 2000, `${most} bytes in a step, one record over 1,500 at most`);
  const told = grants.reduce((sum, bytes) => sum + bytes, 0);
  check.ok(told >= bytesMoved, `${told} bytes told of ${bytesMoved}`);
  check.ok(grants.length > bytesMoved / 2000, `${grants.length} steps`);
  check.ok(machine.world.elapsedMs - before > grants.length * 7 * 0.9, "each waits");
}

function idle(check: Check): void {
  const machine = new Machine(13);
  const store = open(machine, { deadRatioMin: 0.5 });
  for (let index = 0; index < 100; index++) put(store, `${index}`, 300);
  for (let index = 0; index < 100; index += 4) put(store, `${index}`, 300);
  machine.sync(store.engine);
  machine.world.run(REST_MS);
  check.equal(store.engine.stats().bytesMoved, 0, "a quarter dead is not worth it");
  check.equal(machine.world.waiting, 0, "nothing waits");
  put(store, "x", 1);
  let isClosed = false;
  store.engine.close(() => {
    isClosed = true;
  });
  machine.world.run(REST_MS);
  check.equal(isClosed, true, "is closed");
  check.equal(machine.world.waiting, 0, "nothing waits after that either");
}
