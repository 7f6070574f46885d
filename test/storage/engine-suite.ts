/**
 * The contract of storage/engine.ts, case by case, on every engine and disk (engine-beds.ts).
 */

import { crc32c } from "../../core/crc32c.ts";
import { bucketTag, ObjectName } from "../../core/object-name.ts";
import type { Engine, IndexEntry, Stage, VersionSet } from "../../storage/engine.ts";
import { isLarge, type LargePayload, wholeBytes } from "../../storage/large-payload.ts";
import { collidingNames } from "../core/md5-collision.ts";
import { roundsHere, SeededRandom, seedFrom, sizeHere } from "../random.ts";
import type { Case, Check } from "../suite.ts";
import { type Bed, BEDS } from "./engine-beds.ts";
import {
  bytesAt,
  digestOf,
  LABELS,
  nameOf,
  outcomeText,
  payloadOf,
  read,
  setOf,
  textOf,
  without,
} from "./sets.ts";

type Run = (bed: Bed, check: Check) => void | Promise<void>;

const SEED = seedFrom(globalThis.process?.env.SEED, 2007);
/** The largest body that the product takes; elsewhere many chunks as well. */
const LARGEST_BYTES = sizeHere(64 << 20, 8 << 20);

const cases: readonly (readonly [name: string, run: Run])[] = [
  ["read() gives what write() took, at both sides of every size that is stored differently", sizes],
  ["read() of a name that was never written is absent", absent],
  ["read() for the head alone leaves payloads out", headAlone],
  ["write() replaces, and keeps payloads that are left out", replacing],
  ["write() keeps large payloads over many rewrites", keepingLarge],
  ["write() copies what it is given", copying],
  ["write() refuses a set that contradicts itself", contradictions],
  ["write() keeps a set without versions", emptySet],
  ["remove() forgets a name if it still has the digest", removing],
  ["note() changes nothing that is read, compared or counted", noting],
  ["two names with one MD5 are two objects", sameMd5],
  ["two names with one MD5 and one tag are two objects", sameTag],
  ["scan() visits the entries of a range and no others", scanning],
  ["scanBucket() visits a bucket's entries of a range in order, readEntryHead() names them", oneBucket],
  ["readEntry() finds name and set of a scanned entry", readingEntries],
  ["partition digests depend on the contents alone", partitionDigests],
  ["sync() tells all that wait, and only then nothing is unsynced", syncing],
  ["a bound on all bytes refuses values and lets deletes pass", bounded],
  ["where memory may not grow, new names are refused; what is held is read, replaced, deleted", grown],
  ["random operations agree with a map, across restarts", randomised],
  [`a value of ${LARGEST_BYTES >> 20} MiB with metadata is stored and read`, largest],
  ["a payload that was staged in pieces is stored as one that came whole", staging],
  ["a large payload is read from anywhere to anywhere", ranges],
  ["a large payload of another engine is copied, and nothing is written where it is gone", foreign],
  ["what is held can be read although another version has taken its place", holding],
  ["what was staged and given up is nowhere", givenUp],
];

export const suite: Case[] = BEDS.flatMap(({ name: where, make }) =>
  cases.map(([name, run]) => ({
    name: `${where}: ${name}`,
    run: async (check: Check) => {
      const bed = make();
      try {
        await run(bed, check);
      } finally {
        await bed.close();
        bed.end();
      }
    },
  }))
);

function write(engine: Engine, check: Check, name: ObjectName, set: VersionSet): void {
  check.same(engine.write(name, set, LABELS), { status: "done" }, "write is done");
}

function holds(engine: Engine, check: Check, name: ObjectName, set: VersionSet, say: string): void {
  check.equal(outcomeText(read(engine, name)), `found ${textOf(set)}`, say);
}

function sizes(bed: Bed, check: Check): void {
  const engine = bed.open();
  const lengths = [1, 100, 4095, 4096, 4097, 32_767, 32_768, 200_000, 1 << 20];
  const sets = lengths.map((length, index) =>
    setOf({ counter: index + 1, payload: payloadOf(length, length) })
  );
  sets.forEach((set, index) => write(engine, check, nameOf(`b/${lengths[index]}`), set));
  sets.forEach((set, index) => {
    holds(engine, check, nameOf(`b/${lengths[index]}`), set, `${lengths[index]} bytes`);
  });
  const longest = nameOf(`${"b".repeat(255)}/${"k".repeat(4096)}`);
  write(engine, check, longest, sets[0]);
  holds(engine, check, longest, sets[0], "the longest name");
}

