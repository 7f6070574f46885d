/** Repair on demand: what was ordered is compared at once, and nothing else is touched. */

import t from "tap";
import { bucketTag } from "../../../core/object-name.ts";
import type { RepairOrder, RepairReport } from "../../../server/replication/repair.ts";
import { bodiesOf, setOfOne } from "./one-version.ts";
import { nameOf, SmallCluster, type SmallNode } from "./small-cluster.ts";

const LABELS = { layout: 1, round: 0 };
const ALL: RepairOrder = { partition: null, bucketTag: null };
const OBJECTS = 200;
/** Less than the time to the next comparison that nobody ordered. */
const SOON_MS = 5_000;

/** A settled cluster in which one node alone has so many objects of two buckets. */
function differing(): { cluster: SmallCluster; full: SmallNode; empty: SmallNode[] } {
  const cluster = new SmallCluster(3);
  cluster.run(30_000);
  const [full, ...empty] = cluster.nodes;
  // Just after a comparison, so that the next one is far.
  const before = cluster.nodes.map(({ counters }) => counters.comparisons);
  cluster.until("all have just compared", () => cluster.nodes.every(({ counters }, index) => counters.comparisons > before[index]));
  cluster.run(1_000);
  for (let number = 0; number < OBJECTS; number++) {
    const set = setOfOne({ actor: "a", counter: number + 1, body: "here" });
    full.objects.write(nameOf(`${number % 2 === 0 ? "even" : "odd"}/${number}`), set, LABELS);
  }
  return { cluster, full, empty };
}

function held(node: SmallNode, bucket: string): number {
  let count = 0;
  for (let number = 0; number < OBJECTS; number++) {
    if (bodiesOf(node.held(nameOf(`${bucket}/${number}`))).length > 0) count++;
  }
  return count;
}

function repaired(cluster: SmallCluster, node: SmallNode, order: RepairOrder): RepairReport {
  node.replication.repair(order);
  const isDone = (): boolean => node.replication.repairReport.state === "done";
  cluster.until("it is done", isDone, SOON_MS);
  return node.replication.repairReport;
}

t.test("everything: every peer that owns something has all of it, and the report says how much", (t) => {
  const { cluster, full, empty } = differing();
  const report = repaired(cluster, full, ALL);
  t.match(report, { state: "done", compared: 2, of: 2, repaired: 2 * OBJECTS, failed: [] });
  t.ok(report.differing >= 16, `${report.differing} partitions`);
  for (const node of empty) t.equal(held(node, "even") + held(node, "odd"), OBJECTS);
  t.match(repaired(cluster, full, ALL), { differing: 0, repaired: 0, compared: 2 }, "and once more nothing");
  t.end();
});

t.test("one bucket, or one partition, and no other", (t) => {
  const one = differing();
  const order = { partition: null, bucketTag: bucketTag(new TextEncoder().encode("even")) };
  t.match(repaired(one.cluster, one.full, order), { repaired: OBJECTS, compared: 2 });
  for (const node of one.empty) t.same([held(node, "even"), held(node, "odd")], [OBJECTS / 2, 0]);
  const other = differing();
  const report = repaired(other.cluster, other.full, { partition: 3, bucketTag: null });
  t.match(report, { compared: 2, differing: 2 });
  t.ok(report.repaired > 0 && report.repaired < OBJECTS / 2, `${report.repaired} objects`);
  t.end();
});

t.test("a peer that does not answer is named; the others are compared with", (t) => {
  const { cluster, full, empty } = differing();
  const [silent] = empty;
  cluster.lose(silent);
  const report = repaired(cluster, full, ALL);
  t.match(report, { compared: 1, of: 2, failed: [silent.name] });
  cluster.heal();
  cluster.until("it answers again", () => silent.seenBy(full).healthy);
  t.match(repaired(cluster, full, ALL), { compared: 2, failed: [] }, "ordered again");
  t.end();
});

t.test("a peer that falls silent on the way is named; a second order waits for nobody and changes nothing", (t) => {
  const { cluster, full, empty } = differing();
  full.replication.repair(ALL);
  cluster.isolate(empty[0]);
  const again = full.replication.repair({ partition: 3, bucketTag: null });
  t.equal(again.state, "running", "it is told of the one under way");
  cluster.until("it is done", () => full.replication.repairReport.state === "done");
  t.match(full.replication.repairReport, { compared: 1, of: 2, failed: [empty[0].name] });
  t.end();
});
