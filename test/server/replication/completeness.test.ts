/**
 * Complete or partial: what makes a replica complete, what is kept of it, and towards which side it
 * errs.
 */

import t from "tap";
import { Completeness } from "../../../server/replication/completeness.ts";
import { SmallDisk } from "../membership/small-disk.ts";

const Q = 16;
const FILE = "completeness";
/** Bytes 1 to 3 of the file say nothing yet. */
const RESERVED = [1, 2, 3];

function open(disk: SmallDisk, partitions = Q): Completeness {
  const completeness = new Completeness(disk, partitions);
  completeness.restore();
  return completeness;
}

function completeOnes(completeness: Completeness): number[] {
  return Array.from({ length: Q }, (_, index) => index).filter((index) =>
    completeness.isComplete(index)
  );
}

t.test("one complete peer makes a partition complete; of partial ones it takes all", (tt) => {
  const completeness = open(new SmallDisk());
  completeness.compared(3, "a", true, ["a", "b"]);
  completeness.compared(4, "a", false, ["a", "b"]);
  tt.same(completeOnes(completeness), [3], "a partial peer is not enough");
  completeness.compared(4, "c", false, ["a", "b"]);
  completeness.compared(4, "a", false, ["a", "b"]);
  tt.same(completeOnes(completeness), [3], "nor one that is no primary, nor the same again");
  completeness.compared(4, "b", false, ["a", "b"]);
  tt.same(completeOnes(completeness), [3, 4], "all other primaries are");
  completeness.completeAlone(5);
  tt.same(completeOnes(completeness), [3, 4, 5], "and where there are none");
  tt.end();
});

t.test("what was compared before a partition became partial again does not count", (tt) => {
  const completeness = open(new SmallDisk());
  completeness.compared(4, "a", false, ["a", "b"]);
  completeness.partialAll();
  completeness.compared(4, "b", false, ["a", "b"]);
  tt.same(completeOnes(completeness), [], "only one since then");
  completeness.compared(4, "a", false, ["a", "b"]);
  completeness.release(4);
  tt.same(completeOnes(completeness), [], "not owned any more");
  completeness.compared(4, "b", false, ["a", "b"]);
  tt.same(completeOnes(completeness), [], "owned again, it begins anew");
  tt.end();
});

t.test("what was saved comes back, and what was not does not", (tt) => {
  const disk = new SmallDisk();
  const completeness = open(disk);
  completeness.completeAll();
  completeness.release(7);
  completeness.save();
  completeness.compared(7, "a", true, ["a"]);
  const wanted = Array.from({ length: Q }, (_, index) => index).filter((index) => index !== 7);
  tt.same(
    completeOnes(open(disk)),
    wanted,
    "a partition that became complete just now is partial again",
  );
  completeness.partialAll();
  tt.same(completeOnes(open(disk)), [], "what becomes partial is on disk at once");
  tt.end();
});

t.test("a file that is absent, damaged, or of another ring leaves everything partial", (tt) => {
  const disk = new SmallDisk();
  open(disk).completeAll();
  const bytes = disk.files.get(FILE) ?? new Uint8Array(0);
  tt.equal(completeOnes(open(disk)).length, Q, "the file is sound");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    if (RESERVED.includes(bit >> 3)) continue;
    const damaged = bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    disk.files.set(FILE, damaged);
    const count = completeOnes(open(disk)).length;
    if (count !== 0) tt.fail(`bit ${bit} turned over leaves ${count} complete`);
  }
  disk.files.set(FILE, bytes.subarray(0, bytes.length - 1));
  tt.same(completeOnes(open(disk)), [], "cut off");
  disk.files.set(FILE, bytes);
  tt.equal(open(disk, 8).isComplete(0), false, "eight partitions instead of sixteen");
  disk.files.delete(FILE);
  tt.same(completeOnes(open(disk)), [], "absent");
  tt.end();
});
