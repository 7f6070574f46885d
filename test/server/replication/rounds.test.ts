/** Labels and what is refused, by themselves and on an open cluster. */

import t from "tap";
import { PURPOSE_ANTI_ENTROPY, STATUS_CLOSED, STATUS_DONE } from "../../../core/replica-frames.ts";
import { Rounds } from "../../../server/replication/rounds.ts";
import type { Delivered } from "../../../server/replication/delivery.ts";
import type { VersionSet } from "../../../storage/engine.ts";
import { SmallDisk } from "../membership/small-disk.ts";
import { bodiesOf, setOfOne } from "./one-version.ts";
import { nameOf, SmallCluster, type SmallNode } from "./small-cluster.ts";

const NAME = nameOf("cart/user-17");
const REAPING = { afterMs: 0, intervalMs: 1_000 };

t.test("labels go up only, and what is sealed is refused for good, after a restart as well", (tt) => {
  const disk = new SmallDisk();
  const rounds = new Rounds(disk, 16);
  tt.notOk(rounds.isClosed(3, 0), "at first everything counts");
  tt.ok(rounds.raise([3, 4], [1, 5]));
  tt.same([rounds.label(2), rounds.label(3), rounds.label(4)], [0, 1, 5]);
  tt.notOk(rounds.raise([2, 4], [1, 5]), "one of them is not higher");
  tt.equal(rounds.label(2), 0, "then none is changed");
  tt.notOk(rounds.isClosed(4, 4), "raised is not sealed");
  rounds.seal([4], [5]);
  tt.same([rounds.isClosed(4, 4), rounds.isClosed(4, 5), rounds.isSealed(4, 5), rounds.isSealed(3, 1)], [true, false, true, false]);
  const again = new Rounds(disk, 16);
  again.restore();
  tt.same([again.isClosed(4, 4), again.label(4), again.label(3)], [true, 5, 0]);
  tt.ok(again.adopt(rounds.allLabels()));
  tt.equal(again.label(3), 1, "the others know the rest");
  tt.notOk(again.adopt(new Uint8Array(3)));
  tt.end();
});

t.test("a disk that fails seals nothing; a damaged file says nothing", (tt) => {
  const disk = new SmallDisk();
  const rounds = new Rounds(disk, 16);
  rounds.seal([1], [7]);
  const file = disk.open("rounds", { create: false });
  file.write(new Uint8Array([255]), 0, 1, 20);
  file.close();
  const again = new Rounds(disk, 16);
  again.restore();
  tt.notOk(again.isClosed(1, 6));
  tt.end();
});

t.test("a watch holds until something is kept, for its own partitions", (tt) => {
  const rounds = new Rounds(new SmallDisk(), 16);
  rounds.watch("one", [1, 2]);
  tt.same([rounds.isWatched("one", [2]), rounds.isWatched("one", [3]), rounds.isWatched("two", [2])], [true, false, false]);
  rounds.breakWatches();
  tt.notOk(rounds.isWatched("one", [2]));
  tt.end();
});

function held(cluster: SmallCluster): string[] {
  return cluster.nodes.map((node) => (node.held(NAME) === null ? "nothing" : bodiesOf(node.held(NAME)).join()));
}

/** Sends a set from one node to another, under a label. */
function send(cluster: SmallCluster, from: SmallNode, to: SmallNode, set: VersionSet, round: number): number {
  const how = { purpose: PURPOSE_ANTI_ENTROPY, durable: false, hintFor: null, timeoutMs: 1_000, round };
  return cluster.await<Delivered>((done) => {
    from.replication.deliver(to.seenBy(from), NAME, set, how, (give) => give(set), done);
  }).status;
}