function absent(bed: Bed, check: Check): void {
  const engine = bed.open();
  const digest = new Uint32Array(2);
  check.equal(outcomeText(read(engine, nameOf("b/k"))), "absent", "read");
  check.equal(engine.digestInto(nameOf("b/k"), digest, 0), false, "digest");
  check.equal(engine.stats().objects, 0, "objects");
}

function headAlone(bed: Bed, check: Check): void {
  const engine = bed.open();
  const set = setOf(
    { counter: 1, payload: payloadOf(1, 50) },
    { counter: 2, payload: payloadOf(2, 9000) },
  );
  write(engine, check, nameOf("b/k"), set);
  const wanted = `found ${textOf(without(set, 0, 1))}`;
  check.equal(outcomeText(read(engine, nameOf("b/k"), false)), wanted, "head");
}

function replacing(bed: Bed, check: Check): void {
  const engine = bed.open();
  const name = nameOf("b/k");
  const small = { counter: 1, payload: payloadOf(1, 60) };
  const large = { counter: 2, payload: payloadOf(2, 50_000) };
  const first = setOf(small, large);
  write(engine, check, name, first);
  const tombstone = { counter: 3, payload: new Uint8Array(0) };
  const grown = setOf(small, large, tombstone, { counter: 4, payload: payloadOf(4, 4096) });
  write(engine, check, name, without(grown, 0, 1, 2));
  holds(engine, check, name, grown, "kept the payloads of two dots, and a tombstone needs none");
  const reduced = setOf(large);
  write(engine, check, name, without(reduced, 0));
  holds(engine, check, name, reduced, "the set is the one that was written last");
  const [digest0, digest1] = digestOf(reduced);
  const digest = new Uint32Array(3);
  check.equal(engine.digestInto(name, digest, 1), true, "has a digest");
  check.same([digest[1], digest[2]], [digest0, digest1], "the digest is that of the head");
  check.equal(engine.stats().objects, 1, "one object");
}

function keepingLarge(bed: Bed, check: Check): void {
  const engine = bed.open({ segmentBytes: 100_000 });
  const name = nameOf("b/k");
  const versions = [{ counter: 1, payload: payloadOf(1, 60_000) }];
  write(engine, check, name, setOf(...versions));
  for (let counter = 2; counter < 40; counter++) {
    versions.push({ counter, payload: payloadOf(counter, counter * 211) });
    if (versions.length > 4) versions.splice(1, 1);
    const set = setOf(...versions);
    const kept = versions.map((_, index) => index).filter((index) => index < versions.length - 1);
    write(engine, check, name, without(set, ...kept));
    holds(engine, check, name, set, `after rewrite ${counter}`);
  }
}

function copying(bed: Bed, check: Check): void {
  const engine = bed.open();
  const set = setOf({ counter: 1, payload: payloadOf(1, 300) });
  const wanted = `found ${textOf(set)}`;
  write(engine, check, nameOf("b/k"), set);
  set.head.fill(0);
  bytesAt(set, 0).fill(0);
  check.equal(outcomeText(read(engine, nameOf("b/k"))), wanted, "unchanged");
}

function contradictions(bed: Bed, check: Check): void {
  const engine = bed.open();
  const set = setOf({ counter: 1, payload: payloadOf(1, 300) });
  const name = nameOf("b/k");
  check.throws(() => engine.write(name, without(set, 0), LABELS), "nothing is stored to keep");
  const short = { head: set.head, payloads: [payloadOf(1, 299)] };
  check.throws(() => engine.write(name, short, LABELS), "a payload shorter than the head says");
  check.equal(outcomeText(read(engine, name)), "absent", "nothing was written");
  write(engine, check, name, set);
  const other = setOf({ counter: 2, payload: payloadOf(2, 300) });
  check.throws(() => engine.write(name, without(other, 0), LABELS), "no such dot is stored");
  holds(engine, check, name, set, "the old set is still there");
}

