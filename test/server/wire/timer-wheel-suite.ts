/** The timer wheel against a list that is searched from end to end. */

import process from "node:process";
import { systemClock } from "../../../server/ports/clock.ts";
import { TICK_MS, type TimerTarget, TimerWheel } from "../../../server/wire/timer-wheel.ts";
import { HEAP_NOISE_BYTES, HOT_CALLS, steadyHeapGrowth } from "../../heap-growth.ts";
import { SeededRandom } from "../../random.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";
import type { Case } from "../../suite.ts";

interface NaiveTimer {
  readonly tick: number;
  readonly order: number;
  readonly tag: number;
}

/**
 * Random schedules and cancellations, some from within expired(); what expired must be what a list
 * says.
 */
class Duel implements TimerTarget {
  readonly world = new World();
  readonly clock = new SimulatedClock(this.world, "n1");
  readonly wheel = new TimerWheel(this.clock);
  readonly random: SeededRandom;
  readonly expiredTags: number[] = [];
  readonly wantedTags: number[] = [];
  readonly early: number[] = [];
  readonly #naive: NaiveTimer[] = [];
  readonly #handles = new Map<number, number>();
  readonly #dueMs = new Map<number, number>();
  #tag = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  schedule(): void {
    const { random } = this;
    const spans = [1, 40, 300, 12_000, 70_000];
    const delayMs = random.below(spans[random.below(spans.length)] * 4) / 4;
    const tag = ++this.#tag;
    const now = this.clock.elapsedMs();
    this.#handles.set(tag, this.wheel.schedule(delayMs, this, tag));
    this.#dueMs.set(tag, now + delayMs);
    // The slot that has begun is over for new timers.
    const least = Math.floor(now / TICK_MS) + 1;
    const tick = Math.max(least, Math.ceil((now + delayMs) / TICK_MS));
    this.#naive.push({ tick, order: tag, tag });
  }

  cancel(): void {
    const tag = 1 + this.random.below(this.#tag + 1);
    const handle = this.#handles.get(tag);
    if (handle === undefined) return;
    this.wheel.cancel(handle);
    const index = this.#naive.findIndex((timer) => timer.tag === tag);
    if (index >= 0) this.#naive.splice(index, 1);
  }

  expired(tag: number): void {
    const now = this.clock.elapsedMs();
    if (now < (this.#dueMs.get(tag) ?? Infinity)) this.early.push(tag);
    this.expiredTags.push(tag);
    this.#naive.sort((left, right) => left.tick - right.tick || left.order - right.order);
    this.wantedTags.push(this.#naive.shift()?.tag ?? -1);
    if (this.random.chance(1, 5)) this.schedule();
    if (this.random.chance(1, 5)) this.cancel();
  }

  get waiting(): number {
    return this.#naive.length;
  }
}

export const suite: Case[] = [
  {
    name:
      "TimerWheel fires in the order of slots, then as scheduled, never early",
    run(check) {
      for (let seed = 1; seed <= 30; seed++) {
        const duel = new Duel(seed);
        for (let step = 0; step < 400; step++) {
          if (duel.random.chance(3, 5)) duel.schedule();
          if (duel.random.chance(1, 3)) duel.cancel();
          if (duel.random.chance(1, 2)) duel.world.run(duel.random.below(60));
          if (duel.random.chance(1, 80)) duel.clock.pause(duel.random.below(30_000));
        }
        duel.world.run(400_000);
        check.same(duel.expiredTags, duel.wantedTags, `seed ${seed}: order`);
        check.same(duel.early, [], `seed ${seed}: none early`);
        check.equal(duel.wheel.pending, 0, `seed ${seed}: none left in the wheel`);
        check.equal(duel.waiting, 0, `seed ${seed}: none left in the list`);
        check.equal(duel.world.waiting, 0, `seed ${seed}: the clock is left alone`);
      }
    },
  },
  {
    name: "TimerWheel fires at most a slot late",
    run(check) {
      const world = new World();
      const wheel = new TimerWheel(new SimulatedClock(world, "n1"));
      const late: number[] = [];
      const target = { expired: (due: number) => void late.push(world.elapsedMs - due) };
      for (let index = 0; index < 500; index++) {
        world.run(0.7);
        wheel.schedule(index * 31, target, world.elapsedMs + index * 31);
      }
      world.run(60_000);
      check.equal(late.length, 500, "all fired");
      check.ok(Math.max(...late) <= TICK_MS + 1, `latest ${Math.max(...late)} ms`);
      check.ok(Math.min(...late) >= 0, "none early");
    },
  },
  {
    name:
      "TimerWheel asks the clock for nothing while nothing is scheduled, and once for a far timer",
    run(check) {
      const world = new World();
      const wheel = new TimerWheel(new SimulatedClock(world, "n1"));
      check.equal(world.waiting, 0, "a new wheel");
      const handle = wheel.schedule(5_000, { expired: () => {} }, 1);
      world.run(4_000);
      check.equal(world.events, 0, "no wake-up before the timer is due");
      wheel.cancel(handle);
      world.run(60_000);
      check.equal(world.events, 1, "the wake-up that was under way, and none after it");
      wheel.schedule(5_000, { expired: () => {} }, 1);
      wheel.cancel(wheel.schedule(20, { expired: () => {} }, 2));
      world.run(60_000);
      check.ok(world.events <= 4, `${world.events} wake-ups`);
      wheel.cancel(wheel.schedule(5_000, { expired: () => {} }, 1));
      wheel.rest();
      const before = world.events;
      world.run(60_000);
      check.equal(world.events, before, "rest() gives up what is under way");
    },
  },
  {
    name: "TimerWheel ignores handles of timers that are gone, though their places are used again",
    run(check) {
      const world = new World();
      const wheel = new TimerWheel(new SimulatedClock(world, "n1"));
      const fired: number[] = [];
      const target = { expired: (tag: number) => void fired.push(tag) };
      const first = wheel.schedule(10, target, 1);
      world.run(30);
      const second = wheel.schedule(10, target, 2);
      wheel.cancel(first);
      wheel.cancel(0);
      wheel.cancel(123_456_789);
      world.run(30);
      check.same(fired, [1, 2], "the second fired");
      wheel.cancel(second);
      check.equal(wheel.pending, 0, "nothing is counted twice");
    },
  },
  {
    name: "TimerWheel holds a hundred thousand timers and lets a target cancel its neighbours",
    run(check) {
      const world = new World();
      const wheel = new TimerWheel(new SimulatedClock(world, "n1"));
      const handles: number[] = [];
      let fired = 0;
      const target = {
        expired: (tag: number) => {
          fired++;
          wheel.cancel(handles[tag + 1]);
        },
      };
      for (let tag = 0; tag < 100_000; tag++) handles.push(wheel.schedule(50, target, tag));
      check.equal(wheel.pending, 100_000, "all wait");
      world.run(100);
      check.equal(fired, 50_000, "every second one was cancelled by the one before it");
    },
  },
  {
    name: "TimerWheel allocates nothing to schedule and cancel",
    async run(check) {
      const target = { expired: () => {} };
      // Whole numbers: V8 boxes fractions that cross a function call.
      const still = { ...systemClock, elapsedMs: () => 5, after: () => ({ cancel: () => {} }) };
      const wheel = new TimerWheel(still);
      wheel.schedule(1, target, 0);
      const growth = await steadyHeapGrowth((calls) => {
        for (let call = 0; call < calls; call++) {
          wheel.cancel(wheel.schedule(5_000 + (call & 1023), target, call));
        }
      }, HOT_CALLS);
      // A handle is more than 31 bits, which V8 boxes where it does not inline the call, in 16 bytes; an
      // object takes twice that. The binary runs on JavaScriptCore, which boxes no number.
      const boxes = process.versions.bun === undefined ? 20 * HOT_CALLS : 0;
      check.ok(growth < HEAP_NOISE_BYTES + boxes, `${growth} bytes in ${HOT_CALLS} timers`);
    },
  },
];