t.test("a delete is forgotten everywhere, and a late message does not bring the value back", (tt) => {
  const cluster = new SmallCluster(4, { reaping: REAPING });
  const [first, second, third] = cluster.preference(NAME);
  first.put(NAME, "value", { w: 3 });
  const old = first.held(NAME);
  if (old === null) throw new Error("the first owner holds nothing");
  second.put(NAME, "", { w: 3, isDelete: true });
  tt.equal(held(cluster).filter((one) => one !== "nothing").length, 3, "a tombstone at each owner");
  cluster.until("it is forgotten", () => held(cluster).every((one) => one === "nothing"));
  tt.equal(first.get(NAME, 3).code, "not-found");
  tt.equal(send(cluster, second, third, old, 0), STATUS_CLOSED, "a message of before is refused");
  tt.same(held(cluster), ["nothing", "nothing", "nothing", "nothing"]);
  tt.equal(third.counters.closedRefused, 1);
  const round = second.replication.rounds.label(second.replication.partitionOf(NAME));
  tt.equal(send(cluster, second, third, setOfOne({ actor: "z", counter: 1, body: "new" }), round), STATUS_DONE);
  tt.end();
});

t.test("a value that lives beside the tombstone keeps it, and so does a delete that one owner lacks", (tt) => {
  const cluster = new SmallCluster(3, { reaping: REAPING });
  const [first, second, third] = cluster.nodes;
  first.put(NAME, "one", { w: 3 });
  first.put(NAME, "", { w: 3, isDelete: true });
  second.put(NAME, "two", { w: 3 });
  cluster.run(10_000);
  tt.same(held(cluster).map((one) => one.includes("two")), [true, true, true]);
  const other = nameOf("cart/other");
  first.put(other, "one", { w: 3 });
  third.objects.isFull = true;
  first.put(other, "", { w: 2, isDelete: true });
  cluster.run(5_000);
  tt.not(first.held(other), null, "the third has not confirmed it");
  third.objects.isFull = false;
  cluster.until("then it goes", () => [first, second, third].every((node) => node.held(other) === null));
  tt.end();
});

t.test("a tombstone that one owner does not have stays, although nobody keeps a hint", (tt) => {
  const cluster = new SmallCluster(3, { reaping: REAPING });
  const [first, second, third] = cluster.nodes;
  first.put(NAME, "value", { w: 3 });
  const old = first.held(NAME);
  for (const node of cluster.nodes) node.background.pause("anti-entropy");
  cluster.run(12_000);
  first.put(NAME, "", { w: 3, isDelete: true });
  if (old === null) throw new Error("the first owner holds nothing");
  third.objects.write(NAME, old, { layout: 1, round: 0 });
  cluster.run(10_000);
  tt.same([first, second].map((node) => node.held(NAME) === null), [false, false], "two have it");
  tt.equal(bodiesOf(third.held(NAME)).length, 1, "the third has what was deleted");
  for (const node of cluster.nodes) node.background.resume("anti-entropy");
  cluster.until("when it has come there, it goes", () => held(cluster).every((one) => one === "nothing"));
  tt.end();
});

t.test("hints anywhere block a round, and who keeps them is named", (tt) => {
  const cluster = new SmallCluster(4, { reaping: REAPING });
  const [first, second, third, fourth] = cluster.preference(NAME);
  first.put(NAME, "value", { w: 3 });
  const set = first.held(NAME);
  if (set === null) throw new Error("the first owner holds nothing");
  first.put(NAME, "", { w: 3, isDelete: true });
  third.objects.isFull = true;
  fourth.replication.hints.store(third.seenBy(fourth), nameOf("cart/elsewhere"), set, { layout: 1, round: 0 });
  cluster.run(5_000);
  tt.not(first.held(NAME), null);
  const stuck = cluster.nodes.map((node) => node.replication.reapingReport.stuck).join();
  tt.match(stuck, new RegExp(`${fourth.name}: 1 hints are kept here`));
  third.objects.isFull = false;
  cluster.until("they are delivered, and it goes", () => [first, second, third].every((node) => node.held(NAME) === null));
  tt.end();
});

t.test("what has expired is forgotten by every owner's clock, and not before", (tt) => {
  const cluster = new SmallCluster(3, { reaping: REAPING });
  const [first] = cluster.nodes;
  first.put(NAME, "brief", { w: 3, ttlSeconds: 2 });
  cluster.run(20_000);
  tt.not(first.held(NAME), null, "the margin for clocks has not passed");
  cluster.run(60_000);
  tt.same(held(cluster), ["nothing", "nothing", "nothing"]);
  tt.end();
});