function emptySet(bed: Bed, check: Check): void {
  const engine = bed.open();
  write(engine, check, nameOf("b/k"), setOf());
  holds(engine, check, nameOf("b/k"), setOf(), "a clock alone");
}

function removing(bed: Bed, check: Check): void {
  const engine = bed.open();
  const name = nameOf("b/k");
  const set = setOf({ counter: 1, payload: payloadOf(1, 5000) });
  write(engine, check, name, set);
  const [digest0, digest1] = digestOf(set);
  check.same(engine.remove(name, digest0, digest1 ^ 1), { status: "done" }, "another digest");
  holds(engine, check, name, set, "is not removed");
  check.same(engine.remove(name, digest0, digest1), { status: "done" }, "its digest");
  check.equal(outcomeText(read(engine, name)), "absent", "is removed");
  check.same(engine.remove(name, digest0, digest1), { status: "done" }, "again");
  check.equal(engine.stats().objects, 0, "no object");
  write(engine, check, name, set);
  holds(engine, check, name, set, "written again");
}

function noting(bed: Bed, check: Check): void {
  const engine = bed.open();
  const set = setOf({ counter: 1, payload: payloadOf(1, 100) });
  engine.write(nameOf("b/noted"), set, LABELS);
  const rootsBefore = digests(engine);
  const before = { ...engine.stats(), totalBytes: 0 };
  for (const length of [0, 1, 20, 4096]) {
    const { status } = engine.note(nameOf("b/noted"), payloadOf(2, length));
    check.equal(status, "done", `a note of ${length} bytes`);
  }
  engine.note(nameOf("b/never-written"), payloadOf(3, 20));
  check.equal(outcomeText(read(engine, nameOf("b/noted"))), `found ${textOf(set)}`, "the set");
  check.equal(read(engine, nameOf("b/never-written")).status, "absent", "a note is no object");
  check.same({ ...engine.stats(), totalBytes: 0 }, before, "nothing is counted");
  check.same(digests(engine), rootsBefore, "the digests are the same");
}

function sameMd5(bed: Bed, check: Check): void {
  const [left, right] = collidingNames("key").map((bytes) => new ObjectName(bytes));
  check.equal(left.position0, right.position0, "one position");
  bothAreKept(bed, check, left, right);
}

function sameTag(bed: Bed, check: Check): void {
  const [left, right] = collidingNames("key").map((bytes) => new ObjectName(bytes));
  // Tags that collide as well would take some billion tries: pretend.
  Object.assign(right, { tag: left.tag });
  bothAreKept(bed, check, left, right);
}

function bothAreKept(bed: Bed, check: Check, left: ObjectName, right: ObjectName): void {
  const engine = bed.open();
  const one = setOf({ counter: 1, payload: payloadOf(1, 10) });
  const two = setOf({ counter: 2, payload: payloadOf(2, 20) });
  const three = setOf({ counter: 3, payload: payloadOf(3, 30) });
  write(engine, check, left, one);
  check.equal(outcomeText(read(engine, right)), "absent", "the other name is absent");
  write(engine, check, right, two);
  write(engine, check, left, three);
  holds(engine, check, left, three, "left");
  holds(engine, check, right, two, "right");
  check.equal(engine.stats().objects, 2, "two objects");
  const found: string[] = [];
  engine.scan(left.position0, left.position0, (entry) => {
    found.push([entry.digest0, entry.digest1].join());
    return true;
  });
  check.same(found.sort(), [digestOf(two).join(), digestOf(three).join()].sort(), "two entries");
  const [digest0, digest1] = digestOf(three);
  engine.readEntry({ ...keyOf(left), digest0, digest1 }, (name, outcome) => {
    check.same(name?.bytes, left.bytes, "the digest picks the name");
    check.equal(outcomeText(outcome), `found ${textOf(three)}`, "and its set");
  });
  engine.remove(left, digest0, digest1);
  check.equal(outcomeText(read(engine, left)), "absent", "left is removed");
  holds(engine, check, right, two, "right is not");
}

function keyOf(name: ObjectName): { position0: number; position1: number; tag: number } {
  return { position0: name.position0, position1: name.position1, tag: name.tag };
}

