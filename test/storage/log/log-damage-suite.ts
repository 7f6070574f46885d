/**
 * Damaged files of the log (rows B3 and B4 of test/crash/rows.ts): tails cut at every byte, filled with
 * zeros or rubbish; bits turned over, at a size for every day (`make crash`: all of them). Never a wrong
 * value, always a report, never more lost than was hit.
 */

import { flips, judgeLive, rewrites } from "../../crash/damaged-bytes.ts";
import { FILE, machineWith, readAll, SampleLog, two } from "../../crash/sample-log.ts";
import { cutActor, cutTail, rubbishTail } from "../../crash/torn-tails.ts";
import { everyHere, roundsHere, seedFrom } from "../../random.ts";
import { isLarge } from "../../../storage/large-payload.ts";
import type { Case, Check } from "../../suite.ts";
import { Machine } from "../engine-beds.ts";
import { bytesAt, LABELS, nameOf, outcomeText, payloadOf, read, setOf, textOf, without } from "../sets.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);

export const suite: Case[] = [
  {
    name: "an unsynced last record of each kind, cut at every byte: it alone is lost",
    run: (check) => void cutTail(check, everyHere(3)),
  },
  {
    name: "zeros and rubbish behind the last record are cut off once",
    run: (check) => void rubbishTail(check, SEED, 0),
  },
  { name: "the actor's file cut at every byte: a new actor", run: (check) => void cutActor(check) },
  {
    name: "bits of a file with every kind of record, turned over: never a wrong value",
    run: (check) => void flips(check, SEED, roundsHere(8_000), 7),
  },
  {
    name: "records with wrong fields and fitting checksums: never a wrong value, no crash",
    run: (check) => void rewrites(check, SEED, roundsHere(3_000)),
  },
  { name: "damage in the middle never drops what follows", run: middle },
  { name: "a damaged record answers damaged, and a write repairs it", run: repairing },
  { name: "a kept payload whose record is damaged stays damaged", run: keptDamage },
  { name: "a damaged chunk is never read, is told, and a write repairs it", run: damagedChunks },
  { name: "a misdirected write is noticed", run: misdirected },
];

const log = new SampleLog();

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
  for (const payload of [bytesAt(log.two, 0), bytesAt(log.two, 1), two.bytes]) {
    const machine = machineWith(log.file());
    const file = machine.disk.contents(FILE);
    // The last record of that name: the search begins behind the first ones.
    const from = find(file, bytesAt(log.two, 1)) - 300;
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
    check.equal(engine.write(two, log.two, LABELS).status, "done", "is written again");
    check.equal(outcomeText(read(engine, two)), `found ${textOf(log.two)}`, "and is whole");
    check.equal(engine.stats().objects, 3, "as the same object");
  }
}

function keptDamage(check: Check): void {
  for (const isContent of [false, true]) {
    const machine = machineWith(log.file());
    const file = machine.disk.contents(FILE);
    const payload = bytesAt(log.two, 0);
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
  for (let at = 1; at <= log.steps.length + 1; at++) {
    const machine = new Machine(at);
    machine.disk.inject({ on: "write", at, effect: "misdirect" });
    const engine = machine.open();
    for (const step of log.steps) step(engine);
    const say = `write ${at} lands elsewhere`;
    judgeLive(readAll(engine), log, check, say);
    machine.sync(engine);
    machine.disk.clearFaults();
    const again = machine.open();
    judgeLive(readAll(again), log, check, `${say}, after a restart`);
  }
}

/** Each chunk of a large payload in turn: what comes before it is read, and no byte of it. */
function damagedChunks(check: Check): void {
  const options = { streamBytesMin: 2_000, sliceBytes: 700 };
  const bytes = payloadOf(5, 3_000);
  const set = setOf({ counter: 1, payload: bytes });
  for (let chunk = 0; chunk < 5; chunk++) {
    const machine = new Machine(chunk);
    const engine = machine.open(options);
    check.equal(engine.write(two, set, LABELS).status, "done", "is written");
    check.ok(machine.sync(engine), "is synced");
    const at = find(machine.disk.contents(FILE), bytes.subarray(chunk * 700, chunk * 700 + 50));
    machine.disk.flip(FILE, (at + 3) * 8);
    const outcome = read(engine, two);
    const payload = outcome.status === "found" ? outcome.set.payloads[0] : null;
    if (!isLarge(payload)) throw new Error("The payload is not large");
    const target = new Uint8Array(bytes.length);
    const before = chunk * 700;
    check.equal(payload.readInto(0, target, 0, before), "read", "what comes before it");
    check.same(target.subarray(0, before), bytes.subarray(0, before), "is right");
    const rest = new Uint8Array(bytes.length - before);
    check.equal(payload.readInto(before, rest, 0, rest.length), "damaged", "the chunk is not read");
    check.ok(engine.stats().damaged > 0, "is counted");
    check.equal(read(engine, two).status, "damaged", "from then on the set is damaged");
    check.equal(engine.write(two, set, LABELS).status, "done", "is written again");
    check.equal(outcomeText(read(engine, two)), `found ${textOf(set)}`, "and is whole");
  }
}
