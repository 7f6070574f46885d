/** File descriptors: what the system tells, and the reserve from which a data file opens. */

import { closeSync, openSync } from "node:fs";
import t from "tap";
import { DescriptorReserve, systemDescriptors } from "../../../server/ports/descriptors.ts";

class Exhausted extends Error {
  readonly code = "EMFILE";
}

/** A call that opens a file as soon as at least so many of the reserve were given back. */
function opensWith(reserve: DescriptorReserve, held: number): () => number {
  return () => {
    if (reserve.held > held) throw new Exhausted();
    return 7;
  };
}

t.test("what is open is counted", (tt) => {
  const seen: number[][] = [];
  // The runtime's own threads open and close files meanwhile: now and then one more is counted.
  while (seen.length < 20 && !seen.some(([more, after]) => more === 3 && after === 0)) {
    const before = systemDescriptors.open();
    const opened = [1, 2, 3].map(() => openSync("/dev/null", "r"));
    const more = systemDescriptors.open() - before;
    for (const descriptor of opened) closeSync(descriptor);
    seen.push([more, systemDescriptors.open() - before]);
  }
  tt.same(seen.at(-1), [3, 0], `three more, and given back: ${JSON.stringify(seen)}`);
  tt.ok(systemDescriptors.max >= systemDescriptors.open(), `of ${systemDescriptors.max}`);
  tt.end();
});

t.test("the reserve is really held, gives one where none is left, and fills up again", (tt) => {
  const before = systemDescriptors.open();
  const reserve = new DescriptorReserve(4);
  tt.equal(systemDescriptors.open() - before, 4, "four are held");
  tt.equal(reserve.open(() => 5), 5, "a call that needs none");
  tt.equal(reserve.held, 4, "takes none");
  tt.equal(reserve.open(opensWith(reserve, 3)), 7, "a call that finds none is made again");
  tt.equal(reserve.held, 3, "with one of these");
  tt.equal(systemDescriptors.open() - before, 3, "which is free then");
  reserve.open(() => 5);
  tt.equal(reserve.held, 4, "the next call fills it up");
  reserve.release();
  tt.equal(systemDescriptors.open(), before, "all are given back");
  tt.end();
});

t.test("what fails for another reason, or with an empty reserve, fails", (tt) => {
  const reserve = new DescriptorReserve(0);
  tt.throws(() => reserve.open(opensWith(reserve, -1)), { code: "EMFILE" }, "an empty reserve");
  const other = new DescriptorReserve(1);
  const denied = (): number => {
    throw Object.assign(new Error("no"), { code: "EACCES" });
  };
  tt.throws(() => other.open(denied), { code: "EACCES" }, "another reason");
  tt.equal(other.held, 1, "costs nothing");
  other.release();
  tt.end();
});
