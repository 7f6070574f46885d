/**
 * Simulation seed 169 (2026-11-21). A delete without a context got no answer and was sent again, seconds
 * later, through a node that had not seen the first attempt: it read what was there by then, and deleted
 * what had come after it.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

t.test("a delete that is sent again deletes nothing that came after it", (t) => {
  const stage = new Stage(4);
  const key = "sib/basket";
  const { owners } = stage.preference(key);
  const [first, second, third] = owners;
  const requestId = stage.requestId();
  stage.isolate(third);
  stage.run(3_000);
  stage.put(first, key, "old");
  stage.delete(second, key, { requestId });
  const { context } = stage.get(first, key);
  stage.put(first, key, "new", { context });
  stage.healNetwork();
  stage.until("it is there", () => stage.values(third, key, { r: 1 })[0] === "new");
  const members = () => stage.cluster.node(third)?.membership.members ?? [];
  stage.until("it reaches all others", () => members().every(({ healthy }) => healthy));
  t.equal(stage.delete(third, key, { requestId }).outcome, "done", "the delete was done");
  for (let node = 0; node < 4; node++) t.same(stage.values(node, key), ["new"], `node ${node}`);
  t.end();
});
