/**
 * `make chaos ROWS=D8 SEED=2` (2026-11-27). A put goes to the node that answered its read, which the context names. That
 * node was about to stop and refused; and the node that had handed the put on, an owner as well, passed the
 * refusal on to the client instead of taking the write.
 */

import t from "tap";
import { nameOf, SmallCluster, valuesOf } from "../server/replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");

t.test("a put whose reader refuses for a reason of its own is taken by the owner that handed it on", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, reader] = cluster.preference(NAME);
  reader.put(NAME, "old", { w: 3 });
  const { context } = reader.get(NAME, 1);
  reader.coordinator.stop();
  tt.equal(reader.put(NAME, "refused").code, "not-ready", "the reader takes nothing any more");
  const put = first.put(NAME, "new", { context });
  tt.equal(put.outcome, "done", put.detail);
  tt.same(valuesOf(first.get(NAME, 2)), ["new"], "what is read then");
  tt.end();
});
