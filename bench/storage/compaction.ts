/**
 * What does a write wait for while a half-dead store is compacted?
 *
 * 5,000 writes a second of 100 bytes go to a store of 600,000 objects, in which as many records are dead
 * as live: first without compaction, then with it, then without again (on what it left), so that drift
 * of the machine shows. Open loop: a latency counts from when the write was due, not from when it was
 * its turn, or a stall would hide all writes that it kept waiting. Two latencies of each write: until
 * the kernel has it (DW=0), and until a sync has covered it (DW=1).
 *
 *   bun bench/storage/compaction.ts          --seconds 7 (each)   --objects 600000   --smoke
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Background } from "../../server/admission/background.ts";
import { LatencyWindow } from "../../server/admission/latency-window.ts";
import { systemClock } from "../../server/ports/clock.ts";
import { openDataDirectory } from "../../server/ports/disk.ts";
import type { Disk } from "../../storage/disk.ts";
import type { CompactionOptions } from "../../storage/log/compaction.ts";
import { type LogEngine, openLogEngine } from "../../storage/log/log-engine.ts";
import { SeededRandom } from "../../test/random.ts";
import { OPTIONS } from "../../test/storage/engine-beds.ts";
import { LABELS, nameOf, payloadOf, setOf } from "../../test/storage/sets.ts";
import { Histogram } from "../../server/cli/histogram.ts";

/** Slow requests do not hold it back: those of this process are not noted. */
const background = new Background(systemClock, new LatencyWindow(systemClock), Infinity);

const WRITES_PER_SECOND = 5_000;
const VALUE_BYTES = 100;
const SEGMENT_BYTES = 16 << 20;
/** The store's own, until the writes are measured. */
const WARM_UP_SECONDS = 1;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "7" },
    objects: { type: "string", default: "600000" },
    smoke: { type: "boolean", default: false },
  },
});
const seconds = values.smoke ? 0.2 : Number(values.seconds);
const objects = values.smoke ? 2_000 : Number(values.objects);
const random = new SeededRandom(1);
let counter = 0;

const folder = mkdtempSync(join(tmpdir(), "halo-bench-"));
const data = openDataDirectory(folder);
try {
  await answer(data.disk);
} finally {
  data.release();
  rmSync(folder, { recursive: true });
}

async function answer(disk: Disk): Promise<void> {
  await fill(disk);
  console.log("What does a write wait for while a half-dead store is compacted?\n");
  console.log("                     handed over, ms         durable, ms             compaction");
  console.log("                     p50    p99    p99.9     p50    p99    p99.9     moved, freed");
  await measure(disk, "without", false);
  await measure(disk, "with", true);
  await measure(disk, "without again", false);
}

/** As many dead records as live ones, spread over all segments. */
async function fill(disk: Disk): Promise<void> {
  const engine = open(disk, false);
  for (let index = 0; index < objects; index++) writeTo(engine, index);
  for (let index = 0; index < objects; index++) {
    writeTo(engine, random.below(objects));
    if (index % 20_000 === 0) await new Promise<void>((done) => engine.sync(() => done()));
  }
  await new Promise<void>((done) => engine.close(done));
}

function writeTo(engine: LogEngine, index: number): void {
  const set = setOf({ counter: ++counter, payload: payloadOf(counter, VALUE_BYTES) });
  const { status } = engine.write(nameOf(`bench/${index}`), set, LABELS);
  if (status !== "done") throw new Error(`write is ${status}`);
}

function open(disk: Disk, isCompacting: boolean): LogEngine {
  const compaction: CompactionOptions = {
    clock: systemClock,
    pacer: { after: (bytes, step) => background.after("compaction", bytes, step) },
    told: (trouble) => console.log(trouble),
    deadRatioMin: 0.3,
    coldMs: 0,
  };
  let opened: LogEngine | null = null;
  let problem = "";
  const soon = (callback: () => void): void => systemClock.soon(callback);
  const log = { ...OPTIONS, partitionBits: 10, segmentBytes: SEGMENT_BYTES, soon };
  openLogEngine(disk, isCompacting ? { ...log, compaction } : log, (engine, error) => {
    opened = engine;
    problem = error;
  });
  if (opened === null) throw new Error(problem);
  return opened;
}

async function measure(disk: Disk, title: string, isCompacting: boolean): Promise<void> {
  const engine = open(disk, isCompacting);
  await load(engine, values.smoke ? 0.1 : WARM_UP_SECONDS, new Histogram(), new Histogram());
  const handed = new Histogram();
  const durable = new Histogram();
  await load(engine, seconds, handed, durable);
  const { bytesMoved, bytesFreed, liveBytes, totalBytes } = engine.stats();
  const moved = `${mebibytes(bytesMoved)}, ${mebibytes(bytesFreed)} MiB`;
  const left = `${mebibytes(liveBytes)} of ${mebibytes(totalBytes)} MiB live`;
  console.log(`${title.padEnd(18)}${row(handed)}  ${row(durable)}     ${moved}; ${left}`);
  await new Promise<void>((done) => engine.close(done));
}

/** Writes at the rate, each at its time or as soon after it as the loop comes round. */
function load(
  engine: LogEngine,
  duration: number,
  handed: Histogram,
  durable: Histogram,
): Promise<void> {
  const start = systemClock.elapsedMs();
  const count = Math.floor(duration * WRITES_PER_SECOND);
  let issued = 0;
  let answered = 0;
  return new Promise((done) => {
    const issue = (): void => {
      const now = systemClock.elapsedMs();
      for (; issued < count; issued++) {
        const dueMs = start + (issued * 1000) / WRITES_PER_SECOND;
        if (dueMs > now) break;
        writeTo(engine, random.below(objects));
        engine.handedOver(() => handed.record(systemClock.elapsedMs() - dueMs));
        engine.sync(() => {
          durable.record(systemClock.elapsedMs() - dueMs);
          if (++answered === count) done();
        });
      }
      if (issued < count) setImmediate(issue);
    };
    issue();
  });
}

function row(latencies: Histogram): string {
  const shares = [0.5, 0.99, 0.999];
  return shares.map((share) => latencies.quantileMs(share).toFixed(2).padStart(7)).join("");
}

function mebibytes(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(0);
}
