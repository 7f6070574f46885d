/**
 * `make crash ROWS=B13` (2026-11-26). The disk of one node of four failed while writes waited to be handed to
 * it. From then on the node sent no frame at all, since any might have acknowledged what was not kept; so it
 * could not pass requests on either, and half of what clients sent through it failed for good.
 */

import t from "tap";
import { Stage } from "../simulation/stage.ts";

const KEY = "sib/basket";

t.test("a node that lost writes to its disk passes requests on, and answers for nothing that it held", (t) => {
  const stage = new Stage(5);
  const { owners, others } = stage.preference(KEY);
  const [broken] = owners;
  // Writes wait for the end of a turn in prepared segments alone, and the first one is not.
  for (let number = 0; number < 80; number++) stage.put(others[0], `sib/${number}`, "x".repeat(20_000));
  stage.cluster.disk(broken).inject({ on: "change", at: 1, effect: "EIO", isSticky: true });
  t.not(stage.put(broken, KEY, "first").outcome, "refused", "whether the disk took it is not known");
  // Its links were cut, with all that waited in them: its peers are asked whether they are well.
  stage.run(3_000);
  for (const value of ["second", "third"]) {
    const { context } = stage.get(broken, KEY);
    const put = stage.put(broken, KEY, value, { context });
    t.equal(put.outcome, "done", `${value} through the node itself: ${put.detail}`);
  }
  t.same(stage.values(broken, KEY), ["third"], "it reads what the others have");
  const strict = stage.get(others[0], KEY, { pr: 3 });
  t.not(strict.outcome, "done", "what it still holds in memory is no primary's answer");
  t.end();
});
