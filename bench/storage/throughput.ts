/**
 * How many puts and gets does one engine take on one core, with no network before it?
 *
 *   put, new names       a turn of so many writes, each answered when it is handed over (DW=0); a sync
 *                        every 100 ms, as a node does it
 *   put over what is     head read, then written: what a replica does with each finished set
 *   get from the log     names drawn from all: nearly each costs a pread from the page cache
 *   get from the buffer  names drawn from 10,000, which the object buffer holds
 *   durable put          64 in flight, each answered by the sync that covers its write (DW=1)
 *
 *   the disk alone       as many bytes as 64 records have, written and synced: what no engine can pass
 *   the machine alone    multiplications and random reads (yardstick.ts): runs in which they differ are not
 *                        to be compared
 *
 * A million objects: names of 22 bytes (a bucket, a 16-byte key), values of 100, one version and a clock
 * of one entry. The engine is opened on the disk as a node opens it. Each operation makes its name, MD5
 * included, as a request does. "cores": processor seconds a second of the whole process; beyond 1 it
 * is the runtime's collector and the threads that sync.
 *
 * Beside it, where they are installed, redis-server and redis-benchmark in the same rounds: SET and GET of
 * 100 bytes under a million keys of 16. Redis has a socket and a protocol in between and the engine has
 * not, so the figures say what a server on this engine could reach, not who is faster.
 *
 *   bun bench/storage/throughput.ts     --rounds 3   --objects 1000000   --only engine   --smoke
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ObjectName } from "../../core/object-name.ts";
import { versionOffset } from "../../core/version-set.ts";
import { writeU32 } from "../../core/bytes.ts";
import { systemClock } from "../../server/ports/clock.ts";
import { openDataDirectory } from "../../server/ports/disk.ts";
import type { Disk } from "../../storage/disk.ts";
import { smallBytes } from "../../storage/large-payload.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { type LogEngine, openLogEngine } from "../../storage/log/log-engine.ts";
import { SeededRandom } from "../../test/random.ts";
import { OPTIONS } from "../../test/storage/engine-beds.ts";
import { LABELS, payloadOf, setOf } from "../../test/storage/sets.ts";
import { Children, findProgram } from "../children.ts";
import { FIRST_KEY, writeKey } from "../load/key.ts";
import { medianOf } from "../median.ts";
import { startRedis } from "../peers/redis.ts";
import { wholeNumber } from "../report.ts";
import { measureMachine } from "../yardstick.ts";

const VALUE_BYTES = 100;
const DOT_COUNTER_OFFSET = 8;
/** Sets that are written in turn; the counter of each write's dot is its own. */
const SETS = 256;
const HOT_NAMES = 10_000;
const BUFFER_BYTES = 16 << 20;
const SYNC_EVERY_MS = 100;
const IN_FLIGHT = [1, 16, 64];
const WRITERS = 64;
const BUCKET = "bench/";
/** Header, name, head, table, value. */
const RECORD_BYTES = 290;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    objects: { type: "string", default: "1000000" },
    only: { type: "string", default: "" },
    smoke: { type: "boolean", default: false },
  },
});
const objects = values.smoke ? 2_000 : Number(values.objects);
const rounds = values.smoke ? 1 : Number(values.rounds);
const random = new SeededRandom(1);
const sets = Array.from({ length: SETS }, (_, index) => {
  return setOf({ counter: 1, payload: payloadOf(index, VALUE_BYTES) });
});
const nameBytes = new TextEncoder().encode(BUCKET + FIRST_KEY);
let counter = 0;
let checksum = 0;

/** What was measured of one row, a figure a round. */
interface Row {
  readonly perSecond: number[];
  readonly cores: number[];
}
const rows = new Map<string, Row>();

console.log("How many puts and gets does one engine take on one core, with no network before it?\n");
const isPeerAsked = !values.smoke && values.only === "" && findProgram("redis-benchmark") !== "";
for (let round = 0; round < rounds; round++) {
  runMachine();
  await runEngine();
  if (isPeerAsked) await runRedis();
}
print();

