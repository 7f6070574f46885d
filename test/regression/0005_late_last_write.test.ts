/**
 * Simulation seeds 421 and 745 (2026-11-21). Where the last write wins, a retry got a newer stamp than its
 * first attempt had, and beat what had been written in between: through a node that had no copy of its
 * own, and through one that was cut off.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

const KEY = "last/price";

t.test("a retry through a node without a copy is the write that was made", (t) => {
  const stage = new Stage(6);
  const { owners, others } = stage.preference(KEY);
  const requestId = stage.requestId();
  stage.put(owners[0], KEY, "old", { requestId, w: "all" });
  stage.put(owners[1], KEY, "new", { w: "all" });
  stage.run(1_000);
  stage.partition([others[0], ...owners.slice(0, 2)]);
  stage.run(3_000);
  t.equal(stage.put(others[0], KEY, "old", { requestId }).outcome, "done", "the retry is done");
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 6; node++) t.same(stage.values(node, KEY), ["new"], `node ${node}`);
  t.end();
});

t.test("a retry through a node that is alone does not win when it is back", (t) => {
  const stage = new Stage(7);
  const { owners, others } = stage.preference(KEY);
  const requestId = stage.requestId();
  const alone = others[3];
  stage.isolate(alone);
  stage.run(5_000);
  stage.put(owners[0], KEY, "old", { requestId });
  const { context } = stage.get(owners[0], KEY);
  stage.put(owners[1], KEY, "new", { context });
  stage.run(1_000);
  t.equal(stage.put(alone, KEY, "old", { requestId, w: 1 }).outcome, "done", "it is taken");
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 7; node++) t.same(stage.values(node, KEY), ["new"], `node ${node}`);
  t.end();
});
