/**
 * The log under crashes and failing disks (RELIABILITY.md, part B): after each of them the store
 * holds a prefix of what was written, with all that was synced, and goes on working. Compaction
 * runs all the while: between any two steps of a script it chooses, moves, and gives files up.
 * Snapshots of the index are taken as well, and a start with one finds what a start without it finds.
 */

import type { LogEngine } from "../../../storage/log/log-engine.ts";
import { HEADER_BYTES } from "../../../storage/log/record.ts";
import { SeededRandom, seedFrom } from "../../random.ts";
import { Death } from "../../simulation/disk.ts";
import type { Case, Check } from "../../suite.ts";
import { Course, Script, stateOf } from "../crash-script.ts";
import { Machine } from "../engine-beds.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 1);
/** Fates of unsynced data tried at each operation; FATES=16 for a long run. */
const FATES = Number(globalThis.process?.env.FATES ?? 4);
const STEPS = 60;
/** Small, so that in a script segments roll and go, and snapshots of the index come and go. */
const OPTIONS = { segmentBytes: 12_000, snapshotBytes: 3_000 };

export const suite: Case[] = [
  {
    name: "power loss at every operation: a prefix that holds all that was synced",
    run: powerLoss,
  },
  {
    name: "segments go and snapshots of the index are taken, killed anywhere: as the whole log says",
    run: overwriting,
  },
  { name: "kill at every operation: all that was handed over, and a prefix of the rest", run: kill },
  { name: "power loss while recovering from a power loss", run: compound },
  { name: "an error at every operation, once and for ever", run: failing },
  {
    name: "a full disk at every operation: refused, nothing half-written, and it recovers",
    run: full,
  },
  { name: "a sync that fails once seals the engine", run: failedSync },
];

function open(machine: Machine, snapshotBytes = OPTIONS.snapshotBytes): LogEngine {
  return machine.open({ ...OPTIONS, snapshotBytes, compaction: machine.compaction() });
}

/** Runs a script on a new machine until it ends or the disk throws; says whether it ended. */
function runScript(script: Script, machine: Machine, course: Course): boolean {
  try {
    const engine = open(machine);
    script.run(engine, machine, course);
    machine.wait((done) => engine.close(done));
    return true;
  } catch (error) {
    if (error instanceof Death) return false;
    throw error;
  }
}

/** How many changing operations the whole script takes. */
function changesOf(script: Script): number {
  const machine = new Machine(1);
  const engine = open(machine);
  script.run(engine, machine, new Course());
  if (engine.stats().segmentsCompacted < 3) throw new Error("The script leaves compaction idle");
  return machine.disk.changes;
}

function powerLoss(check: Check): void {
  const script = new Script(SEED, STEPS);
  const changes = changesOf(script);
  for (let at = 1; at <= changes; at++) {
    for (let fate = 1; fate <= FATES; fate++) {
      const say = `SEED=${SEED} operation ${at} of ${changes}, fate ${fate}`;
      const machine = new Machine(SEED * 1_000_003 + at * 101 + fate);
      const course = new Course();
      machine.disk.inject({ on: "change", at, effect: "die" });
      runScript(script, machine, course);
      machine.disk.unplug();
      machine.disk.clearFaults();
      survives(machine, course, course.synced, check, say);
    }
  }
}

/** Opens after a crash, judges, goes on working, and opens once more. */
function survives(
  machine: Machine,
  course: Course,
  least: number,
  check: Check,
  say: string,
): void {
  const wanted = withoutSnapshot(machine);
  const engine = open(machine);
  check.same(accountsOf(engine), wanted, `${say}: as the whole log says`);
  check.equal(course.judge(engine, least), "", say);
  check.equal(engine.recovery.damaged, 0, `${say}: a torn tail is no damage`);
  const next = new Course(engine);
  new Script(SEED + 1, 8).run(engine, machine, next);
  // Until compaction has come to rest: what it moved since a sync would be cut as well.
  machine.world.run(50);
  check.equal(machine.sync(engine), true, `${say}: syncs`);
  machine.disk.unplug();
  const wantedAgain = withoutSnapshot(machine);
  const again = open(machine);
  check.same(accountsOf(again), wantedAgain, `${say}: as the whole log says, again`);
  check.equal(stateOf(again), next.states[next.state], `${say}: and again, after more writes`);
  // Only the record that says what is durable was not synced itself.
  check.ok(again.recovery.tornBytes <= HEADER_BYTES, `${say}: the tail is cut once`);
}

/** What an engine holds and counts. */
function accountsOf(engine: LogEngine): unknown[] {
  const { objects, liveBytes, totalBytes } = engine.stats();
  const roots = new Uint32Array(32);
  for (let partition = 0; partition < 16; partition++) {
    engine.tree(partition).rootInto(roots, partition * 2);
  }
  if (engine.recovery.isFromSnapshot) starts.fromSnapshot++;
  else if (engine.recovery.snapshotProblem !== "") starts.refused++;
  else starts.whole++;
  return [stateOf(engine), objects, liveBytes, totalBytes, roots.join()];
}

/** How the starts of a case went. */
const starts = { whole: 0, fromSnapshot: 0, refused: 0 };

/** The accounts of a start from the same files that reads the whole log. */
function withoutSnapshot(machine: Machine): unknown[] {
  const twin = new Machine(1);
  twin.open();
  for (const path of machine.disk.files()) {
    if (!path.includes("snapshot")) twin.disk.setContents(path, machine.disk.contents(path));
  }
  const before = { ...starts };
  const accounts = accountsOf(twin.open(OPTIONS));
  Object.assign(starts, before);
  return accounts;
}

