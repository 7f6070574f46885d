/**
 * Compaction under crashes and failing disks (B10): no state but those that were, before and after them.
 * Nothing removed comes back, and nothing is lost, whatever was half moved.
 *
 *   lives of a store: writes, removes, compaction as eager as it gets ─▶ a fault ─▶ crash ─▶ open, judge
 */

import { SeededRandom } from "../random.ts";
import { Death, type Fault } from "../simulation/disk.ts";
import { Course, Script, stateOf } from "../storage/crash-script.ts";
import { Machine } from "../storage/engine-beds.ts";
import type { CompactionOptions } from "../../storage/log/compaction.ts";
import type { LogEngine } from "../../storage/log/log-engine.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";

const LIVES = 6;
const STEPS = 40;
/** How many operations a life has, about. */
const OPERATIONS = 250;

export function compactionFaults(check: Check, seed: number, seeds: number): Counts {
  const counts = { seeds, lives: 0, deaths: 0, errors: 0, segmentsCompacted: 0 };
  for (let one = seed; one < seed + seeds; one++) new Store(one, counts).live(check);
  check.ok(counts.segmentsCompacted > seeds, `${counts.segmentsCompacted} segments were compacted`);
  return counts;
}

class Store {
  readonly #seed: number;
  readonly #draw: SeededRandom;
  readonly #machine: Machine;
  readonly #segmentBytes: number;
  readonly #counts: Counts;

  constructor(seed: number, counts: Counts) {
    this.#seed = seed;
    this.#draw = new SeededRandom(seed);
    this.#machine = new Machine(seed);
    this.#counts = counts;
    this.#segmentBytes = 2000 + this.#draw.below(10_000);
  }

  live(check: Check): void {
    let engine = this.#open();
    for (let life = 0; life < LIVES; life++) {
      const say = `SEED=${this.#seed} life ${life}`;
      const course = new Course(engine);
      const fault = this.#drawFault();
      if (fault !== null) this.#machine.disk.inject(fault);
      this.#work(engine, course, life);
      if (fault === null) {
        check.equal(stateOf(engine), course.states[course.state], `${say}: alive`);
      } else if (fault.effect !== "die") check.equal(course.judgeReads(engine), "", `${say}: reads`);
      this.#counts.lives++;
      this.#counts.segmentsCompacted += engine.stats().segmentsCompacted;
      const isKill = this.#draw.chance(1, 2);
      if (isKill) this.#machine.disk.kill();
      else this.#machine.disk.unplug();
      this.#machine.disk.clearFaults();
      engine = this.#open();
      check.equal(course.judge(engine, isKill ? course.handed : course.synced), "", say);
      check.equal(engine.recovery.damaged, 0, `${say}: no damage`);
    }
  }

  #work(engine: LogEngine, course: Course, life: number): void {
    try {
      new Script(this.#seed * 10 + life, STEPS).run(engine, this.#machine, course);
      this.#machine.world.run(this.#draw.below(20));
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.#counts.deaths++;
    }
  }

  /** Half of the lives end by a crash alone. */
  #drawFault(): Fault | null {
    const draw = this.#draw.below(4);
    const at = 1 + this.#draw.below(OPERATIONS);
    if (draw < 2) return null;
    if (draw === 2) return { on: "change", at, effect: "die" };
    this.#counts.errors++;
    return { on: "change", at, effect: "EIO", isSticky: this.#draw.chance(1, 2) };
  }

  #open(): LogEngine {
    return this.#machine.open({ segmentBytes: this.#segmentBytes, compaction: this.#compaction() });
  }

  #compaction(): CompactionOptions {
    return this.#machine.compaction({
      deadRatioMin: 0.1 + this.#draw.below(7) / 10,
      stepBytes: 100 + this.#draw.below(4000),
      coldMs: this.#draw.below(3),
    });
  }
}
