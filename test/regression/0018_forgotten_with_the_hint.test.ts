/**
 * `make sim SEED=203947` (2026-11-27). A stand-in kept a write for an owner, then what superseded it, and handed that
 * over. It went on remembering the write as superseded under the hint's name, though what superseded it was no
 * longer there. When the write came to it once more, as a delayed copy, it took it for a late twin and kept only a clock
 * that covers it: merged with that, the write vanished from an answer that had nothing newer to show.
 */

import t from "tap";
import { STATUS_DONE } from "../../core/replica-frames.ts";
import { bodiesOf, type OneVersion, setOfOne } from "../server/replication/one-version.ts";
import { nameOf, SmallCluster } from "../server/replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const LABELS = { layout: 1, round: 0 };
const OLD: OneVersion = { actor: "a", counter: 1, body: "old", request: 1 };
const NEW: OneVersion = { actor: "b", counter: 1, body: "new", request: 2, over: [OLD] };

t.test("what was superseded in a hint is forgotten once the hint has been handed over", (tt) => {
  const cluster = new SmallCluster(4);
  const [, , owner, keeper] = cluster.preference(NAME);
  const { hints } = keeper.replication;
  const member = owner.seenBy(keeper);
  cluster.lose(owner);
  for (const version of [OLD, NEW]) hints.store(member, NAME, setOfOne(version), LABELS);
  cluster.heal();
  cluster.until("it is handed over", () => hints.count === 0);
  tt.same(bodiesOf(owner.held(NAME)), ["new"], "the owner has what superseded it");
  cluster.lose(owner);
  tt.equal(hints.store(member, NAME, setOfOne(OLD), LABELS).status, STATUS_DONE, "a delayed copy is kept");
  const kept: string[] = [];
  hints.collect([member.idBytes], NAME, (sets) => kept.push(...sets.flatMap(bodiesOf)));
  tt.same(kept, ["old"], "with its version: nothing here takes its place");
  cluster.heal();
  cluster.until("it is handed over, too", () => hints.count === 0);
  tt.same(bodiesOf(owner.held(NAME)), ["new"], "the owner knows better");
  tt.end();
});