/**
 * Every name is written over and over: segments die within a few writes, some of them named by the
 * snapshot that stands.
 */
function overwriting(check: Check): void {
  Object.assign(starts, { whole: 0, fromSnapshot: 0, refused: 0 });
  for (let seed = SEED; seed < SEED + 3; seed++) {
    const script = new Script(seed, STEPS * 3);
    const changes = changesOf(script);
    for (let at = 1; at <= changes; at += 3) {
      const machine = new Machine(seed * 1_000_003 + at);
      const course = new Course();
      machine.disk.inject({ on: "change", at, effect: "die" });
      runScript(script, machine, course);
      if (at % 2 === 0) machine.disk.unplug();
      machine.disk.kill();
      machine.disk.clearFaults();
      survives(machine, course, course.synced, check, `SEED=${seed} operation ${at} of ${changes}`);
    }
  }
  const { whole, fromSnapshot, refused } = starts;
  const say = `${fromSnapshot} starts from a snapshot, ${refused} did not believe theirs, ${whole} had none`;
  check.ok(fromSnapshot > 9 * refused && fromSnapshot > whole, say);
}

function kill(check: Check): void {
  const script = new Script(SEED + 2, STEPS);
  const changes = changesOf(script);
  for (let at = 1; at <= changes; at++) {
    const machine = new Machine(at);
    const course = new Course();
    machine.disk.inject({ on: "change", at, effect: "die" });
    runScript(script, machine, course);
    machine.disk.kill();
    machine.disk.clearFaults();
    survives(machine, course, course.handed, check, `SEED=${SEED} operation ${at} of ${changes}`);
  }
}

function compound(check: Check): void {
  const random = new SeededRandom(SEED);
  const script = new Script(SEED + 3, STEPS);
  const changes = changesOf(script);
  for (let round = 0; round < 300; round++) {
    const machine = new Machine(random.uint32());
    const course = new Course();
    machine.disk.inject({ on: "change", at: 1 + random.below(changes), effect: "die" });
    runScript(script, machine, course);
    for (let crash = 0; crash < 3; crash++) {
      machine.disk.unplug();
      machine.disk.clearFaults();
      machine.disk.inject({ on: "change", at: 1 + random.below(6), effect: "die" });
      runScript(new Script(1, 0), machine, new Course());
    }
    machine.disk.unplug();
    machine.disk.clearFaults();
    survives(machine, course, course.synced, check, `SEED=${SEED} round ${round}`);
  }
}

function failing(check: Check): void {
  const script = new Script(SEED + 4, STEPS);
  const changes = changesOf(script);
  for (let at = 1; at <= changes; at++) {
    for (const isSticky of [false, true]) {
      const say = `SEED=${SEED} EIO at ${at} of ${changes}${isSticky ? " and on" : ""}`;
      const machine = new Machine(at);
      const course = new Course();
      machine.disk.inject({ on: "change", at, effect: "EIO", isSticky });
      const engine = tryOpening(machine);
      if (engine === null) continue;
      script.run(engine, machine, course);
      check.equal(course.judgeReads(engine), "", `${say}: reads go on`);
      machine.disk.unplug();
      machine.disk.clearFaults();
      survives(machine, course, course.synced, check, say);
    }
  }
}

function tryOpening(machine: Machine): LogEngine | null {
  try {
    return open(machine);
  } catch (error) {
    // The sentence of openLogEngine(): the first operation already failed.
    if (error instanceof Error && error.message.includes("EIO")) return null;
    throw error;
  }
}

function full(check: Check): void {
  const script = new Script(SEED + 5, STEPS);
  const later = new Script(SEED + 6, 10);
  for (let capacity = 200; capacity < 60_000; capacity += 199) {
    const say = `SEED=${SEED} ${capacity} bytes`;
    const machine = new Machine(capacity, { capacityBytes: capacity });
    const course = new Course();
    const engine = open(machine);
    script.run(engine, machine, course);
    check.equal(stateOf(engine), course.states[course.state], `${say}: nothing half-written`);
    machine.disk.capacityBytes = 2 ** 30;
    const before = course.state;
    later.run(engine, machine, course);
    check.equal(course.state, before + later.length, `${say}: takes writes again`);
    check.equal(machine.sync(engine), true, `${say}: syncs`);
    machine.disk.unplug();
    const again = open(machine);
    check.equal(stateOf(again), course.states[course.state], `${say}: and after a restart`);
  }
}

function failedSync(check: Check): void {
  const script = new Script(SEED + 7, STEPS);
  for (let at = 1;; at++) {
    const machine = new Machine(at);
    const course = new Course();
    machine.disk.inject({ on: "sync", at, effect: "EIO" });
    // Without snapshots: the sync of one fails without harm to the log.
    const engine = open(machine, 0);
    script.run(engine, machine, course);
    // Until compaction has come to rest: its own syncs may be the ones that fail.
    machine.world.run(50);
    const before = course.state;
    const isSynced = machine.sync(engine);
    if (machine.disk.struck === 0) break;
    new Script(SEED + 8, 5).run(engine, machine, course);
    const say = `SEED=${SEED} sync ${at}`;
    check.equal(isSynced, false, `${say}: never called durable again`);
    check.equal(course.state, before, `${say}: takes no more writes`);
    check.equal(stateOf(engine), course.states[before], `${say}: reads go on`);
    machine.disk.unplug();
    machine.disk.clearFaults();
    survives(machine, course, course.synced, check, say);
  }
}