function fill(engine: Engine, check: Check, count: number): ObjectName[] {
  const names: ObjectName[] = [];
  for (let index = 0; index < count; index++) {
    const name = nameOf(`bucket/${index}`);
    const set = setOf({ counter: index + 1, payload: payloadOf(index, 20) });
    if (engine.write(name, set, LABELS).status !== "done") check.ok(false, "write is done");
    names.push(name);
  }
  return names;
}

function scanning(bed: Bed, check: Check): void {
  const engine = bed.open();
  const names = fill(engine, check, 500);
  for (const [from, to] of [[0, 0xffffffff], [0x40000000, 0x4fffffff], [0x12345678, 0x9abcdef0]]) {
    const wanted = names.map((name) => name.position0).filter((at) => at >= from && at <= to);
    const seen: number[] = [];
    engine.scan(from, to, (entry) => seen.push(entry.position0) > 0);
    check.same(seen.sort(byNumber), wanted.sort(byNumber), `from ${from} to ${to}`);
  }
  let visits = 0;
  engine.scan(0, 0xffffffff, () => ++visits < 10);
  check.equal(visits, 10, "stops when it is told to");
  const inside = names.filter((name) => name.position0 >>> 28 === 5).length;
  check.equal(engine.tree(5).count, inside, "entries of a partition");
}

function oneBucket(bed: Bed, check: Check): void {
  const engine = bed.open();
  fill(engine, check, 300);
  const keys = [1, 2, 3, 4, 5, 6, 7].map((number) => nameOf(`small/${number}`));
  const set = setOf({ counter: 1000, payload: payloadOf(1, 5000) });
  for (const name of keys) write(engine, check, name, set);
  const entries: IndexEntry[] = [];
  const tag = bucketTag(new TextEncoder().encode("small"));
  const end = engine.scanBucket(tag, 0, 0xffffffff, (entry) => entries.push({ ...entry }) > 0);
  check.equal(end, 2 ** 32, "up to the end");
  check.same(
    entries.map((entry) => engine.readEntryHead(entry)),
    keys.sort((left, right) => left.position0 - right.position0)
      .map(({ bytes }) => ({ status: "found", name: bytes, head: set.head })),
    "name and head of each, in ring order",
  );
  const [from, to] = [entries[1].position0, entries[4].position0];
  let visits = 0;
  check.equal(engine.scanBucket(tag, from, to, () => ++visits < 3), entries[3].position0, "stopped");
  check.equal(engine.scanBucket(tag, from, to, () => ++visits > 0), to + 1, "not stopped");
  check.equal(visits, 3 + 4, "from the first up to the last one");
  check.equal(engine.readEntryHead({ position0: 1, position1: 2, tag: 3 }).status, "absent", "none");
}

function byNumber(left: number, right: number): number {
  return left - right;
}

function readingEntries(bed: Bed, check: Check): void {
  const engine = bed.open();
  const names = fill(engine, check, 50).map((name) => name.bytes.join());
  const entries: IndexEntry[] = [];
  engine.scan(0, 0xffffffff, (entry) => entries.push({ ...entry }) > 0);
  const found: string[] = [];
  for (const entry of entries) {
    engine.readEntry(entry, (name, outcome) => {
      check.equal(outcome.status, "found", "is found");
      found.push(name === null ? "" : name.bytes.join());
    });
  }
  check.same(found.sort(), names.sort(), "all names");
  engine.readEntry({ position0: 1, position1: 2, tag: 3 }, (name, outcome) => {
    check.same([name, outcome.status], [null, "absent"], "no such entry");
  });
}

function partitionDigests(bed: Bed, check: Check): void {
  const engine = bed.open();
  const forward = bed.isKept ? bed.open({ folder: "second" }) : bed.open();
  const sets = Array.from({ length: 200 }, (_, index) => {
    return {
      name: nameOf(`b/${index}`),
      set: setOf({ counter: index + 1, payload: payloadOf(index, 9) }),
    };
  });
  const old = setOf({ counter: 900, payload: payloadOf(900, 30) });
  for (const { name, set } of sets) write(forward, check, name, set);
  for (const { name } of [...sets].reverse()) write(engine, check, name, old);
  check.ok(digests(engine) !== digests(forward), "other contents, other digests");
  for (const { name, set } of [...sets].reverse()) write(engine, check, name, set);
  check.equal(digests(engine), digests(forward), "order and history do not matter");
  for (const { name, set } of sets) engine.remove(name, ...digestOf(set));
  check.equal(digests(engine), new Array(32).fill(0).join(), "nothing is left");
}

