/**
 * A small log with every kind of record, made step by step, and what each of its names read at any time:
 * the material for damage (B3, B4).
 *
 *   segment · object · body · remove · note · synced; a set with an inline payload and a body, a tombstone
 */

import { readU32 } from "../../core/bytes.ts";
import type { ObjectName } from "../../core/object-name.ts";
import type { Engine, VersionSet } from "../../storage/engine.ts";
import { Machine } from "../storage/engine-beds.ts";
import {
  digestOf,
  LABELS,
  nameOf,
  outcomeText,
  payloadOf,
  read,
  setOf,
  textOf,
} from "../storage/sets.ts";

export const FILE = "objects/00000001.log";
export const [one, two, gone, dead] = ["one", "two", "gone", "dead"].map((key) => nameOf(`b/${key}`));
export const NAMES: readonly ObjectName[] = [one, two, gone, dead];

export class SampleLog {
  readonly one: VersionSet;
  readonly two: VersionSet;
  /** What each name may read at some time. */
  readonly history: readonly (readonly string[])[];
  readonly steps: readonly ((engine: Engine) => unknown)[];

  /** @param seed of the payloads' bytes */
  constructor(seed = 1) {
    const set1 = setOf({ counter: 1, payload: payloadOf(seed, 40) });
    const set2 = setOf(
      { counter: 2, payload: payloadOf(seed + 1, 30) },
      { counter: 3, payload: payloadOf(seed + 2, 4200) },
    );
    const removed = setOf({ counter: 4, payload: payloadOf(seed + 3, 10) });
    const tombstone = setOf({ counter: 5, payload: new Uint8Array(0) });
    this.one = set1;
    this.two = set2;
    this.history = [
      ["absent", `found ${textOf(set1)}`],
      ["absent", `found ${textOf(set1)}`, `found ${textOf(set2)}`],
      ["absent", `found ${textOf(removed)}`],
      ["absent", `found ${textOf(set1)}`, `found ${textOf(tombstone)}`],
    ];
    this.steps = [
      (engine) => engine.write(two, set1, LABELS),
      (engine) => engine.write(gone, removed, LABELS),
      (engine) => engine.write(one, set1, LABELS),
      (engine) => engine.write(dead, set1, LABELS),
      (engine) => engine.remove(gone, ...digestOf(removed)),
      (engine) => engine.note(one, payloadOf(seed + 4, 50)),
      (engine) => engine.write(two, set2, LABELS),
      (engine) => engine.write(dead, tombstone, LABELS),
    ];
  }

  /** The file after the first so many steps. */
  fileAfter(steps: number, isSynced: boolean): Uint8Array {
    const machine = new Machine(1);
    const engine = machine.open();
    for (const step of this.steps.slice(0, steps)) step(engine);
    if (isSynced) machine.sync(engine);
    return steps === 0 ? new Uint8Array(0) : machine.disk.contents(FILE);
  }

  /** The whole file, synced. */
  file(): Uint8Array {
    return this.fileAfter(this.steps.length, true);
  }
}

/** What every name reads. */
export function readAll(engine: Engine): string[] {
  return NAMES.map((name) => outcomeText(read(engine, name)));
}

/** A machine whose log is this one file. */
export function machineWith(file: Uint8Array): Machine {
  const machine = new Machine(1);
  machine.open();
  machine.disk.setContents(FILE, file);
  return machine;
}

/** Where the records of a sound file begin. */
export function recordStarts(file: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = 0; at < file.length; at += readU32(file, at + 12)) starts.push(at);
  return starts;
}
