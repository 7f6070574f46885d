/**
 * `make crash ROWS=B13` (2026-11-25). The first owner of a name could not write (its disk was full, or had
 * failed), and every put that another node handed on to it was refused, although two owners were well: a
 * quarter of what clients sent to sound nodes.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

const KEY = "sib/basket";

t.test("a put that its first owner has no room for goes to the next", (t) => {
  const stage = new Stage(5);
  const { owners, others } = stage.preference(KEY);
  stage.cluster.disk(owners[0]).capacityBytes = 0;
  const put = stage.put(others[0], KEY, "value");
  t.equal(put.outcome, "done", put.detail);
  for (let node = 0; node < 5; node++) t.same(stage.values(node, KEY), ["value"], `node ${node}`);
  t.end();
});

t.test("a node whose disk has failed refuses, which is certain, and the next is asked", (t) => {
  const stage = new Stage(5);
  const { owners, others } = stage.preference(KEY);
  stage.cluster.disk(owners[0]).inject({ on: "change", at: 1, effect: "EIO", isSticky: true });
  const first = stage.put(others[0], KEY, "first");
  t.not(first.outcome, "refused", "whether the disk took the first one is not known");
  for (const value of ["second", "third"]) {
    const { context } = stage.get(others[0], KEY);
    const put = stage.put(others[0], KEY, value, { context });
    t.equal(put.outcome, "done", `${value}: ${put.detail}`);
  }
  t.same(stage.values(others[1], KEY), ["third"], "the last one is read");
  t.end();
});