function digests(engine: Engine): string {
  const words = new Uint32Array(32);
  for (let partition = 0; partition < 16; partition++) {
    engine.tree(partition).rootInto(words, partition * 2);
  }
  return words.join();
}

async function syncing(bed: Bed, check: Check): Promise<void> {
  const engine = bed.open();
  await bed.wait((done) => engine.sync(() => done()));
  const told: string[] = [];
  fill(engine, check, 3);
  check.equal(engine.unsynced, bed.isKept, "something is unsynced");
  await bed.wait((done) => {
    engine.sync((durable) => told.push(`first ${durable}`));
    engine.sync((durable) => {
      told.push(`second ${durable}`);
      engine.write(nameOf("b/late"), setOf({ counter: 9, payload: payloadOf(1, 9) }), LABELS);
      engine.sync((isDurable) => {
        told.push(`third ${isDurable}`);
        done();
      });
    });
  });
  check.same(told, ["first true", "second true", "third true"], "each once, in order");
  check.equal(engine.unsynced, false, "nothing is unsynced");
}

function bounded(bed: Bed, check: Check): void {
  const engine = bed.open({ totalBytesMax: 20_000, segmentBytes: 4096 });
  const statuses: string[] = [];
  for (let index = 0; index < 30; index++) {
    const set = setOf({ counter: index + 1, payload: payloadOf(index, 1000) });
    statuses.push(engine.write(nameOf(`b/${index}`), set, LABELS).status);
  }
  const taken = statuses.indexOf("full");
  check.ok(taken > 5 && taken < 20, `full after ${taken} values of 1,000 bytes`);
  check.equal(outcomeText(read(engine, nameOf(`b/${taken}`))), "absent", "nothing half-written");
  check.equal(read(engine, nameOf("b/0")).status, "found", "reads go on");
  const tombstone = setOf({ counter: 99, payload: new Uint8Array(0) });
  write(engine, check, nameOf("b/0"), tombstone);
  check.equal(engine.stats().objects, taken, "objects");
}

function grown(bed: Bed, check: Check): void {
  let refusal = "";
  const engine = bed.open({ mayGrow: () => refusal });
  const small = setOf({ counter: 1, payload: payloadOf(1, 100) });
  write(engine, check, nameOf("b/held"), small);
  refusal = "no memory";
  const refused = engine.write(nameOf("b/new"), small, LABELS);
  check.same(refused, { status: "full", of: "memory", detail: "no memory" }, "a new name");
  check.equal(outcomeText(read(engine, nameOf("b/new"))), "absent", "nothing half-written");
  const smaller = setOf({ counter: 2, payload: payloadOf(2, 90) });
  write(engine, check, nameOf("b/held"), smaller);
  holds(engine, check, nameOf("b/held"), smaller, "what does not grow is replaced");
  const tombstone = setOf({ counter: 3, payload: new Uint8Array(0) });
  write(engine, check, nameOf("b/held"), tombstone);
  write(engine, check, nameOf("b/unheld"), tombstone);
  refusal = "";
  write(engine, check, nameOf("b/new"), small);
  holds(engine, check, nameOf("b/new"), small, "and goes on when there is room");
}

