/**
 * A disk that fails and a process that goes on (B6, B7, B8): nothing that failed is ever acknowledged,
 * nothing half-written is seen, reads go on, and the next start finds what a crash would have left.
 */

import type { LogEngine } from "../../storage/log/log-engine.ts";
import type { Fault } from "../simulation/disk.ts";
import { Course, Script, stateOf } from "../storage/crash-script.ts";
import { Machine } from "../storage/engine-beds.ts";
import type { Check } from "../suite.ts";
import { open, survives } from "./crash-points.ts";
import type { Counts } from "../row.ts";

/** Every operation that a disk has. */
const OPERATIONS: readonly Fault["on"][] = [
  "read",
  "write",
  "sync",
  "syncFolder",
  "rename",
  "remove",
  "truncate",
  "open",
  "preallocate",
];

export interface ErrorSizes {
  readonly seed: number;
  readonly steps: number;
  /** The first operation of each kind that fails, and each so manieth one from there. */
  readonly every: number;
}

/** The k-th operation of each kind fails with an errno, once and from then on. */
export function failing(check: Check, sizes: ErrorSizes, effect: "EIO" | "ENOSPC"): Counts {
  const { seed, steps, every } = sizes;
  const script = new Script(seed + 4, steps);
  const counts: Counts = { faults: 0, sealed: 0 };
  for (const on of OPERATIONS) {
    counts[on] = 0;
    for (const isSticky of [false, true]) {
      for (let at = 1;; at += every) {
        const say = `SEED=${seed} ${effect} at ${on} ${at}${isSticky ? " and on" : ""}`;
        const machine = new Machine(at);
        machine.disk.inject({ on, at, effect, isSticky });
        const isSealed = failOnce(check, machine, script, say);
        // Fewer operations than that: all have failed in their turn.
        if (machine.disk.struck === 0) break;
        counts.faults++;
        counts[on]++;
        if (isSealed) counts.sealed++;
      }
    }
  }
  return counts;
}

/** Whether the engine took no more writes in the end. */
function failOnce(check: Check, machine: Machine, script: Script, say: string): boolean {
  const course = new Course();
  const engine = tryOpening(machine);
  if (engine !== null) {
    script.run(engine, machine, course);
    // Reading is what fails, or it goes on.
    if (!say.includes("read") && !say.includes("open")) {
      check.equal(course.judgeReads(engine), "", `${say}: reads go on`);
    }
  }
  const isSealed = engine !== null && !machine.sync(engine);
  machine.disk.unplug();
  const { struck } = machine.disk;
  machine.disk.clearFaults();
  survives(machine, course, course.synced, check, say);
  machine.disk.struck = struck;
  return isSealed;
}

function tryOpening(machine: Machine): LogEngine | null {
  try {
    return open(machine);
  } catch (error) {
    // The sentence of openLogEngine(): it was refused because of the fault.
    if (error instanceof Error && /E(IO|NOSPC)/.test(error.message)) return null;
    throw error;
  }
}

/** A disk that is full after so many bytes: refused, nothing half-written, and it recovers. */
export function full(check: Check, seed: number, steps: number, everyBytes: number): Counts {
  const script = new Script(seed + 5, steps);
  const later = new Script(seed + 6, 10);
  let capacities = 0;
  for (let capacity = 200; capacity < 1_000 * steps; capacity += everyBytes, capacities++) {
    const say = `SEED=${seed} ${capacity} bytes`;
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
  return { capacities };
}

/** A sync that fails once: never acknowledged, never retried as if clean, and nothing more is written. */
export function failedSync(check: Check, seed: number, steps: number, failures: number): Counts {
  let failed = 0;
  for (let script = 0; failed < failures; script++) {
    failed += failedSyncs(check, seed + script, steps, failures - failed);
  }
  return { failedSyncs: failed };
}

function failedSyncs(check: Check, seed: number, steps: number, most: number): number {
  const script = new Script(seed + 7, steps);
  for (let at = 1; at <= most; at++) {
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
    if (machine.disk.struck === 0) return at - 1;
    new Script(seed + 8, 5).run(engine, machine, course);
    const say = `SEED=${seed} sync ${at}`;
    check.equal(isSynced, false, `${say}: never called durable again`);
    check.equal(course.state, before, `${say}: takes no more writes`);
    check.equal(stateOf(engine), course.states[before], `${say}: reads go on`);
    // The next process finds all of it in the kernel, and must not take the kernel's word for the medium.
    const isKill = at % 2 === 0;
    if (isKill) machine.disk.kill();
    else machine.disk.unplug();
    machine.disk.clearFaults();
    survives(machine, course, isKill ? course.handed : course.synced, check, say);
  }
  return most;
}
