/**
 * `make crash ROWS=B10 SEED=80` (2026-11-25). A sync failed, which sealed the engine; the process was
 * started again under the same kernel, which showed all that was written and called the next sync a success,
 * although it had dropped those bytes. Acknowledged on top of that, and the power went: damage.
 */

import t from "tap";
import { Machine } from "../storage/engine-beds.ts";
import { LABELS, nameOf, outcomeText, payloadOf, read, setOf, textOf } from "../storage/sets.ts";

t.test("what a failed sync left in the kernel is durable once a start has taken it over", (t) => {
  const machine = new Machine(1);
  const engine = machine.open();
  const set = setOf({ counter: 1, payload: payloadOf(1, 5_000) });
  engine.write(nameOf("b/first"), set, LABELS);
  t.equal(machine.sync(engine), true, "the log is there");
  engine.write(nameOf("b/second"), set, LABELS);
  machine.disk.inject({ on: "sync", at: 1, effect: "EIO" });
  t.equal(machine.sync(engine), false, "a sync fails");
  machine.disk.kill();
  const again = machine.open();
  again.write(nameOf("b/third"), set, LABELS);
  t.equal(machine.sync(again), true, "after the start syncs succeed");
  machine.disk.unplug();
  const last = machine.open();
  t.equal(last.recovery.damaged, 0, "nothing is damaged");
  for (const key of ["first", "second", "third"]) {
    t.equal(outcomeText(read(last, nameOf(`b/${key}`))), `found ${textOf(set)}`, key);
  }
  t.end();
});
