/**
 * Seeded interleavings of all that can be asked of an engine (B11, after bitcask's PULSE): reads, scans,
 * writes, removes, syncs, closing and opening, each between any two steps of compaction, which time brings.
 * Few names and tiny segments, so that all of it meets.
 *
 * A model knows what each name holds: an engine answers at once, so that each read has one right answer.
 */

import type { ObjectName } from "../../core/object-name.ts";
import type { EntryKey } from "../../storage/engine.ts";
import type { LogEngine } from "../../storage/log/log-engine.ts";
import { SeededRandom } from "../random.ts";
import { Machine } from "../storage/engine-beds.ts";
import { digestOf, LABELS, nameOf, outcomeText, payloadOf, read, setOf } from "../storage/sets.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";

const NAMES: readonly ObjectName[] = Array.from({ length: 50 }, (_, key) => nameOf(`b/${key}`));
const SEGMENT_BYTES = 2_000;
const STEPS = 150;

type Action = (run: Run) => void;

/** How often each comes; the sums of bitcask's own weights, about. */
const ACTIONS: readonly (readonly [number, Action])[] = [
  [20, (run) => run.remove()],
  [30, (run) => run.write()],
  [10, (run) => run.readOne()],
  [3, (run) => run.scan()],
  [25, (run) => run.passTime()],
  [6, (run) => run.sync()],
  [4, (run) => run.reopen()],
  [2, (run) => run.die()],
];
const WEIGHTS = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

export function interleavings(check: Check, seed: number, seeds: number): Counts {
  const counts = { seeds, actions: seeds * STEPS, segmentsCompacted: 0 };
  for (let one = seed; one < seed + seeds; one++) {
    const run = new Run(one, check);
    for (let step = 0; step < STEPS; step++) run.act();
    run.scan();
    run.reopen();
    run.scan();
    counts.segmentsCompacted += run.compacted;
  }
  check.ok(counts.segmentsCompacted > seeds, `${counts.segmentsCompacted} segments were compacted`);
  return counts;
}

class Run {
  compacted = 0;
  readonly #seed: number;
  readonly #check: Check;
  readonly #random: SeededRandom;
  readonly #machine: Machine;
  #engine: LogEngine;
  #counter = 0;
  /** What each name reads; absent ones are not in it. */
  readonly #model = new Map<ObjectName, string>();

  constructor(seed: number, check: Check) {
    this.#seed = seed;
    this.#check = check;
    this.#random = new SeededRandom(seed);
    this.#machine = new Machine(seed);
    this.#engine = this.#open();
  }

  act(): void {
    let draw = this.#random.below(WEIGHTS);
    for (const [weight, action] of ACTIONS) {
      if ((draw -= weight) < 0) return action(this);
    }
  }

  write(): void {
    const length = this.#random.chance(1, 12) ? 4_100 : this.#random.below(200);
    const set = setOf({ counter: ++this.#counter, payload: payloadOf(this.#counter, length) });
    const name = this.#name();
    this.#right(this.#engine.write(name, set, LABELS).status, "done", "write");
    this.#model.set(name, outcomeText({ status: "found", set }));
  }

  remove(): void {
    const name = this.#name();
    const outcome = read(this.#engine, name, false);
    if (outcome.status !== "found") return;
    this.#engine.remove(name, ...digestOf(outcome.set));
    this.#model.delete(name);
  }

  readOne(): void {
    const name = this.#name();
    const text = outcomeText(read(this.#engine, name));
    this.#right(text, this.#model.get(name) ?? "absent", "read");
  }

  /** The index shows each name that is held once, and each entry reads as its name does. */
  scan(): void {
    const entries: EntryKey[] = [];
    this.#engine.scan(0, 0xffffffff, (entry) => {
      entries.push({ ...entry });
      return true;
    });
    this.#right(entries.length, this.#model.size, "entries");
    for (const entry of entries) {
      this.#engine.readEntry(entry, (name, outcome) => {
        const known = NAMES.find((one) => name !== null && String(one.bytes) === String(name.bytes));
        const wanted = known === undefined ? "a name" : this.#model.get(known);
        this.#right(outcomeText(outcome), wanted, "entry");
      });
    }
  }

  passTime(): void {
    this.#machine.world.run(this.#random.below(30) / 10);
  }

  sync(): void {
    if (this.#random.chance(1, 2)) this.#engine.sync(() => undefined);
    else this.#right(this.#machine.sync(this.#engine), true, "sync");
  }

  reopen(): void {
    this.#machine.wait((done) => this.#engine.close(done));
    this.#takeStock();
    this.#engine = this.#open();
  }

  /** kill -9: nothing is lost of what was handed over. */
  die(): void {
    this.#engine.handOver();
    this.#takeStock();
    this.#machine.disk.kill();
    this.#engine = this.#open();
  }

  #takeStock(): void {
    this.compacted += this.#engine.stats().segmentsCompacted;
  }

  #open(): LogEngine {
    const compaction = this.#machine.compaction({ stepBytes: 100 + this.#random.below(2_000) });
    const snapshotBytes = this.#random.chance(1, 2) ? 3_000 : 0;
    return this.#machine.open({ segmentBytes: SEGMENT_BYTES, snapshotBytes, compaction });
  }

  #name(): ObjectName {
    return NAMES[this.#random.below(NAMES.length)];
  }

  #right(actual: unknown, wanted: unknown, what: string): void {
    this.#check.equal(actual, wanted, `SEED=${this.#seed} ${what}`);
  }
}
