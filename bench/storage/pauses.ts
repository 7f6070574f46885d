/**
 * What is the longest that one write takes while a store grows, and what is it made of?
 *
 *   write   │ find, stage, index, buffer │          in turns of 64; a sync every 256 turns
 *   gap     └ hand-over, snapshot, files ┘          from a turn's last write to the next turn's first
 *
 * Objects of 100 bytes go into an empty store, ten millions by default. Each write is timed, and in it
 * each call of the disk; what is left of a long one is the index, the collector, and the machine's other
 * work. The same number of entries goes into an index alone: what its growing takes, with no disk and
 * next to no garbage. A histogram says how rare the long ones are.
 *
 *   bun bench/storage/pauses.ts     --objects 10000000   --smoke
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeU32 } from "../../core/bytes.ts";
import { ObjectName } from "../../core/object-name.ts";
import { versionOffset } from "../../core/version-set.ts";
import { systemClock } from "../../server/ports/clock.ts";
import { openDataDirectory } from "../../server/ports/disk.ts";
import type { Disk, DiskError, DiskFile } from "../../storage/disk.ts";
import { type LogEngine, openLogEngine } from "../../storage/log/log-engine.ts";
import { PositionIndex } from "../../storage/position-index.ts";
import { SeededRandom } from "../../test/random.ts";
import { OPTIONS } from "../../test/storage/engine-beds.ts";
import { LABELS, payloadOf, setOf } from "../../test/storage/sets.ts";
import { FIRST_KEY, writeKey } from "../load/key.ts";

const WRITES_A_TURN = 64;
const SYNC_EVERY_TURNS = 256;
const PARTITION_BITS = 10;
const BUCKET = "bench/";
/** Times are counted by powers of two of a sixteenth of a microsecond. */
const BUCKETS = 24;
const LISTED = 5;
const DOT_COUNTER_OFFSET = 8;

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "10000000" },
    smoke: { type: "boolean", default: false },
  },
});
const objects = values.smoke ? 2_048 : Number(values.objects);

/** Times of one kind: how many of each length, and the longest with what they were made of. */
class Times {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #longest: { ms: number; parts: string }[] = [];

  take(ms: number, parts: () => string): void {
    this.#counts[Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log2(ms * 16_000))))]++;
    const least = this.#longest[LISTED - 1]?.ms ?? 0;
    if (ms <= least) return;
    this.#longest.push({ ms, parts: parts() });
    this.#longest.sort((left, right) => right.ms - left.ms);
    this.#longest.length = Math.min(LISTED, this.#longest.length);
  }

  print(title: string): void {
    const worst = this.#longest[0]?.ms ?? 0;
    const rare = [0.99, 0.9999].map((share) => `p${share * 100} ≤ ${this.#quantile(share)}`);
    console.log(`${title.padEnd(12)}${rare.join(", ")}, longest ${worst.toFixed(2)} ms`);
    for (const { ms, parts } of this.#longest) {
      if (parts !== "") console.log(`${"".padEnd(12)}${ms.toFixed(2)} ms: ${parts}`);
    }
  }

  #quantile(share: number): string {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    let bucket = 0;
    while (bucket < BUCKETS - 1 && seen + this.#counts[bucket] < share * total) {
      seen += this.#counts[bucket++];
    }
    return `${((2 ** bucket) / 16_000).toFixed(3)} ms`;
  }
}

