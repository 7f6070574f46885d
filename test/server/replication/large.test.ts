/**
 * Large values on every road between nodes: what is large here is 8 KiB, and travels in slices of 3 KiB.
 * After each road the owners hold the same bytes as a large payload of their own.
 */

import t from "tap";
import type { ObjectName } from "../../../core/object-name.ts";
import { isLarge, wholeBytes } from "../../../storage/large-payload.ts";
import { nameOf, SmallCluster, type SmallNode, valuesOf } from "./small-cluster.ts";

const NAME = nameOf("b/large");
const VALUE = Array.from({ length: 9_000 }, (_, index) => `${index}.`).join("");
const decoder = new TextDecoder();

/** A node loses what it holds of a name, and its index says so. */
function forget(node: SmallNode, name: ObjectName): void {
  const digest = new Uint32Array(2);
  if (node.objects.digestInto(name, digest, 0)) node.objects.remove(name, digest[0], digest[1]);
}

/** What a node holds of the name, without the two bytes of metadata in front; "" where it is not large. */
function heldBy(node: SmallNode): string {
  const payload = node.held(NAME)?.payloads[0] ?? null;
  return isLarge(payload) ? decoder.decode(wholeBytes(payload)).slice(1) : "";
}

t.test("a large value is written at all owners, and each of them answers it", (tt) => {
  const cluster = new SmallCluster(3);
  const [first] = cluster.preference(NAME);
  const put = first.put(NAME, VALUE, { w: 3 });
  tt.equal(put.outcome, "done", put.detail);
  for (const node of cluster.nodes) {
    tt.ok(heldBy(node).endsWith(VALUE), `${node.name} holds it`);
    tt.same(valuesOf(node.get(NAME, 2)), [VALUE], `${node.name} answers it`);
    tt.equal(node.replication.bodies.count, 0, `nothing waits at ${node.name}`);
  }
  tt.end();
});

t.test("a node that is no owner hands a large put and its get on", (tt) => {
  const cluster = new SmallCluster(5);
  const owners = cluster.preference(NAME).slice(0, 3);
  const stranger = cluster.nodes.find((node) => !owners.includes(node));
  if (stranger === undefined) throw new Error("All nodes are owners");
  const put = stranger.put(NAME, VALUE, { w: 3 });
  tt.equal(put.outcome, "done", put.detail);
  tt.equal(stranger.held(NAME), null, "it keeps none");
  for (const node of owners) tt.ok(heldBy(node).endsWith(VALUE), `${node.name} holds it`);
  tt.same(valuesOf(stranger.get(NAME, 2)), [VALUE], "it answers it");
  tt.end();
});

t.test("a coordinator without the body fetches it, answers, and has it from then on", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second, third] = cluster.preference(NAME);
  first.put(NAME, VALUE, { w: 3 });
  forget(first, NAME);
  tt.same(valuesOf(first.get(NAME, 2)), [VALUE], "it is answered");
  cluster.until("it is repaired", () => heldBy(first).endsWith(VALUE));
  forget(first, NAME);
  forget(second, NAME);
  tt.same(valuesOf(first.get(NAME, 3)), [VALUE], "from the last one that has it");
  cluster.until("both are repaired", () => heldBy(second) !== "" && heldBy(first) !== "");
  tt.ok(heldBy(third).endsWith(VALUE), "which still has it");
  tt.end();
});

t.test("an owner that was away gets a large value when it is back", (tt) => {
  const cluster = new SmallCluster(4);
  const [first, , third] = cluster.preference(NAME);
  cluster.isolate(third);
  const put = first.put(NAME, VALUE, { w: 2 });
  tt.equal(put.outcome, "done", put.detail);
  cluster.heal();
  cluster.until("it has it", () => heldBy(third).endsWith(VALUE));
  tt.end();
});

t.test("an owner that vanishes while it is handed a large value does not hold up the put", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.preference(NAME);
  const ends: string[] = [];
  first.begin(NAME, VALUE, { w: 2 }, (result) => ends.push(result.outcome));
  cluster.until("it is under way", () => second.replication.bodies.count > 0 || ends.length > 0);
  cluster.isolate(second);
  cluster.until("the put has ended", () => ends.length > 0);
  tt.same(ends, ["done"], "by the third owner");
  cluster.heal();
  cluster.until("the second has it as well", () => heldBy(second).endsWith(VALUE));
  tt.end();
});
