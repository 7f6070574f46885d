/**
 * Backup of a log that is in use: what was written before it began is in it, and can be opened;
 * what has not changed is not copied again; a file that compaction takes away does no harm.
 */

import { DiskError, type Disk } from "../../../storage/disk.ts";
import { readManifest, writeManifest } from "../../../storage/backup-manifest.ts";
import type { LogEngine } from "../../../storage/log/log-engine.ts";
import { type BackupFile, LogBackup } from "../../../storage/log/log-backup.ts";
import type { Case, Check } from "../../suite.ts";
import { readU48 } from "../../../core/bytes.ts";
import { HEAD_BYTES } from "../../../core/version-set.ts";
import { SeededRandom } from "../../random.ts";
import { Machine } from "../engine-beds.ts";
import { LABELS, nameOf, outcomeText, payloadOf, read, setOf, textOf } from "../sets.ts";

/** In a head of one version: its dot is the actor, 8 bytes, and the counter. */
const COUNTER_AT = HEAD_BYTES + 8;
const SEGMENT_BYTES = 16 << 10;

export const suite: Case[] = [
  { name: "a log in use is backed up with all that was handed over", run: inUse },
  { name: "the next backup takes the last segment and what is new, and no more", run: incremental },
  { name: "a segment that vanishes meanwhile begins the listing anew", run: vanishing },
  { name: "while others write, delete and compact: never older than what was when it began", run: racing },
  { name: "a target file that differs is replaced, whatever the manifest says", run: differing },
  { name: "a record that ends in zeros is whole in the backup", run: zeros },
  { name: "a manifest is read as written; a damaged one is refused", run: manifest },
];

/** A store on a disk of its own, and the directory that it is backed up to. */
class Bed {
  readonly store = new Machine(1);
  readonly disk = this.store.disk.mount();
  readonly engine: LogEngine = this.store.openOn(this.disk, { segmentBytes: SEGMENT_BYTES });
  readonly backup = new Machine(2);
  #written = 0;

