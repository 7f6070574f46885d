/**
 * A dot is never issued twice: the actor file over stops, kills, power losses, wipes and damage.
 */

import { COUNTER_BLOCK } from "../../core/limits.ts";
import { toHex } from "../../core/bytes.ts";
import { type Actor, ACTOR_FILE, openActor } from "../../storage/actor.ts";
import { DiskError } from "../../storage/disk.ts";
import { SeededRandom, seedFrom } from "../random.ts";
import { Death } from "../simulation/disk.ts";
import type { Case, Check } from "../suite.ts";
import { Machine } from "./engine-beds.ts";

const SEED = seedFrom(globalThis.process?.env.SEED, 679);

export const suite: Case[] = [
  { name: "a clean stop goes on with the next counter, under any boot", run: cleanStop },
  { name: "kill -9 keeps the actor and goes on behind the reserved end", run: killed },
  {
    name: "an unclean stop under another boot, an empty or a damaged file: a new actor",
    run: renewed,
  },
  { name: "that the store may have lost something is told until it is recorded", run: lossTold },
  { name: "an engine that forgets gets a new actor each time", run: forgetful },
  { name: "stamps rise over restarts, whatever the date", run: stamps },
  { name: "no dot is issued twice over thousands of crashes", run: crashes },
  { name: "a counter is not given while its block cannot be made durable", run: refused },
];

class Store {
  readonly machine: Machine;
  readonly random: SeededRandom;
  boot = 1;

  constructor(seed: number) {
    this.machine = new Machine(seed);
    this.random = new SeededRandom(seed + 1);
  }

  open(isKept = true): Actor {
    return openActor({
      disk: this.machine.disk.mount(),
      bootId: `boot-${this.boot}`,
      fill: (bytes) => this.random.fill(bytes),
      isKept,
    });
  }

  unplug(): void {
    this.machine.disk.unplug();
    this.boot++;
  }
}

function idOf(actor: Actor): string {
  return toHex(actor.bytes, 0, 8);
}

function cleanStop(check: Check): void {
  const store = new Store(1);
  const first = store.open();
  check.same([first.isNew, first.nextCounter(), first.nextCounter()], [true, 1, 2], "begins at 1");
  first.lossRecorded();
  first.close(1000, 5);
  store.unplug();
  const second = store.open();
  check.equal(idOf(second), idOf(first), "same actor");
  check.same([second.isNew, second.mayHaveLost], [false, false], "nothing can be lost");
  check.equal(second.nextCounter(), 3, "the exact next counter");
  check.same([second.stampMs, second.stampLogical], [1000, 5], "the last stamp");
}

function killed(check: Check): void {
  const store = new Store(2);
  const first = store.open();
  first.lossRecorded();
  first.nextCounter();
  store.machine.disk.kill();
  const second = store.open();
  check.equal(idOf(second), idOf(first), "same actor");
  check.same([second.isNew, second.mayHaveLost], [false, false], "the kernel has all");
  check.equal(second.nextCounter(), COUNTER_BLOCK + 1, "behind the block");
}

function renewed(check: Check): void {
  const store = new Store(3);
  const ids = new Set<string>();
  const expectNew = (say: string): void => {
    const actor = store.open();
    check.ok(actor.isNew && actor.mayHaveLost, `${say}: new`);
    check.equal(actor.nextCounter(), 1, `${say}: counts from 1`);
    ids.add(idOf(actor));
  };
  expectNew("an empty disk");
  store.unplug();
  expectNew("another boot");
  store.machine.disk.wipe();
  expectNew("a wiped disk");
  const length = store.machine.disk.contents(ACTOR_FILE).length;
  for (let byte = 0; byte < length; byte++) {
    store.machine.disk.flip(ACTOR_FILE, byte * 8 + (byte % 8));
    expectNew(`damage at byte ${byte}`);
  }
  store.machine.disk.setContents(ACTOR_FILE, new Uint8Array(7));
  expectNew("a short file");
  check.equal(ids.size, length + 4, "all different");
}

function lossTold(check: Check): void {
  const store = new Store(4);
  const first = store.open();
  first.lossRecorded();
  store.unplug();
  check.equal(store.open().mayHaveLost, true, "after a power loss");
  store.machine.disk.kill();
  const again = store.open();
  check.same(
    [again.isNew, again.mayHaveLost],
    [false, true],
    "and after a crash before it is recorded",
  );
  again.lossRecorded();
  store.machine.disk.kill();
  check.equal(store.open().mayHaveLost, false, "recorded");
}

function forgetful(check: Check): void {
  const store = new Store(5);
  const first = store.open(false);
  first.coverStamp(5000);
  first.close(5001, 2);
  const second = store.open(false);
  check.equal(second.isNew, true, "new");
  check.ok(idOf(first) !== idOf(second), "another one");
  check.equal(second.stampMs, 5001, "stamps rise all the same");
}

function stamps(check: Check): void {
  const store = new Store(6);
  let last = 0;
  for (let life = 0; life < 20; life++) {
    const actor = store.open();
    check.ok(actor.stampMs >= last, `life ${life}: above all that was issued`);
    // A date that goes back now and then; a clock that never does.
    let stamp = Math.max(actor.stampMs + 1, 1_000_000 - life * 1000);
    for (let step = 0; step < 50; step++) {
      actor.coverStamp(stamp);
      last = stamp;
      stamp += store.random.below(3000);
    }
    if (life % 2 === 0) store.machine.disk.kill();
    else store.unplug();
  }
}

function crashes(check: Check): void {
  const random = new SeededRandom(SEED);
  /** Actor → the highest counter that was given. */
  const given = new Map<string, number>();
  let store = new Store(SEED);
  for (let life = 0; life < 4000; life++) {
    try {
      if (random.chance(1, 3)) {
        store.machine.disk.inject({ on: "change", at: 1 + random.below(12), effect: "die" });
      }
      const actor = store.open();
      const id = idOf(actor);
      for (let count = random.below(4); count > 0; count--) {
        const counter = actor.nextCounter();
        const highest = given.get(id) ?? 0;
        if (counter <= highest) check.ok(false, `SEED=${SEED} life ${life}: ${counter} again`);
        given.set(id, Math.max(highest, counter));
        // Use a block up now and then.
        if (random.chance(1, 300)) {
          for (let use = 0; use < COUNTER_BLOCK; use++) given.set(id, actor.nextCounter());
        }
      }
      if (random.chance(1, 3)) actor.close(life, 0);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
    }
    store.machine.disk.clearFaults();
    const fate = random.below(10);
    if (fate < 5) store.machine.disk.kill();
    else if (fate < 9) store.unplug();
    else store.machine.disk.wipe();
    if (random.chance(1, 500)) store = new Store(SEED + life);
  }
  check.ok(given.size > 500, `${given.size} actors`);
}

function refused(check: Check): void {
  const store = new Store(7);
  const actor = store.open();
  for (let count = 0; count < COUNTER_BLOCK; count++) actor.nextCounter();
  store.machine.disk.inject({ on: "sync", at: 1, effect: "EIO" });
  let code = "";
  try {
    actor.nextCounter();
  } catch (error) {
    if (error instanceof DiskError) code = error.code;
  }
  check.equal(code, "EIO", "the disk's error");
  check.equal(actor.nextCounter(), COUNTER_BLOCK + 1, "none was used up");
}
