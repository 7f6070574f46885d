/**
 * How long does a start take, and what does an object cost in memory?
 *
 *   bun bench/storage/start.ts [--objects 1000000] [--folder FOLDER]
 *
 *   fill ──▶ kill -9 ──▶ start, stop ──▶ start ──▶ snapshot removed ──▶ start
 *            after a kill       clean        the whole log is read
 *
 * Objects of 100 bytes, each step in a process of its own, with the log engine alone. Files come
 * from the page cache: a cold disk adds the time it takes to read the bytes that are told. The fill
 * tells the longest that one write took, and the longest time between a turn's writes and the next
 * turn's, while the index grew, segments rolled and snapshots were taken; garbage collection and
 * the disk are in it.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeU32 } from "../../core/bytes.ts";
import { merkleKey } from "../../core/merkle-digest.ts";
import { ObjectName } from "../../core/object-name.ts";
import { versionOffset } from "../../core/version-set.ts";
import { systemClock } from "../../server/ports/clock.ts";
import { openDataDirectory } from "../../server/ports/disk.ts";
import { type LogEngine, openLogEngine } from "../../storage/log/log-engine.ts";
import { payloadOf, setOf } from "../../test/storage/sets.ts";

const WRITES_A_TURN = 64;
const SYNC_EVERY_TURNS = 256;
/** Below this many objects the index's fixed costs weigh. */
const COUNTED_FROM = 200_000;

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "1000000" },
    folder: { type: "string", default: "" },
    step: { type: "string", default: "" },
  },
});
const objects = Number(values.objects);

if (values.step === "fill") fill();
else if (values.step === "start") start();
else await all();

async function all(): Promise<void> {
  const parent = values.folder === "" ? tmpdir() : values.folder;
  const folder = mkdtempSync(`${parent}/halo-start-`);
  console.log(`${objects} objects of 100 bytes, Bun ${process.versions.bun ?? "-"}`);
  try {
    console.log(`fill                 ${await step(folder, "fill")}`);
    console.log(`start after kill -9  ${await step(folder, "start")}`);
    console.log(`start after a stop   ${await step(folder, "start")}`);
    const snapshot = `${folder}/objects/index.snapshot`;
    if (existsSync(snapshot)) rmSync(snapshot);
    console.log(`start without one    ${await step(folder, "start")}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a step in a process of its own, which is killed when it has told its result. */
function step(folder: string, name: string): Promise<string> {
  const file = fileURLToPath(import.meta.url);
  const options = [file, "--step", name, "--folder", folder, "--objects", String(objects)];
  const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout.on("data", (bytes) => {
      output += String(bytes);
      if (output.endsWith("\n")) child.kill("SIGKILL");
    });
    child.on("close", () => {
      if (output === "") reject(new Error(`The step ${name} told nothing`));
      else resolve(output.trim());
    });
  });
}

function open(): LogEngine {
  const { disk } = openDataDirectory(values.folder);
  const options = {
    folder: "objects",
    partitionBits: 6,
    treeKey: merkleKey(new Uint8Array(16)),
    freeBytesMin: 0,
    totalBytesMax: 0,
    soon: systemClock.soon,
  };
  let opened: LogEngine | null = null;
  openLogEngine(disk, options, (engine, error) => {
    if (engine === null) throw new Error(error);
    opened = engine;
  });
  if (opened === null) throw new Error("The engine was not opened at once");
  return opened;
}

function fill(): void {
  const engine = open();
  const set = setOf({ counter: 1, payload: payloadOf(1, 100) });
  const encoder = new TextEncoder();
  const began = performance.now();
  let [writeMs, gapMs, worstBytes] = [0, 0, 0];
  let turnEnded = Infinity;
  const turn = (from: number): void => {
    gapMs = Math.max(gapMs, performance.now() - turnEnded);
    for (let index = from; index < from + WRITES_A_TURN; index++) {
      const name = new ObjectName(encoder.encode(`bucket/${index}`));
      writeU32(set.head, versionOffset(0, 0) + 8, index + 1);
      const writeBegan = performance.now();
      const { status } = engine.write(name, set, { layout: 1, round: 0 });
      writeMs = Math.max(writeMs, performance.now() - writeBegan);
      if (status !== "done") throw new Error(`Write ${index} is ${status}`);
    }
    const count = from + WRITES_A_TURN;
    if (count >= COUNTED_FROM && (count / WRITES_A_TURN) % 64 === 0) {
      worstBytes = Math.max(worstBytes, engine.stats().indexBytes / count);
    }
    if (count >= objects) end();
    else if ((count / WRITES_A_TURN) % SYNC_EVERY_TURNS === 0) {
      turnEnded = Infinity;
      engine.sync(() => turn(count));
    } else {
      turnEnded = performance.now();
      systemClock.soon(() => turn(count));
    }
  };
  const end = (): void => {
    engine.sync(() => {
      const seconds = (performance.now() - began) / 1000;
      console.log(
        `${seconds.toFixed(1)} s, longest write ${writeMs.toFixed(1)} ms, ` +
          `longest between two turns ${gapMs.toFixed(1)} ms, ` +
          `index at most ${worstBytes.toFixed(1)} bytes an object`,
      );
    });
  };
  turn(0);
}

function start(): void {
  const rssBefore = process.memoryUsage().rss;
  const began = performance.now();
  const engine = open();
  const startMs = performance.now() - began;
  const rss = process.memoryUsage().rss;
  const { indexBytes, objects: count } = engine.stats();
  const { isFromSnapshot, scannedBytes, records } = engine.recovery;
  const stopBegan = performance.now();
  engine.close(() => {
    const stopMs = performance.now() - stopBegan;
    console.log(
      `${(startMs / 1000).toFixed(2)} s, ${isFromSnapshot ? "snapshot" : "no snapshot"} and ` +
        `${records} records in ${(scannedBytes / 2 ** 20).toFixed(0)} MiB; ${count} objects, ` +
        `index ${(indexBytes / count).toFixed(1)} bytes an object, resident ` +
        `${((rss - rssBefore) / count).toFixed(1)} bytes an object more than before, ` +
        `${(rss / 2 ** 20).toFixed(0)} MiB in all; stop ${(stopMs / 1000).toFixed(2)} s`,
    );
  });
}
