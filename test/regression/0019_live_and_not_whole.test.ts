/**
 * `make sim SEED=300017` (2026-11-27). A retry was asked about before it was made again. One node held its version live, but
 * the bodies of what it held did not come in time, so its set was left out of the merge; and since the merge lacked
 * the version, it was taken for superseded by the rest. The retry was answered as done, by two owners that held
 * nothing of it.
 */

import t from "tap";
import { drawRequestId } from "../../core/request-id.ts";
import { bodiesOf } from "../server/replication/one-version.ts";
import { nameOf, SmallCluster } from "../server/replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LABELS = { layout: 1, round: 0 };
/** Too much for one frame: it is fetched by itself. */
const LARGE = "x".repeat(3_000);

t.test("a retry of a write that one node holds live, and cannot show whole, is not acknowledged without it", (tt) => {
  const cluster = new SmallCluster(3, { setBytesMax: 2_000 });
  const [first, second, third] = cluster.preference(NAME);
  const requestId = drawRequestId(first.clock.nowMs() - 60_000, (bytes) => void bytes.fill(7));
  const [scratch] = new SmallCluster(1, { seed: 9 }).nodes;
  scratch.put(NAME, "other");
  const other = scratch.held(NAME);
  scratch.put(NAME, LARGE, { requestId });
  const made = scratch.held(NAME);
  if (other === null || made === null) throw new Error("nothing was made");
  for (const owner of [first, second]) owner.objects.write(NAME, other, LABELS);
  third.objects.write(NAME, made, LABELS);
  const sound = third.objects.read.bind(third.objects);
  let reads = 0;
  // Its head is answered, and then a body is too long in coming.
  third.objects.read = (name, done) => {
    if (++reads === 1) sound(name, done);
  };
  const retry = first.put(NAME, LARGE, { requestId, w: 2 });
  tt.equal(retry.outcome, "unknown", "what became of it is not known");
  third.objects.read = sound;
  const again = first.put(NAME, LARGE, { requestId, w: 2 });
  tt.equal(again.outcome, "done", again.detail);
  for (const owner of [first, third]) {
    tt.same(bodiesOf(owner.held(NAME)).map((body) => body.slice(-5)).sort(), ["other", "xxxxx"], owner.name);
  }
  tt.end();
});
