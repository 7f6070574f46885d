/**
 * Files of every format version (B15): the examples of FORMAT.md are read exactly, byte for byte as they
 * stand there; a file of a newer version is refused with a sentence, and not changed.
 */

import { readFileSync } from "node:fs";
import { writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { loadDocument, saveDocument } from "../../server/membership/state-file.ts";
import { ACTOR_FILE, openActor } from "../../storage/actor.ts";
import { HEADER_BYTES } from "../../storage/log/record.ts";
import { Machine } from "../storage/engine-beds.ts";
import { nameOf, outcomeText, read, setOf, textOf } from "../storage/sets.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";
import { FILE, machineWith, recordStarts, SampleLog } from "./sample-log.ts";

const NEWER = 2;
const SNAPSHOT = "objects/index.snapshot";
const STATE_FILE = "state";

export function formats(check: Check): Counts {
  readExamples(check);
  const records = refuseNewerRecords(check);
  refuseNewerActor(check);
  refuseNewerState(check);
  return { examples: 3, newerRecords: records, newerFiles: 2 };
}

/** The bytes of an example in storage/FORMAT.md: lines of an offset, two spaces and bytes. */
function exampleBytes(from: string, to: string): Uint8Array {
  const page = readFileSync(new URL("../../storage/FORMAT.md", import.meta.url), "utf8");
  const start = page.indexOf(from);
  const lines = page.slice(start, page.indexOf(to, start)).matchAll(/^ *\d+  ((?:[0-9a-f]{2} ?)+)/gm);
  return Uint8Array.from(Buffer.from([...lines].map((line) => line[1]).join("").replaceAll(" ", ""), "hex"));
}

function readExamples(check: Check): void {
  const hello = setOf({ counter: 1, payload: Uint8Array.of(0x68, 0x65, 0x6c, 0x6c, 0x6f) });
  const machine = machineWith(exampleBytes("## Worked example", "`objects/index.snapshot`"));
  for (const isFromSnapshot of [false, true]) {
    const engine = machine.open();
    const say = isFromSnapshot ? "the example with its snapshot" : "the example";
    check.equal(engine.recovery.isFromSnapshot, isFromSnapshot, say);
    check.same([engine.recovery.damaged, engine.recovery.tornBytes], [0, 0], `${say} is whole`);
    check.equal(outcomeText(read(engine, nameOf("cart/17"))), `found ${textOf(hello)}`, say);
    machine.disk.setContents(SNAPSHOT, exampleBytes("`objects/index.snapshot` is then", "## "));
  }
  readLargeExample(check);
}

/** The chunk's size is the file's: the engine that reads it has another one. */
function readLargeExample(check: Check): void {
  const payload = new TextEncoder().encode("hello, world");
  const example = exampleBytes("### The same with a large payload", "## Trade-offs");
  const engine = machineWith(example).open({ streamBytesMin: 11, sliceBytes: 5 });
  check.same([engine.recovery.damaged, engine.recovery.tornBytes], [0, 0], "the large example is whole");
  const held = outcomeText(read(engine, nameOf("cart/17")));
  check.equal(held, `found ${textOf(setOf({ counter: 1, payload }))}`, "the large example");
}

/** Every record of a file in turn, of a newer version and of an unknown kind. */
function refuseNewerRecords(check: Check): number {
  const file = new SampleLog().file();
  let records = 0;
  for (const start of recordStarts(file)) {
    for (const [at, value] of [[8, NEWER], [9, 77]]) {
      const bytes = file.slice();
      bytes[start + at] = value;
      writeU32(bytes, start + 4, crc32c(bytes, start + 8, start + HEADER_BYTES));
      const machine = machineWith(bytes);
      const sentence = thrownBy(() => machine.open());
      const wanted = `Cannot open ${FILE}: record at ${start} `;
      check.ok(sentence.startsWith(wanted), `${sentence}, wanted ${wanted}`);
      check.same(machine.disk.contents(FILE), bytes, "nothing is changed");
      records++;
    }
  }
  return records;
}

function refuseNewerActor(check: Check): void {
  const machine = new Machine(1);
  const start = () =>
    openActor({ disk: machine.disk.mount(), bootId: "boot", fill: () => undefined, isKept: true });
  start();
  const bytes = machine.disk.contents(ACTOR_FILE);
  bytes[8] = NEWER;
  writeU32(bytes, bytes.length - 4, crc32c(bytes, 0, bytes.length - 4));
  machine.disk.setContents(ACTOR_FILE, bytes);
  const sentence = thrownBy(start);
  check.ok(/has format 2, this program knows up to 1/.test(sentence), sentence);
  check.same(machine.disk.contents(ACTOR_FILE), bytes, "the actor's file is not changed");
}

function refuseNewerState(check: Check): void {
  const machine = new Machine(1);
  const disk = machine.disk.mount();
  saveDocument(disk, STATE_FILE, { ring: [1, 2, 3] });
  check.same(loadDocument(disk, STATE_FILE), { ring: [1, 2, 3] }, "a document is read as written");
  const bytes = machine.disk.contents(STATE_FILE);
  bytes[4] = NEWER;
  machine.disk.setContents(STATE_FILE, bytes);
  const sentence = thrownBy(() => loadDocument(disk, STATE_FILE));
  check.ok(/is of format 2, this version reads up to 1/.test(sentence), sentence);
}

/** The message of what a call throws; "" where it throws nothing. */
function thrownBy(run: () => unknown): string {
  try {
    run();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