function runMachine(): void {
  const { stepsPerSecond, readsPerSecond, checksum: made } = measureMachine();
  checksum = (checksum + made) | 0;
  note("the machine alone, multiplications", stepsPerSecond, NaN);
  note("the machine alone, random reads", readsPerSecond, NaN);
}

async function runEngine(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "halo-bench-"));
  const data = openDataDirectory(folder);
  try {
    await fill(data.disk);
    await use(data.disk);
    await probe(data.disk);
  } finally {
    data.release();
    rmSync(folder, { recursive: true });
  }
}

/** New names, in three parts: 1, 16 and 64 in flight. */
async function fill(disk: Disk): Promise<void> {
  const engine = open(disk);
  const syncing = setInterval(() => {
    if (engine.unsynced) engine.sync(() => {});
  }, SYNC_EVERY_MS);
  let next = 0;
  const part = Math.floor(objects / IN_FLIGHT.length);
  for (const inFlight of IN_FLIGHT) {
    const count = inFlight === WRITERS ? objects - next : part;
    await measure(`put, new names, ${inFlight} in flight`, count, inFlight, (done) => {
      write(engine, nameAt(next++));
      engine.handedOver(done);
    });
  }
  clearInterval(syncing);
  await close(engine);
}

/** What there is, after a start. */
async function use(disk: Disk): Promise<void> {
  const engine = open(disk);
  const syncing = setInterval(() => {
    if (engine.unsynced) engine.sync(() => {});
  }, SYNC_EVERY_MS);
  const get = (name: ObjectName, done: () => void): void => {
    engine.read(name, (outcome) => {
      if (outcome.status !== "found") throw new Error(`read is ${outcome.status}`);
      checksum = (checksum + (smallBytes(outcome.set.payloads[0])?.[0] ?? 0)) | 0;
      done();
    });
  };
  const anyName = (): ObjectName => nameAt(random.below(objects));
  await measure("get from the log", objects, WRITERS, (done) => get(anyName(), done));
  const hot = Math.min(HOT_NAMES, objects);
  for (let index = 0; index < hot; index++) get(nameAt(index), () => {});
  const hotName = (): ObjectName => nameAt(random.below(hot));
  await measure("get from the buffer", objects, WRITERS, (done) => get(hotName(), done));
  await measure("put over what is", objects / 2, WRITERS, (done) => {
    const name = anyName();
    const held = engine.readHead(name);
    checksum = (checksum + held.status.length) | 0;
    write(engine, name);
    engine.handedOver(done);
  });
  clearInterval(syncing);
  let next = objects;
  await measure("durable put", objects / 4, WRITERS, (done) => {
    write(engine, nameAt(next++));
    engine.sync(done);
  }, writers);
  await close(engine);
}

/** Writes and syncs of 64 records' bytes in a file whose blocks exist, one after the other. */
async function probe(disk: Disk): Promise<void> {
  const bytes = new Uint8Array(WRITERS * RECORD_BYTES).fill(1);
  const count = Math.floor(objects / 4 / WRITERS);
  const file = disk.open("probe", { create: true });
  await new Promise((done) => file.preallocate(0, bytes.length * count, done));
  const began = performance.now();
  for (let turn = 0; turn < count; turn++) {
    file.write(bytes, 0, bytes.length, turn * bytes.length);
    await new Promise((done) => file.sync(done));
  }
  note("durable, the disk alone", (count * WRITERS * 1000) / (performance.now() - began), NaN);
  file.close();
}

function open(disk: Disk): LogEngine {
  let opened: LogEngine | null = null;
  let problem = "";
  const soon = (callback: () => void): void => systemClock.soon(callback);
  const options = { ...OPTIONS, partitionBits: 10, bufferBytes: BUFFER_BYTES, soon };
  openLogEngine(disk, { ...options, freeBytesMin: 256 << 20 }, (engine, error) => {
    opened = engine;
    problem = error;
  });
  if (opened === null) throw new Error(problem);
  return opened;
}

function close(engine: LogEngine): Promise<void> {
  return new Promise((done) => engine.close(done));
}

function nameAt(index: number): ObjectName {
  const bytes = nameBytes.slice();
  writeKey(bytes, BUCKET.length, index);
  return new ObjectName(bytes);
}