async function randomised(bed: Bed, check: Check): Promise<void> {
  const random = new SeededRandom(SEED);
  const model = new Map<string, VersionSet>();
  const names = Array.from({ length: 60 }, (_, index) => nameOf(`bucket/${index}`));
  for (const key of ["x", "y"]) {
    for (const bytes of collidingNames(key)) names.push(new ObjectName(bytes));
  }
  let engine = bed.open();
  let counter = 0;
  for (let step = 0; step < roundsHere(3_000); step++) {
    const name = names[random.below(names.length)];
    const key = name.bytes.join();
    const held = model.get(key);
    const choice = random.below(20);
    if (choice < 10) {
      const payload = payloadOf(++counter, random.below(random.chance(1, 10) ? 9000 : 300));
      const kept = held === undefined || random.chance(1, 2) ? [] : versionsOf(held).slice(-3);
      const set = setOf(...kept, { counter, payload });
      const given = without(set, ...kept.map((_, index) => index));
      if (engine.write(name, given, LABELS).status !== "done") {
        check.ok(false, `write, step ${step}`);
      }
      model.set(key, set);
    } else if (choice < 12 && held !== undefined) {
      engine.remove(name, ...digestOf(held));
      model.delete(key);
    } else if (choice < 19) {
      const wanted = held === undefined ? "absent" : `found ${textOf(held)}`;
      check.equal(outcomeText(read(engine, name)), wanted, `SEED=${SEED}, step ${step}`);
    } else if (bed.isKept && random.chance(1, 10)) {
      await bed.close();
      engine = bed.open();
      check.equal(engine.lostNames, 0, "nothing is lost");
    }
  }
  check.equal(engine.stats().objects, model.size, "as many objects");
  for (const name of names) {
    const held = model.get(name.bytes.join());
    const wanted = held === undefined ? "absent" : `found ${textOf(held)}`;
    check.equal(outcomeText(read(engine, name)), wanted, `SEED=${SEED}, at the end`);
  }
}

function versionsOf(set: VersionSet): { counter: number; payload: Uint8Array }[] {
  return set.payloads.map((_, index) => {
    const counter = new DataView(set.head.buffer).getUint32(8 + index * 56 + 8, true);
    return { counter, payload: bytesAt(set, index) };
  });
}

function largest(bed: Bed, check: Check): void {
  const engine = bed.open();
  const set = setOf({ counter: 1, payload: new Uint8Array(LARGEST_BYTES + 4096).fill(7) });
  write(engine, check, nameOf("b/k"), set);
  holds(engine, check, nameOf("b/k"), set, "the largest body, and 4 KiB of metadata");
}

const SMALL_SLICES = { streamBytesMin: 2_000, sliceBytes: 700 };

/** Stages a payload in uneven pieces. */
function staged(engine: Engine, name: ObjectName, bytes: Uint8Array): [LargePayload, Stage] {
  const stage = engine.stage(name);
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 1_009) {
    const outcome = stage.append(bytes, at, Math.min(bytes.length, at + step));
    if (outcome.status !== "done") throw new Error(`append() says ${outcome.status}`);
  }
  const finished = stage.finish();
  if (finished.status !== "staged") throw new Error(`finish() says ${finished.status}`);
  return [finished.payload, stage];
}

function staging(bed: Bed, check: Check): void {
  const engine = bed.open(SMALL_SLICES);
  for (const length of [2_001, 2_100, 2_101, 30_000]) {
    const name = nameOf(`b/${length}`);
    const bytes = payloadOf(length, length);
    const set = setOf({ counter: 1, payload: bytes }, { counter: 2, payload: payloadOf(2, 40) });
    const [payload, stage] = staged(engine, name, bytes);
    check.equal(payload.checksum, crc32c(bytes, 0, length), "its checksum");
    check.equal(read(engine, name).status, "absent", "nothing is stored before it is written");
    write(engine, check, name, { head: set.head, payloads: [payload, set.payloads[1]] });
    stage.drop();
    holds(engine, check, name, set, `${length} bytes`);
    const grown = setOf(
      { counter: 1, payload: bytes },
      { counter: 2, payload: payloadOf(2, 40) },
      { counter: 3, payload: payloadOf(3, 3_000) },
    );
    write(engine, check, name, without(grown, 0, 1));
    holds(engine, check, name, grown, `${length} bytes, kept by a rewrite`);
  }
}

