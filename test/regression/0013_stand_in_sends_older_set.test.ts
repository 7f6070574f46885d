/**
 * `make sim SEED=100525` (2026-11-26). A put was coordinated by a stand-in, on top of a hint that it kept
 * already. Another stand-in lacked a body of that hint and asked for the whole set; the coordinator read it
 * from its objects, where an older set of the name was, and not from the hint. The older set was stored,
 * and counted as an acknowledgement of the write.
 */

import t from "tap";
import type { Result } from "../../server/coordination/store.ts";
import { hintName } from "../../server/replication/hints.ts";
import type { VersionSet } from "../../storage/engine.ts";
import { nameOf, SmallCluster, type SmallNode } from "../server/replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A write that a node coordinates, whoever else might. */
function putThrough(cluster: SmallCluster, node: SmallNode, value: string, w: number): Result {
  const request = {
    name: NAME,
    context: "",
    requestId: null,
    meta: { contentType: "", meta: [] },
    body: encoder.encode(value),
    isDelete: false,
    ttlSeconds: 0,
    returnBody: false,
    precondition: null,
    options: { w, dw: 1, pw: 0, timeoutMs: 1_000 },
  };
  const ended = cluster.await<{ result: Result }>((done) => {
    node.coordinator.putFor(request, true, done);
  });
  return ended.result;
}

function hintsAt(node: SmallNode, owner: SmallNode): string[] {
  const sets: VersionSet[] = [];
  node.hints.read(hintName(owner.member.idBytes, NAME), (outcome) => {
    if (outcome.status === "found") sets.push(outcome.set);
  });
  const payloads = sets.flatMap(({ payloads }) => payloads);
  return payloads.map((payload) => decoder.decode(payload as Uint8Array).slice(-1)).sort();
}

t.test("what a stand-in sends whole is what it made, and not what else it has of the name", (t) => {
  const cluster = new SmallCluster(5);
  const [first, second, third, fourth, fifth] = cluster.preference(NAME);
  first.put(NAME, "0", { w: "all" });
  const old = first.held(NAME);
  if (old === null) throw new Error("the first owner has nothing");
  fourth.replication.objects.join(NAME, old, { layout: 1, round: 0 });
  cluster.lose(third);
  t.equal(putThrough(cluster, fourth, "1", 3).outcome, "done");
  t.same(hintsAt(fourth, third), ["1"], "the coordinator stands in for the owner that is gone");
  cluster.isolate(second);
  const result = putThrough(cluster, fourth, "2", 3);
  t.match(result, { outcome: "done", primaries: 1, fallbacks: 2 });
  t.same(hintsAt(fifth, second), ["1", "2"], "the other stand-in has the write that it acknowledged");
  t.end();
});