function write(engine: LogEngine, name: ObjectName): void {
  const set: VersionSet = sets[counter % SETS];
  writeU32(set.head, versionOffset(0, 0) + DOT_COUNTER_OFFSET, ++counter);
  const { status } = engine.write(name, set, LABELS);
  if (status !== "done") throw new Error(`write is ${status}`);
}

type Load = (count: number, inFlight: number, work: (done: () => void) => void) => Promise<void>;

async function measure(
  title: string,
  count: number,
  inFlight: number,
  work: (done: () => void) => void,
  load: Load = turns,
): Promise<void> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await load(Math.floor(count), inFlight, work);
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  note(title, (count * 1000) / ms, (user + system) / 1000 / ms);
}

/** Runs a work so often, so many in a turn; the next turn begins when all of one are answered. */
function turns(count: number, inFlight: number, work: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let answered = 0;
    let issued = 0;
    const turn = (): void => {
      const until = Math.min(count, issued + inFlight);
      while (issued < until) {
        issued++;
        work(done);
      }
    };
    const done = (): void => {
      if (++answered === count) resolve();
      else if (answered % inFlight === 0) systemClock.soon(turn);
    };
    turn();
  });
}

/** Runs a work so often by so many who each go on as soon as they are answered. */
function writers(count: number, inFlight: number, work: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let answered = 0;
    let issued = 0;
    const next = (): void => {
      if (issued === count) return;
      issued++;
      work(done);
    };
    const done = (): void => {
      if (++answered === count) resolve();
      else next();
    };
    for (let writer = 0; writer < inFlight; writer++) next();
  });
}

function note(title: string, perSecond: number, cores: number): void {
  const row = rows.get(title) ?? { perSecond: [], cores: [] };
  rows.set(title, row);
  row.perSecond.push(perSecond);
  row.cores.push(cores);
}

async function runRedis(): Promise<void> {
  const children = new Children(tmpdir());
  try {
    for (const appendfsync of ["everysec", "always"] as const) {
      const redis = await startRedis(children, appendfsync);
      if (redis === null) return;
      const [port] = redis.ports;
      const name = `Redis ${appendfsync}`;
      if (appendfsync === "everysec") {
        for (const pipeline of [1, 16]) {
          const count = pipeline === 1 ? 300_000 : objects;
          await ask(port, "set", 32, pipeline, count, `${name}, SET, 32 × ${pipeline} in flight`);
          await ask(port, "get", 32, pipeline, count, `${name}, GET, 32 × ${pipeline} in flight`);
        }
      } else await ask(port, "set", WRITERS, 1, 200_000, `${name}, SET, ${WRITERS} × 1 in flight`);
      await Promise.all(redis.children.map((child) => child.kill()));
    }
  } finally {
    await children.end();
  }
}

/** One run of redis-benchmark; its line is `"SET","123456.78",…`. */
async function ask(
  port: number,
  test: string,
  connections: number,
  pipeline: number,
  count: number,
  title: string,
): Promise<void> {
  const load = ["-c", connections, "-P", pipeline, "-n", count, "-r", objects, "-d", VALUE_BYTES];
  const words = ["-p", port, "-t", test, "--csv", ...load].map(String);
  const child = spawn("redis-benchmark", words, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (bytes) => {
    output += String(bytes);
  });
  await new Promise((closed) => child.on("close", closed));
  const found = /^"(?:SET|GET)","([0-9.]+)"/m.exec(output);
  if (found !== null) note(title, Number(found[1]), NaN);
}

function print(): void {
  console.log(`${"".padEnd(40)}${"median/s".padStart(11)}${"cores".padStart(8)}   rounds, k/s`);
  for (const [title, { perSecond, cores }] of rows) {
    const share = Number.isNaN(cores[0]) ? "" : medianOf(cores).toFixed(2);
    const each = perSecond.map((figure) => (figure / 1000).toFixed(0)).join(" ");
    const median = wholeNumber(medianOf(perSecond));
    console.log(`${title.padEnd(40)}${median.padStart(11)}${share.padStart(8)}   ${each}`);
  }
  if (!isPeerAsked) console.log("Redis: not asked, or not installed");
  console.log(`checksum ${checksum >>> 0}`);
}
