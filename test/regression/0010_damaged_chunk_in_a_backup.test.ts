/**
 * Found by reading (2026-11-26): a backup with one damaged chunk of one large value. The objects that are
 * read from it for a restore had that value among them, sending it threw, and nothing behind it was restored.
 */

import t from "tap";
import { wholeBytes } from "../../storage/large-payload.ts";
import { LogVerification } from "../../storage/log/verification.ts";
import { Machine } from "../storage/engine-beds.ts";
import { LABELS, nameOf, payloadOf, setOf } from "../storage/sets.ts";

const FILE = "objects/00000001.log";
const LENGTHS = new Map([["b/0", 3_000], ["b/1", 40], ["b/2", 3_000], ["b/3", 1_500]]);
const decoder = new TextDecoder();

/** The names that can be read from a log. */
function readable(machine: Machine): string[] {
  const verification = new LogVerification(machine.disk.mount(), "objects");
  while (verification.step());
  const names: string[] = [];
  for (const { name, set } of verification.objects()) {
    for (const payload of set.payloads) if (payload !== null) wholeBytes(payload);
    names.push(decoder.decode(name));
  }
  verification.close();
  return names.sort();
}

t.test("an object with a damaged chunk is left out, and all others are read", (t) => {
  const machine = new Machine(1);
  const engine = machine.open({ streamBytesMin: 2_000, sliceBytes: 700 });
  let counter = 0;
  for (const [key, length] of LENGTHS) {
    engine.write(nameOf(key), setOf({ counter: ++counter, payload: payloadOf(counter, length) }), LABELS);
  }
  machine.sync(engine);
  t.same(readable(machine), [...LENGTHS.keys()], "all are there at first");
  const sought = payloadOf(1, 3_000).subarray(1_500, 1_550);
  const at = Buffer.from(machine.disk.contents(FILE)).indexOf(sought);
  t.ok(at > 0, "the third chunk of the first value is found");
  machine.disk.flip(FILE, at * 8);
  t.same(readable(machine), ["b/1", "b/2", "b/3"], "the damaged one is left out");
  t.end();
});
