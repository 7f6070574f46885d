/**
 * Tails of a log as crashes leave them (B3): the last record cut at every byte, zeros and rubbish behind
 * it. All that was before is kept, the tail is dropped once, and what is written next is sound.
 */

import { HEADER_BYTES } from "../../storage/log/record.ts";
import { ACTOR_FILE, openActor } from "../../storage/actor.ts";
import { SeededRandom } from "../random.ts";
import { Machine } from "../storage/engine-beds.ts";
import { LABELS, outcomeText, read, textOf } from "../storage/sets.ts";
import type { Check } from "../suite.ts";
import type { Counts } from "../row.ts";
import { machineWith, one, readAll, recordStarts, SampleLog } from "./sample-log.ts";

/** An unsynced last record of each kind, cut at every so manieth byte: it alone is lost. */
export function cutTail(check: Check, every: number): Counts {
  const log = new SampleLog();
  let cuts = 0;
  for (let steps = 1; steps <= log.steps.length; steps++) {
    const before = log.fileAfter(steps - 1, false);
    const after = log.fileAfter(steps, false);
    const wanted = readAll(machineWith(before).open());
    const least = Math.max(before.length, HEADER_BYTES);
    const boundaries = recordStarts(after);
    for (let length = least; length < after.length; length += every, cuts++) {
      const say = `step ${steps} cut at ${length - before.length}`;
      const machine = machineWith(after.slice(0, length));
      const engine = machine.open();
      check.same(readAll(engine), wanted, `${say}: what was before`);
      const isBoundary = boundaries.includes(length);
      check.equal(engine.recovery.tornBytes > 0, !isBoundary, `${say}: told as torn`);
      check.equal(engine.recovery.damaged, 0, `${say}: not as damage`);
      log.steps[steps - 1](engine);
      const now = readAll(engine);
      check.same(readAll(machine.open()), now, `${say}: the next record is sound`);
    }
  }
  return { recordKinds: 6, cuts };
}

/** 1, 3, 15 … 65,536 bytes, and with a step all lengths between. */
function tailLengths(step: number): number[] {
  const lengths = [1, 3, 15, 71, 72, 73, 512, 4096, 65_536];
  for (let length = 2; step > 0 && length < 65_536; length += step) lengths.push(length);
  return lengths;
}

/** Zeros and rubbish behind the last record are cut off once. @param step 0: some lengths only */
export function rubbishTail(check: Check, seed: number, step: number): Counts {
  const log = new SampleLog();
  const whole = log.fileAfter(log.steps.length, false);
  const wanted = readAll(machineWith(whole).open());
  const random = new SeededRandom(seed + 2);
  let tails = 0;
  for (const length of tailLengths(step)) {
    for (const isZeros of [true, false]) {
      tails++;
      const file = new Uint8Array(whole.length + length);
      file.set(whole);
      if (!isZeros) random.fill(file.subarray(whole.length));
      const machine = machineWith(file);
      const engine = machine.open();
      const say = `${length} bytes of ${isZeros ? "zeros" : "rubbish"}`;
      check.same(readAll(engine), wanted, `${say}: all is there`);
      check.equal(engine.recovery.damaged, 0, `${say}: no damage`);
      engine.write(one, log.two, LABELS);
      machine.sync(engine);
      const again = machine.open();
      check.equal(outcomeText(read(again, one)), `found ${textOf(log.two)}`, `${say}: goes on`);
      check.equal(again.recovery.tornBytes, 0, `${say}: cut once`);
    }
  }
  return { tails };
}

/** The actor's file cut at every byte: another actor, whose dots nobody has. */
export function cutActor(check: Check): Counts {
  const machine = new Machine(1);
  const random = new SeededRandom(1);
  const start = () =>
    openActor({
      disk: machine.disk.mount(),
      bootId: "boot",
      fill: (bytes) => random.fill(bytes),
      isKept: true,
    });
  const first = start();
  const file = machine.disk.contents(ACTOR_FILE);
  for (let length = 0; length < file.length; length++) {
    machine.disk.setContents(ACTOR_FILE, file.slice(0, length));
    const actor = start();
    const isOther = String(actor.bytes) !== String(first.bytes);
    check.ok(isOther && actor.mayHaveLost, `the actor's file cut at ${length}: a new actor`);
  }
  return { actorCuts: file.length };
}
