/** Who has to be shown what, while a layout gives partitions to others. */

import t from "tap";
import { ownedPartitions, ownersOf } from "../../../server/replication/ownership.ts";
import { Relinquished } from "../../../server/replication/relinquished.ts";
import { layoutOf } from "../coordination/layouts.ts";

const before = layoutOf("123");
const after = layoutOf("1234", before);
const live = [before, after];

function lostBy(id: string): number[] {
  const had = ownedPartitions([before], id);
  const has = ownedPartitions([after], id);
  return [...had.keys()].filter((partition) => had[partition] === 1 && has[partition] === 0);
}

t.test("each of the newest owners is to be shown each partition that goes", (t) => {
  const [{ id }] = before.nodes;
  const lost = lostBy(id);
  t.ok(lost.length > 0, "the newcomer takes some of it");
  const relinquished = new Relinquished();
  const owners = new Set(lost.flatMap((partition) => ownersOf(after, partition)));
  t.same(relinquished.pending(live, id), owners);
  for (const partition of lost) {
    for (const owner of ownersOf(after, partition)) {
      t.ok(relinquished.pending(live, id).has(owner), `${owner} has not seen ${partition}`);
      relinquished.compared(after.number, partition, owner);
    }
  }
  t.equal(relinquished.pending(live, id).size, 0, "all of it was shown");
  t.end();
});

t.test("who loses nothing has nothing to show, nor does anybody when one layout is live", (t) => {
  const newcomer = after.nodes.find(({ id }) => before.indexOf(id) < 0)?.id ?? "";
  t.equal(new Relinquished().pending(live, newcomer).size, 0);
  for (const { id } of before.nodes) t.equal(new Relinquished().pending([after], id).size, 0);
  t.end();
});

t.test("a comparison counts for the layout that was the newest when it began", (t) => {
  const [{ id }] = before.nodes;
  const relinquished = new Relinquished();
  const pending = relinquished.pending(live, id);
  for (const partition of lostBy(id)) {
    for (const owner of ownersOf(after, partition)) relinquished.compared(before.number, partition, owner);
  }
  t.same(relinquished.pending(live, id), pending, "an older one does not");
  t.end();
});
