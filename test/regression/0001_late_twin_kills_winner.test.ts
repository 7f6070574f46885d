/**
 * Simulation seed 28 (2026-11-20). Last write wins; one write was coordinated twice (a retry),
 * another one in between. A replica that had seen the first version lose remembered its request as
 * superseded and killed the second on arrival; elsewhere the second had killed the write in
 * between. When the two states met, each killed the other's, and an acknowledged object was gone.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

t.test("a retry that wins by its stamp is not killed by who saw its first version lose", (t) => {
  const stage = new Stage(3);
  const key = "last/price";
  const requestId = stage.requestId();
  stage.partition([0], [1], [2]);
  stage.run(3_000);
  stage.put(0, key, "twin", { requestId, w: 1 });
  stage.run(100);
  stage.put(1, key, "between", { w: 1 });
  stage.run(100);
  stage.put(2, key, "twin", { requestId, w: 1 });
  stage.partition([0, 1], [2]);
  stage.until("the first two have met", () => stage.values(0, key, { r: 1 })[0] === "between");
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 3; node++) t.equal(stage.values(node, key).length, 1, `node ${node}`);
  t.end();
});