  write(count: number): void {
    for (let index = 0; index < count; index++) {
      const set = setOf({ counter: this.#written + 1, payload: payloadOf(this.#written, 700) });
      this.engine.write(nameOf(`b/${this.#written}`), set, LABELS);
      this.#written++;
    }
    this.engine.handOver();
  }

  take(previous: readonly BackupFile[], source: Disk = this.disk): LogBackup {
    const target = this.backup.disk.mount();
    const link = (): boolean => false;
    const log = new LogBackup({ source, target, folders: ["objects"], previous, link });
    for (const _ of log.run());
    return log;
  }

  /** What of the first `count` names is not in the backup, once that is opened. */
  missing(count: number): number {
    const engine = this.backup.open({ segmentBytes: SEGMENT_BYTES });
    let missing = 0;
    for (let index = 0; index < count; index++) {
      const set = setOf({ counter: index + 1, payload: payloadOf(index, 700) });
      const wanted = `found ${textOf(set)}`;
      if (outcomeText(read(engine, nameOf(`b/${index}`))) !== wanted) missing++;
    }
    if (engine.recovery.damaged > 0) missing += 1_000_000;
    return missing;
  }
}

function inUse(check: Check): void {
  const bed = new Bed();
  bed.write(100);
  const log = bed.take([]);
  check.ok(log.copied >= 5, `${log.copied} segments`);
  check.equal(log.bytesDone, log.bytesTotal, "all bytes are done");
  bed.write(20);
  check.equal(bed.missing(100), 0, "nothing is missing that was handed over, synced or not");
}

function incremental(check: Check): void {
  const bed = new Bed();
  bed.write(100);
  const first = bed.take([]);
  const second = bed.take(first.files);
  check.equal(second.copied, 0, "nothing has changed");
  check.equal(second.unchanged, first.copied, "and everything stays");
  check.same(second.files, first.files, "under the same checksums");
  bed.write(30);
  const third = bed.take(second.files);
  check.equal(third.unchanged, first.copied - 1, "the last one has grown");
  check.ok(third.copied >= 2, `${third.copied} segments are new`);
  check.equal(bed.missing(130), 0, "all is there");
}

function vanishing(check: Check): void {
  const bed = new Bed();
  bed.write(100);
  let isGone = false;
  const source: Disk = Object.create(bed.disk) as Disk;
  let opened = 0;
  source.open = (path, options) => {
    if (++opened === 3 && !isGone) {
      isGone = true;
      throw new DiskError("ENOENT", `no file ${path}`);
    }
    return bed.disk.open(path, options);
  };
  source.list = (folder) => bed.disk.list(folder);
  const log = bed.take([], source);
  check.ok(isGone, "a file was gone for a moment");
  check.equal(log.bytesDone, log.bytesTotal, "it was begun anew");
  check.equal(bed.missing(100), 0, "all is there");
}

/** Each name counts up, or is removed for good; compaction works in every pause of the backup. */
function racing(check: Check): void {
  const seed = Number(globalThis.process?.env["SEED"] ?? 1);
  let vanished = 0;
  for (let round = seed; round < seed + 12; round++) vanished += race(check, round);
  check.ok(vanished > 0, `${vanished} files went away while they were copied`);
}

const NAMES = 40;

/** Returns how many files of the backup the store has no longer when it ends. */
function race(check: Check, seed: number): number {
  const random = new SeededRandom(seed);
  const machine = new Machine(seed);
  const disk = machine.disk.mount();
  const compaction = machine.compaction({});
  const engine = machine.openOn(disk, { segmentBytes: 4 << 10, compaction });
  const now = new Array<number>(NAMES).fill(0);
  const write = (): void => {
    const index = random.below(NAMES);
    const counter = now[index] + 1;
    const set = setOf({ counter, payload: payloadOf(counter, 100 + random.below(200)) });
    engine.write(nameOf(`b/${index}`), set, LABELS);
    now[index] = counter;
  };
  const work = (): void => {
    for (let count = random.below(30); count > 0; count--) write();
    if (random.chance(1, 2)) machine.sync(engine);
    machine.world.run(random.below(200));
  };
  for (let count = 0; count < 20; count++) work();
  engine.handOver();
  const least = [...now];
  const target = new Machine(seed);
  const log = new LogBackup({
    source: disk,
    target: target.disk.mount(),
    folders: ["objects"],
    previous: [],
    link: () => false,
  });
  for (const _ of log.run()) work();
  const copy = target.open({ segmentBytes: 4 << 10 });
  for (let index = 0; index < NAMES; index++) {
    const outcome = read(copy, nameOf(`b/${index}`));
    const held = outcome.status === "found" ? readU48(outcome.set.head, COUNTER_AT) : 0;
    const isRight = outcome.status !== "damaged" && held >= least[index] && held <= now[index];
    if (isRight) continue;
    check.ok(false, `SEED=${seed}: b/${index} is ${outcome.status} ${held}, was ${least[index]}`);
  }
  return log.files.filter(({ path }) => !disk.exists(path)).length;
}

function differing(check: Check): void {
  const bed = new Bed();
  bed.write(100);
  const { files } = bed.take([]);
  const path = files[1]?.path ?? "";
  bed.backup.disk.flip(path, 8 * 100);
  const again = bed.take(files);
  check.equal(again.copied, 1, "it is copied again");
  check.equal(bed.missing(100), 0, "and sound");
}

function zeros(check: Check): void {
  const bed = new Bed();
  const set = setOf({ counter: 1, payload: new Uint8Array(500) });
  bed.engine.write(nameOf("b/zeros"), set, LABELS);
  bed.engine.handOver();
  bed.take([]);
  const engine = bed.backup.open();
  check.equal(outcomeText(read(engine, nameOf("b/zeros"))), `found ${textOf(set)}`, "to its end");
}

function manifest(check: Check): void {
  const machine = new Machine(1);
  const disk = machine.disk.mount();
  check.equal(readManifest(disk), null, "none at first");
  const files = [{ path: "objects/00000001.log", bytes: 72, checksum: 5 }];
  const content = { node: "n", cluster: "c", layout: 3, partitions: 8, files };
  writeManifest(disk, { program: "halo", taken: "2026-11-21T00:00:00.000Z", ...content });
  check.same(readManifest(disk)?.files, files, "what was written");
  const size = machine.disk.contents("manifest.json").length;
  let taken = 0;
  for (let byte = 0; byte < size; byte++) {
    machine.disk.flip("manifest.json", byte * 8);
    try {
      readManifest(disk);
      taken++;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
    machine.disk.flip("manifest.json", byte * 8);
  }
  check.equal(taken, 0, `of ${size} damaged manifests`);
}
