/**
 * Damaged bytes of a log (B4): every bit turned over, one at a time; one or two bytes changed at random
 * with checksums that fit again, as if the parser checked none. Never a wrong value, never a crash, always
 * a report, never more lost than was hit.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import type { LogEngine } from "../../storage/log/log-engine.ts";
import {
  HEADER_BYTES,
  KIND_BODY,
  KIND_NOTE,
  KIND_OBJECT,
  RecordHeader,
  tableEnd,
} from "../../storage/log/record.ts";
import { SeededRandom } from "../random.ts";
import { LABELS, outcomeText, read, textOf } from "../storage/sets.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";
import { FILE, machineWith, NAMES, one, readAll, recordStarts, SampleLog } from "./sample-log.ts";

/** Of the content checksum in a header. */
const CHECKSUM_AT = 68;
/** Nor is memory taken for bytes that the file does not have, beyond this. */
const READ_BYTES_MAX = 1 << 20;
/** No opening of a damaged file takes longer: it is read once. */
const OPEN_MS_MAX = 1_000;

/** Turns bits over, one at a time, in files of other bytes until so many were. @param every each so manieth bit */
export function flips(check: Check, seed: number, most: number, every: number): Counts {
  const counts = { files: 0, flips: 0, told: 0 };
  while (counts.flips < most) {
    const log = new SampleLog(seed + 10 * counts.files++);
    const file = log.file();
    const wanted = readAll(machineWith(file).open());
    const machine = machineWith(file);
    for (let bit = counts.files % every; bit < file.length * 8; bit += every) {
      if (counts.flips === most) break;
      counts.flips++;
      machine.disk.setContents(FILE, file);
      machine.disk.flip(FILE, bit);
      const engine = machine.open();
      if (judgeFlip(check, log, file, engine, wanted, bit)) counts.told++;
    }
  }
  check.ok(counts.told > counts.flips / 2, `${counts.told} of ${counts.flips} flips told`);
  return counts;
}

/** Whether the flip was told. */
function judgeFlip(
  check: Check,
  log: SampleLog,
  file: Uint8Array,
  engine: LogEngine,
  wanted: readonly string[],
  bit: number,
): boolean {
  judge(engine, log, wanted, check, `bit ${bit}`);
  const torn = engine.recovery.tornBytes;
  const isTold = engine.stats().damaged > 0 || torn > 0;
  if (!isTold && !isUnread(file, bit >> 3)) check.ok(false, `bit ${bit}: nothing is told`);
  if (torn > HEADER_BYTES) check.ok(false, `bit ${bit}: ${torn} bytes cut for one bit`);
  engine.write(one, log.two, LABELS);
  const after = outcomeText(read(engine, one));
  if (after !== `found ${textOf(log.two)}`) check.ok(false, `bit ${bit}: a write reads ${after}`);
  return isTold;
}

/**
 * Every read is right, or told as damaged, or (where names were lost) a state of the name before.
 */
function judge(
  engine: LogEngine,
  log: SampleLog,
  wanted: readonly string[],
  check: Check,
  say: string,
): void {
  const isPartial = engine.lostNames > 0;
  readAll(engine).forEach((text, index) => {
    const isAllowed = text === wanted[index] || text === "damaged" ||
      (isPartial && log.history[index].includes(text));
    if (!isAllowed) check.ok(false, `${say}: ${NAMES[index].bytes} reads ${text}`);
  });
}

/** Whether the byte belongs to content that no read needs any more. */
function isUnread(file: Uint8Array, at: number): boolean {
  const starts = recordStarts(file);
  const index = starts.findLastIndex((start) => start <= at);
  const kind = file[starts[index] + 9];
  if (at < starts[index] + HEADER_BYTES) return false;
  // The name in a body record serves tools; reads come by the object's record.
  if (kind === KIND_BODY) return at < starts[index] + HEADER_BYTES + 5;
  // After the segment's own: two, gone, one, dead, remove, note; of these only `one` is still current.
  return kind === KIND_NOTE || (index >= 1 && index <= 5 && index !== 3);
}

/**
 * Changes one or two bytes of a header (two times of three) or of a record's content, and makes the
 * record's own checksums fit. A value whose header lies may be lost; none is ever another one.
 */
export function rewrites(check: Check, seed: number, rounds: number): Counts {
  const random = new SeededRandom(seed + 16);
  const log = new SampleLog();
  const file = log.file();
  const starts = recordStarts(file);
  const machine = machineWith(file);
  let slowestMs = 0;
  for (let round = 0; round < rounds; round++) {
    const damaged = file.slice();
    const start = starts[random.below(starts.length)];
    const inHeader = random.chance(2, 3);
    if (inHeader) scribble(damaged, start + 10, start + HEADER_BYTES, random);
    else scribble(damaged, start + HEADER_BYTES, start + readU32(file, start + 12), random);
    refit(damaged, start, inHeader);
    machine.disk.setContents(FILE, damaged);
    const say = `SEED=${seed} round ${round}, record at ${start}`;
    const began = performance.now();
    const engine = machine.open();
    const texts = readAll(engine);
    slowestMs = Math.max(slowestMs, performance.now() - began);
    if (inHeader) judgeLive(texts, log, check, say);
    const { status } = engine.write(one, log.two, LABELS);
    check.equal(status, "done", `${say}: goes on`);
  }
  const { readBytesMax } = machine.disk;
  check.ok(readBytesMax <= READ_BYTES_MAX, `a read asked for ${readBytesMax} bytes of ${file.length}`);
  check.ok(slowestMs < OPEN_MS_MAX, `the slowest start took ${slowestMs} ms`);
  return { damages: rounds };
}

/** Writes one or two bytes between two places; none where there is no room. */
function scribble(bytes: Uint8Array, start: number, end: number, random: SeededRandom): void {
  for (let count = 1 + random.below(2); count > 0 && end > start; count--) {
    bytes[start + random.below(end - start)] = random.below(256);
  }
}

/** Makes the checksums of a record fit what it says now. */
function refit(bytes: Uint8Array, start: number, inHeader: boolean): void {
  const header = new RecordHeader();
  header.decode(bytes, start, 1, start);
  const end = contentEnd(header, bytes, start);
  if (!inHeader && end > 0) {
    writeU32(bytes, start + CHECKSUM_AT, crc32c(bytes, start + HEADER_BYTES, start + end));
  }
  writeU32(bytes, start + 4, crc32c(bytes, start + 8, start + HEADER_BYTES));
}

/** Up to where its content checksum speaks of a record, from its start; 0: of nothing. */
function contentEnd(header: RecordHeader, bytes: Uint8Array, start: number): number {
  if (header.kind === KIND_NOTE) return header.length;
  return header.kind === KIND_OBJECT ? tableEnd(header, bytes, start) : 0;
}

/** Without a report nothing but states that were. */
export function judgeLive(
  texts: readonly string[],
  log: SampleLog,
  check: Check,
  say: string,
): void {
  texts.forEach((text, index) => {
    check.ok(text === "damaged" || log.history[index].includes(text), `${say}: reads ${text}`);
  });
}
