/**
 * Simulation seed 120483 (2026-11-26). The first attempt at a write was held by stand-ins alone. A client read it there
 * and wrote over it, so the owners' clock covered it, but none of them had ever seen it. The retry, through an
 * owner, asked everybody: the stand-ins showed the write live, the merge of all that was shown had lost it to its
 * successor, and since nobody remembered it as superseded it was made again, beside its successor.
 */

import t from "tap";
import { drawRequestId } from "../../core/request-id.ts";
import { bodiesOf } from "../server/replication/one-version.ts";
import { nameOf, SmallCluster } from "../server/replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LABELS = { layout: 1, round: 0 };

t.test("a retry of a write that stand-ins hold, and that owners have superseded unseen, makes no second version", (tt) => {
  const cluster = new SmallCluster(5);
  const [first, second, third, fourth] = cluster.preference(NAME);
  const requestId = drawRequestId(first.clock.nowMs() - 60_000, (bytes) => void bytes.fill(7));
  // The write and what a client wrote over it, made elsewhere.
  const [scratch] = new SmallCluster(1).nodes;
  scratch.put(NAME, "old", { requestId });
  const old = scratch.held(NAME);
  scratch.put(NAME, "new", { context: scratch.get(NAME, 1).context });
  const newer = scratch.held(NAME);
  if (old === null || newer === null) throw new Error("nothing was made");
  for (const owner of [first, second, third]) owner.objects.write(NAME, newer, LABELS);
  fourth.replication.hints.store(third.seenBy(fourth), NAME, old, LABELS);
  const retry = first.put(NAME, "old", { requestId, w: 3 });
  tt.equal(retry.outcome, "done", retry.detail);
  for (const owner of [first, second, third]) {
    tt.same(bodiesOf(owner.held(NAME)).map((body) => body.slice(-3)), ["new"], owner.name);
  }
  tt.end();
});
