/**
 * A log whose machine dies at every operation (B1, B2, B9): after it the store holds a prefix of what was
 * written, with all that was synced, and goes on working.
 *
 *   script ─▶ death at operation k ─▶ power loss, one of its fates ─▶ open, judge, go on, open again
 *
 * Compaction runs all the while: between any two steps of a script it chooses, moves, and gives files up.
 * Snapshots of the index are taken as well, and a start with one finds what a start without it finds.
 */

import type { LogEngine } from "../../storage/log/log-engine.ts";
import { HEADER_BYTES } from "../../storage/log/record.ts";
import { SeededRandom } from "../random.ts";
import { Death } from "../simulation/disk.ts";
import { Course, Script, SLICE_BYTES, stateOf, STREAM_BYTES_MIN } from "../storage/crash-script.ts";
import { Machine } from "../storage/engine-beds.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";

/** Small, so that in a script segments roll and go, and snapshots of the index come and go. */
const OPTIONS = {
  segmentBytes: 12_000,
  snapshotBytes: 3_000,
  streamBytesMin: STREAM_BYTES_MIN,
  sliceBytes: SLICE_BYTES,
};

/** How much of a script's operations, and of what may come of each. */
export interface CrashSizes {
  readonly seed: number;
  /** Steps of the script: each one or more operations of the disk. */
  readonly steps: number;
  /** A crash at each so manieth operation. */
  readonly every: number;
  /** Fates of what was not synced that are tried at each. */
  readonly fates: number;
}

export function open(machine: Machine, snapshotBytes = OPTIONS.snapshotBytes): LogEngine {
  return machine.open({ ...OPTIONS, snapshotBytes, compaction: machine.compaction() });
}

/** Runs a script on a new machine until it ends or the disk dies. */
export function runScript(script: Script, machine: Machine, course: Course): void {
  try {
    const engine = open(machine);
    script.run(engine, machine, course);
    machine.wait((done) => engine.close(done));
  } catch (error) {
    if (!(error instanceof Death)) throw error;
  }
}

/** How many changing operations the whole script takes. */
export function changesOf(script: Script): number {
  const machine = new Machine(1);
  const engine = open(machine);
  script.run(engine, machine, new Course());
  if (engine.stats().segmentsCompacted < 3) throw new Error("The script leaves compaction idle");
  return machine.disk.changes;
}

/** Power loss at every operation: a prefix that holds all that was synced. */
export function powerLoss(check: Check, { seed, steps, every, fates }: CrashSizes): Counts {
  const script = new Script(seed, steps);
  const changes = changesOf(script);
  let tried = 0;
  for (let at = 1; at <= changes; at += every) {
    for (let fate = 1; fate <= fates; fate++, tried++) {
      const say = `SEED=${seed} operation ${at} of ${changes}, fate ${fate}`;
      const machine = new Machine(seed * 1_000_003 + at * 101 + fate);
      const course = new Course();
      machine.disk.inject({ on: "change", at, effect: "die" });
      runScript(script, machine, course);
      machine.disk.unplug();
      machine.disk.clearFaults();
      survives(machine, course, course.synced, check, say);
    }
  }
  return { scriptSteps: steps, operations: changes, crashPoints: tried / fates, fates: tried };
}

/** Kill at every operation: all that was handed over, and a prefix of the rest. */
export function kill(check: Check, { seed, steps, every }: CrashSizes): Counts {
  const script = new Script(seed, steps);
  const changes = changesOf(script);
  let kills = 0;
  for (let at = 1; at <= changes; at += every, kills++) {
    const machine = new Machine(at);
    const course = new Course();
    machine.disk.inject({ on: "change", at, effect: "die" });
    runScript(script, machine, course);
    machine.disk.kill();
    machine.disk.clearFaults();
    survives(machine, course, course.handed, check, `SEED=${seed} operation ${at} of ${changes}`);
  }
  return { kills };
}

/**
 * Every name is written over and over: segments die within a few writes, some of them named by the
 * snapshot that stands.
 */
export function overwriting(check: Check, { seed, steps, every }: CrashSizes): Counts {
  Object.assign(starts, { whole: 0, fromSnapshot: 0, refused: 0 });
  const script = new Script(seed, steps);
  const changes = changesOf(script);
  for (let at = 1; at <= changes; at += every) {
    const machine = new Machine(seed * 1_000_003 + at);
    const course = new Course();
    machine.disk.inject({ on: "change", at, effect: "die" });
    runScript(script, machine, course);
    if (at % 2 === 0) machine.disk.unplug();
    machine.disk.kill();
    machine.disk.clearFaults();
    survives(machine, course, course.synced, check, `SEED=${seed} operation ${at} of ${changes}`);
  }
  const { whole, fromSnapshot, refused } = starts;
  const say = `${fromSnapshot} starts from a snapshot, ${refused} did not believe theirs, ${whole} had none`;
  check.ok(fromSnapshot > 9 * refused && fromSnapshot > whole, say);
  return { startsFromSnapshot: fromSnapshot, startsWithout: whole + refused };
}

/** What becomes of an operation of the start that follows a crash. */
const WORSE = ["die", "EIO", "ENOSPC"] as const;

/** A fault of any kind while recovering from a crash, up to three times over (B9). */
export function compound(check: Check, seed: number, steps: number, pairs: number): Counts {
  const random = new SeededRandom(seed);
  const script = new Script(seed + 3, steps);
  const changes = changesOf(script);
  let struck = 0;
  for (let pair = 0; pair < pairs; pair++) {
    const machine = new Machine(random.uint32());
    const course = new Course();
    machine.disk.inject({ on: "change", at: 1 + random.below(changes), effect: "die" });
    runScript(script, machine, course);
    for (let start = 1 + random.below(3); start > 0; start--) {
      machine.disk.unplug();
      machine.disk.clearFaults();
      machine.disk.struck = 0;
      const effect = WORSE[random.below(WORSE.length)];
      const on = random.chance(1, 4) ? "read" : random.chance(1, 4) ? "open" : "change";
      const isSticky = effect !== "die" && random.chance(1, 2);
      machine.disk.inject({ on, at: 1 + random.below(12), effect, isSticky });
      tryRecovering(machine);
      struck += machine.disk.struck > 0 ? 1 : 0;
    }
    machine.disk.unplug();
    machine.disk.clearFaults();
    survives(machine, course, course.synced, check, `SEED=${seed} pair ${pair}`);
  }
  check.ok(struck > pairs / 2, `${struck} faults struck in ${pairs} recoveries`);
  return { pairs, struck };
}

/** A start that may die, be refused with a sentence, or succeed; and a stop. */
function tryRecovering(machine: Machine): void {
  try {
    const engine = open(machine);
    machine.wait((done) => engine.close(done));
  } catch (error) {
    // The sentence of openLogEngine().
    const isTold = error instanceof Error && /E(IO|NOSPC)/.test(error.message);
    if (!(error instanceof Death) && !isTold) throw error;
  }
}

/** Opens after a crash, judges, goes on working, and opens once more. */
export function survives(
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
  new Script(2, 8).run(engine, machine, next);
  // Until compaction has come to rest: what it moved since a sync would be cut as well.
  machine.world.run(200);
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

/** How the starts of overwriting() went. */
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
