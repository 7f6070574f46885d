/**
 * Simulation seed 665 (2026-11-20). Two stand-ins each took an attempt at one write; a client that
 * saw the first version overwrote it through an owner, which knew that version from the context
 * alone. The first hint was dead on arrival, and nobody noted whose request it was; so the second,
 * a late twin, was taken for news, and the overwritten value stood beside its successor for good.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

t.test("a version that is dead on arrival tells of its request", (t) => {
  const stage = new Stage(5);
  const key = "sib/basket";
  const requestId = stage.requestId();
  const { owners, others } = stage.preference(key);
  const [left, right] = others;
  stage.partition([left], [right], owners);
  stage.run(5_000);
  t.equal(stage.put(left, key, "old", { requestId, w: 1 }).fallbacks, 1, "one stand-in");
  t.equal(stage.put(right, key, "old", { requestId, w: 1 }).fallbacks, 1, "the other");
  const { context } = stage.get(left, key, { r: 1 });
  t.equal(stage.put(owners[0], key, "new", { context, w: 3 }).primaries, 3, "all owners");
  stage.partition([right], [...owners, left]);
  stage.run(60_000);
  stage.healNetwork();
  stage.settle();
  for (let node = 0; node < 5; node++) t.same(stage.values(node, key), ["new"], `node ${node}`);
  t.end();
});
