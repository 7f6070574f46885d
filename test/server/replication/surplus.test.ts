/** Copies that a node holds and does not own: they go to the owners, and nothing of them is left. */

import t from "tap";
import { STATUS_DONE } from "../../../core/replica-frames.ts";
import { bodiesOf, type OneVersion, setOfOne } from "./one-version.ts";
import { nameOf, SmallCluster } from "./small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LABELS = { layout: 1, round: 0 };
const OLD: OneVersion = { actor: "a", counter: 1, body: "old", request: 1 };
const NEW: OneVersion = { actor: "b", counter: 1, body: "new", request: 2, over: [OLD] };

t.test("what was superseded in a copy is forgotten once the copy has been given up", (tt) => {
  const cluster = new SmallCluster(4);
  const [first, second, third, other] = cluster.preference(NAME);
  const { objects } = other.replication;
  for (const version of [OLD, NEW]) objects.join(NAME, setOfOne(version), LABELS);
  cluster.until("the copy is given up", () => other.held(NAME) === null);
  for (const owner of [first, second, third]) tt.same(bodiesOf(owner.held(NAME)), ["new"], "an owner has it");
  const late = objects.join(NAME, setOfOne(OLD), LABELS);
  tt.equal(late.status, STATUS_DONE, "a delayed copy of what was superseded is kept");
  tt.same(bodiesOf(other.held(NAME)), ["old"], "with its version: nothing here takes its place");
  cluster.until("it is given up, too", () => other.held(NAME) === null);
  for (const owner of [first, second, third]) tt.same(bodiesOf(owner.held(NAME)), ["new"], "an owner knows better");
  tt.end();
});
