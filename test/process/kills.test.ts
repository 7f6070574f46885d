/** A short campaign of kills; `make crash ROWS=B5 KILLS=2000` is the long one. */

import t from "tap";
import { DELETE_LENGTH, KnownKey } from "../crash/kills/known-key.ts";
import { killCampaign } from "../crash/kills/campaign.ts";
import { Sizes } from "../row.ts";
import { Tally } from "../tally.ts";
import { checkIsBuilt } from "./program.ts";

const KILLS = "3";

t.test("the judge of a key finds what is planted", (t) => {
  const key = new KnownKey("k");
  key.acknowledged(key.begin(1, 10, []), "c1");
  t.match(key.judge([], "", false), /lost value 1/, "an acknowledged value is missing");
  t.match(key.judge([1, 7], "", false), /shows value 7/, "a value was never written");
  t.match(key.judge([1, 1], "", false), /twice/, "a value comes twice");
  const open = key.begin(2, 10, key.shown);
  t.equal(key.judge([1], "c2", false), "", "one of an unknown outcome may be absent");
  t.equal(key.judge([2], "c2", false), "", "or there, in place of what it supersedes");
  t.match(key.judge([], "", false), /lost/, "but not both missing");
  key.acknowledged(open, "c3");
  t.match(key.judge([1, 2], "", false), /shows value 1/, "what was superseded comes back");
  key.refused(key.begin(3, 10, []));
  t.match(key.judge([2, 3], "", false), /shows value 3/, "what was refused is there");
  key.begin(4, DELETE_LENGTH, null);
  t.equal(key.judge([], "c4", true), "", "a delete of an unknown outcome may have happened");
  t.match(key.judge([2], "", false), /shows value 2/, "and once it was seen, it has");
  t.end();
});

t.test("kill -9 under load, again and again: nothing acknowledged is lost", async (t) => {
  checkIsBuilt();
  const tally = new Tally();
  const sizes = new Sizes({ KILLS, SEED: process.env["SEED"], NODES: "1" });
  const counts = await killCampaign(sizes, tally, (line) => t.comment(line));
  t.same(tally.failures, [], `all of ${tally.checks} checks hold`);
  t.ok(counts.verified > counts.kills, `${counts.verified} keys were verified`);
});