/** The disk of the machine, and what its calls took since the parts were last asked for. */
class TimedDisk implements Disk {
  readonly #disk: Disk;
  readonly #parts = new Map<string, number>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  clear(): void {
    this.#parts.clear();
  }

  /** What took a tenth of a millisecond or more, and what is left of `ms`. */
  partsOf(ms: number): string {
    let rest = ms;
    for (const part of this.#parts.values()) rest -= part;
    const told = [...this.#parts, ["the rest", rest] as const].filter(([, part]) => part >= 0.1);
    return told.map(([name, part]) => `${name} ${part.toFixed(2)}`).join(", ");
  }

  time<Result>(name: string, call: () => Result): Result {
    const began = performance.now();
    try {
      return call();
    } finally {
      this.#parts.set(name, (this.#parts.get(name) ?? 0) + performance.now() - began);
    }
  }

  open(path: string, options?: { create?: boolean }): DiskFile {
    return new TimedFile(this, this.time("open", () => this.#disk.open(path, options)));
  }
  list(folder: string): string[] {
    return this.#disk.list(folder);
  }
  exists(path: string): boolean {
    return this.time("exists", () => this.#disk.exists(path));
  }
  makeFolder(path: string): void {
    this.#disk.makeFolder(path);
  }
  remove(path: string): void {
    this.time("remove", () => this.#disk.remove(path));
  }
  rename(source: string, target: string): void {
    this.time("rename", () => this.#disk.rename(source, target));
  }
  syncFolder(folder: string): void {
    this.time("sync of the folder", () => this.#disk.syncFolder(folder));
  }
  freeBytes(): number {
    return this.time("free bytes", () => this.#disk.freeBytes());
  }
}

class TimedFile implements DiskFile {
  readonly path: string;
  readonly #disk: TimedDisk;
  readonly #file: DiskFile;

  constructor(disk: TimedDisk, file: DiskFile) {
    this.path = file.path;
    this.#disk = disk;
    this.#file = file;
  }

  size(): number {
    return this.#disk.time("size", () => this.#file.size());
  }
  write(source: Uint8Array, start: number, end: number, position: number): void {
    this.#disk.time("write", () => this.#file.write(source, start, end, position));
  }
  read(target: Uint8Array, start: number, end: number, position: number): number {
    return this.#disk.time("read", () => this.#file.read(target, start, end, position));
  }
  sync(done: (error: DiskError | null) => void): void {
    this.#file.sync(done);
  }
  syncNow(): void {
    this.#disk.time("sync, waiting", () => this.#file.syncNow());
  }
  truncate(size: number): void {
    this.#disk.time("truncate", () => this.#file.truncate(size));
  }
  preallocate(from: number, to: number, done: (error: DiskError | null) => void): void {
    this.#file.preallocate(from, to, done);
  }
  close(): void {
    this.#disk.time("close", () => this.#file.close());
  }
}

console.log("What is the longest that one write takes while a store grows, and what is it made of?\n");
measureIndex();
await measureEngine();

function measureIndex(): void {
  const random = new SeededRandom(1);
  const index = new PositionIndex(PARTITION_BITS, OPTIONS.treeKey);
  const times = new Times();
  for (let count = 1; count <= objects; count++) {
    const position0 = random.uint32();
    const began = performance.now();
    index.insert(position0, count, count, count, position0, 1, count, 300);
    times.take(performance.now() - began, () => "");
  }
  times.print("index alone");
}

async function measureEngine(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "halo-bench-"));
  const data = openDataDirectory(folder);
  const disk = new TimedDisk(data.disk);
  try {
    const engine = open(disk);
    const [writes, gaps] = [new Times(), new Times()];
    await fill(engine, disk, writes, gaps);
    writes.print("one write");
    gaps.print("a gap");
    console.log(`checksum ${engine.stats().objects}`);
    await new Promise<void>((done) => engine.close(done));
  } finally {
    data.release();
    rmSync(folder, { recursive: true });
  }
}

function open(disk: Disk): LogEngine {
  let opened: LogEngine | null = null;
  let problem = "";
  const soon = (callback: () => void): void => systemClock.soon(callback);
  const options = { ...OPTIONS, partitionBits: PARTITION_BITS, bufferBytes: 16 << 20, soon };
  openLogEngine(disk, { ...options, freeBytesMin: 256 << 20 }, (engine, error) => {
    opened = engine;
    problem = error;
  });
  if (opened === null) throw new Error(problem);
  return opened;
}

function fill(engine: LogEngine, disk: TimedDisk, writes: Times, gaps: Times): Promise<void> {
  const set = setOf({ counter: 1, payload: payloadOf(1, 100) });
  const nameBytes = new TextEncoder().encode(BUCKET + FIRST_KEY);
  let next = 0;
  let endedMs = performance.now();
  const write = (): void => {
    const bytes = nameBytes.slice();
    writeKey(bytes, BUCKET.length, next++);
    const name = new ObjectName(bytes);
    writeU32(set.head, versionOffset(0, 0) + DOT_COUNTER_OFFSET, next);
    disk.clear();
    const began = performance.now();
    const { status } = engine.write(name, set, LABELS);
    const ms = performance.now() - began;
    writes.take(ms, () => disk.partsOf(ms));
    if (status !== "done") throw new Error(`write is ${status}`);
  };
  return new Promise((resolve) => {
    const turn = (isAfterSync: boolean): void => {
      const gapMs = performance.now() - endedMs;
      // A sync is waited for on purpose.
      if (!isAfterSync) gaps.take(gapMs, () => disk.partsOf(gapMs));
      for (let index = 0; index < WRITES_A_TURN && next < objects; index++) write();
      disk.clear();
      endedMs = performance.now();
      if (next >= objects) engine.sync(() => resolve());
      else if ((next / WRITES_A_TURN) % SYNC_EVERY_TURNS === 0) engine.sync(() => turn(true));
      else systemClock.soon(() => turn(false));
    };
    turn(true);
  });
}
