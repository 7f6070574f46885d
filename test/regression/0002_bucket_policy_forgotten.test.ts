/**
 * Simulation seed 612 (2026-11-20). A node learned a bucket's policy from gossip, kept it in memory
 * for a second, and was killed within that second. It came back, heard nobody, and wrote with the
 * default policy: siblings in a bucket where the last write wins.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

t.test("a node that knew a bucket's policy knows it after a crash, with the network cut", (t) => {
  const stage = new Stage(3);
  // The stage is set as soon as every node knows the policy of this bucket.
  stage.cluster.kill(2);
  stage.isolate(2);
  stage.cluster.start(2);
  stage.until("it runs", () => (stage.cluster.node(2)?.objects ?? null) !== null);
  stage.put(2, "last/price", "alone", { w: 1 });
  stage.put(2, "last/price", "alone, later", { w: 1 });
  t.same(stage.values(2, "last/price", { r: 1 }), ["alone, later"]);
  t.end();
});
