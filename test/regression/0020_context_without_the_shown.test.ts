/**
 * `make sim SEED=400265` (2026-11-27). A read showed two siblings, and its context, which takes 31 entries, had lost
 * the older one's: those with the oldest stamps went, whatever they covered. The put that followed superseded
 * one sibling and left the other, and so would any put after it.
 */

import t from "tap";
import { mergeSets } from "../../server/replication/merge-sets.ts";
import { clockOf } from "../server/replication/one-version.ts";
import { nameOf, SmallCluster, valuesOf } from "../server/replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LABELS = { layout: 1, round: 0 };
/** More dots than a context has room for. */
const DOTS = 40;

t.test("a put resolves the siblings that its context comes from, however long their clock is", (tt) => {
  const cluster = new SmallCluster(3, { seed: 20 });
  const [node] = cluster.nodes;
  for (const value of ["old", "young"]) {
    node.put(NAME, value, { w: 3 });
    cluster.world.run(1_000);
  }
  const held = node.held(NAME);
  if (held === null) throw new Error("nothing was made");
  const longer = mergeSets(held, clockOf(1, DOTS, node.clock.nowMs()));
  for (const owner of cluster.nodes) owner.objects.write(NAME, longer, LABELS);
  const read = node.get(NAME, 2);
  tt.same(valuesOf(read), ["old", "young"], "what is shown");
  tt.equal(node.put(NAME, "both", { context: read.context, w: 3 }).outcome, "done", "the put that resolves them");
  tt.same(valuesOf(node.get(NAME, 2)), ["both"], "what is shown then");
  tt.end();
});
