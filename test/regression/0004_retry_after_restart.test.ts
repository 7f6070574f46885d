/**
 * Simulation seed 221 (2026-11-21). A write was overwritten; the nodes that knew of it were killed and
 * came back; a retry of the write, through another node, made its value a sibling of what had overwritten
 * it, for good: which requests were superseded had been remembered in memory alone.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

t.test("what was superseded is known after a restart of all who saw it", (t) => {
  const stage = new Stage(3);
  const key = "sib/basket";
  const requestId = stage.requestId();
  stage.put(0, key, "old", { requestId, w: "all" });
  const { context } = stage.get(0, key);
  stage.put(0, key, "new", { context, w: "all" });
  for (let node = 0; node < 3; node++) {
    stage.cluster.kill(node);
    stage.run(500);
    stage.cluster.start(node);
    stage.until("it runs", () => (stage.cluster.node(node)?.objects ?? null) !== null);
  }
  stage.run(5_000);
  for (let node = 0; node < 3; node++) {
    t.equal(stage.put(node, key, "old", { requestId }).outcome, "done", `a retry through ${node}`);
    t.same(stage.values(node, key), ["new"], "brings nothing back");
  }
  t.end();
});
