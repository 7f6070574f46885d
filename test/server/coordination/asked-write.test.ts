/** What follows from what replicas say of a write that may have been made before. */

import t from "tap";
import { isMadeIn, madeBefore, type Superseded } from "../../../server/coordination/asked-write.ts";
import { NOTHING } from "../../../server/replication/change.ts";
import { payloadChecksum, REQUEST_ID_OFFSET, versionOffset } from "../../../core/version-set.ts";
import { nameOf, SmallCluster } from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const [node] = new SmallCluster(1).nodes;
node.put(NAME, "asked about");
const live = node.held(NAME) ?? NOTHING;
const version = versionOffset(0, 0);
const id = version + REQUEST_ID_OFFSET;
const write = { requestId: live.head.slice(id, id + 16), checksum: payloadChecksum(live.head, version) };

t.test("a live version is given up for the state that superseded it, and for nobody's word", (t) => {
  t.ok(isMadeIn(live.head, write));
  const cases: [Superseded, boolean][] = [["no", true], ["hidden", true], ["gone", true], ["shown", false]];
  for (const [superseded, isKept] of cases) {
    const found = madeBefore(live, superseded, write);
    if (found === null || found === "unsure") t.fail(`${superseded}: nothing to hand on`);
    else t.equal(isMadeIn(found.head, write), isKept, superseded);
  }
  t.end();
});

t.test("where it is live nowhere: an ordinary write, done, or nobody can tell", (t) => {
  t.equal(madeBefore(null, "no", write), null);
  t.equal(madeBefore(null, "gone", write), NOTHING);
  t.equal(madeBefore(null, "hidden", write), "unsure");
  t.end();
});