function ranges(bed: Bed, check: Check): void {
  const engine = bed.open(SMALL_SLICES);
  const bytes = payloadOf(1, 10_000);
  write(engine, check, nameOf("b/k"), setOf({ counter: 1, payload: bytes }));
  const outcome = read(engine, nameOf("b/k"));
  const payload = outcome.status === "found" ? outcome.set.payloads[0] : null;
  if (!isLarge(payload)) throw new Error("The payload is not large");
  const random = new SeededRandom(SEED);
  const edges = [0, 1, 699, 700, 701, 1_400, 9_800, 9_999, 10_000];
  for (let round = 0; round < 40; round++) {
    const from = edges[random.below(edges.length)];
    const to = edges[random.below(edges.length)];
    if (from >= to) continue;
    const target = new Uint8Array(to - from + 6);
    check.equal(payload.readInto(from, target, 3, 3 + to - from), "read", `${from} to ${to}`);
    check.same(target.subarray(3, 3 + to - from), bytes.subarray(from, to), `${from} to ${to}`);
    check.equal(target[2] + target[3 + to - from], 0, "nothing beside it");
  }
}

function foreign(bed: Bed, check: Check): void {
  const engine = bed.open({ ...SMALL_SLICES, folder: "objects" });
  const other = bed.open({ ...SMALL_SLICES, folder: "hints", sliceBytes: 901 });
  const set = setOf({ counter: 1, payload: payloadOf(1, 9_000) });
  const [payload, stage] = staged(engine, nameOf("b/k"), bytesAt(set, 0));
  const large = { head: set.head, payloads: [payload] };
  write(other, check, nameOf("b/k"), large);
  write(engine, check, nameOf("b/other"), large);
  stage.drop();
  holds(other, check, nameOf("b/k"), set, "in the other engine");
  holds(engine, check, nameOf("b/other"), set, "under another name");
  const gone: LargePayload = {
    length: payload.length,
    checksum: payload.checksum,
    readInto: () => "gone",
    hold: () => false,
    release: () => {},
  };
  const lost = { head: set.head, payloads: [gone] };
  check.equal(other.write(nameOf("b/lost"), lost, LABELS).status, "gone", "said so");
  check.equal(read(other, nameOf("b/lost")).status, "absent", "nothing is written");
  write(other, check, nameOf("b/next"), set);
  holds(other, check, nameOf("b/next"), set, "and it goes on");
}

async function holding(bed: Bed, check: Check): Promise<void> {
  const engine = bed.open({ ...SMALL_SLICES, segmentBytes: 8_192 });
  const bytes = payloadOf(1, 20_000);
  write(engine, check, nameOf("b/k"), setOf({ counter: 1, payload: bytes }));
  const outcome = read(engine, nameOf("b/k"));
  const payload = outcome.status === "found" ? outcome.set.payloads[0] : null;
  if (!isLarge(payload)) throw new Error("The payload is not large");
  check.equal(payload.hold(), true, "is held");
  write(engine, check, nameOf("b/k"), setOf({ counter: 2, payload: payloadOf(2, 20_000) }));
  for (let round = 0; round < 3; round++) {
    await bed.wait((done) => engine.sync(() => done()));
    write(engine, check, nameOf("b/x"), setOf({ counter: round, payload: payloadOf(round, 100) }));
  }
  check.same(wholeBytes(payload), bytes, "all of it can still be read");
  payload.release();
  write(engine, check, nameOf("b/x"), setOf({ counter: 9, payload: payloadOf(9, 100) }));
  await bed.wait((done) => engine.sync(() => done()));
  const target = new Uint8Array(20_000);
  const status = payload.readInto(0, target, 0, target.length);
  check.ok(status === "gone" || bytes.every((byte, index) => byte === target[index]), "or gone");
}

async function givenUp(bed: Bed, check: Check): Promise<void> {
  const engine = bed.open({ ...SMALL_SLICES, segmentBytes: 8_192 });
  for (let round = 0; round < 20; round++) {
    const [, stage] = staged(engine, nameOf("b/k"), payloadOf(round, 6_000));
    stage.drop();
    write(engine, check, nameOf("b/x"), setOf({ counter: round, payload: payloadOf(round, 9) }));
    await bed.wait((done) => engine.sync(() => done()));
  }
  check.equal(read(engine, nameOf("b/k")).status, "absent", "nothing is stored");
  const { totalBytes, objects } = engine.stats();
  check.equal(objects, 1, "but the other name");
  check.ok(totalBytes < 30_000, `its space comes back: ${totalBytes} bytes`);
}
