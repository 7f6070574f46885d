/**
 * The read path on an open cluster: whose answer counts, what travels, and what is made good on the
 * way.
 */

import t from "tap";
import { headDigestInto, versionCount } from "../../../core/version-set.ts";
import type { ObjectName } from "../../../core/object-name.ts";
import type { Ended } from "../../../server/coordination/results.ts";
import type { Result } from "../../../server/coordination/store.ts";
import { nameOf, SmallCluster, type SmallNode, valuesOf } from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");

/** A node loses what it holds of a name, and its index says so. */
function forget(node: SmallNode, name: ObjectName): void {
  const digest = new Uint32Array(2);
  if (node.objects.digestInto(name, digest, 0)) node.objects.remove(name, digest[0], digest[1]);
}

t.test('"not found" needs R complete primaries that hold nothing', (tt) => {
  const cluster = new SmallCluster(5);
  const [first, second, third] = cluster.preference(NAME);
  tt.equal(first.get(NAME, 3).code, "not-found", "three complete primaries");
  second.replication.completeness.partialAll();
  tt.equal(first.get(NAME, 3).code, "absence-unknown", "one of them is partial");
  tt.equal(first.get(NAME, 2).code, "not-found", "two complete ones are enough for R=2");
  cluster.until("it has compared", () => second.replication.partialCount() === 0);
  tt.equal(first.get(NAME, 3).code, "not-found", "its nothing counts again");
  cluster.lose(third);
  const withFallback = first.get(NAME, 3);
  tt.same(
    [withFallback.outcome, withFallback.code],
    ["refused", "absence-unknown"],
    "a stand-in's nothing counts for R and not for absence",
  );
  first.put(NAME, "value", { w: 2 });
  tt.same(valuesOf(first.get(NAME, 3)), ["value"], "what is there is found all the same");
  tt.end();
});

t.test("equal replicas send digests, and one body is not sent three times", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second, third] = cluster.preference(NAME);
  first.put(NAME, "x".repeat(100_000), { w: 3 });
  const links = [second, third].map((node) => cluster.network.link(node.name, first.name));
  const before = links.reduce((sum, link) => sum + link.bytes, 0);
  tt.equal(valuesOf(first.get(NAME, 3))[0]?.length, 100_000, "the value is read");
  const bytes = links.reduce((sum, link) => sum + link.bytes, 0) - before;
  tt.ok(bytes < 1_000, `${bytes} bytes came from the other replicas`);
  tt.end();
});

t.test("a read makes stale and empty primaries equal, and writes nothing to a stand-in", (tt) => {
  const cluster = new SmallCluster(5);
  const [first, second, third, fourth] = cluster.preference(NAME);
  first.put(NAME, "old", { w: 3 });
  cluster.isolate(second);
  first.put(NAME, "new", { w: 1, dw: 0, context: first.get(NAME, 1).context, timeoutMs: 200 });
  cluster.heal();
  forget(third, NAME);
  cluster.lose(third);
  cluster.until("second is well", () => second.seenBy(first).healthy);
  const held = fourth.hints.stats().objects;
  tt.same(valuesOf(first.get(NAME, 3)), ["new"], "the newest is shown");
  cluster.run(50);
  const digests = [first, second].map((node) => {
    const digest = new Uint32Array(2);
    const head = node.held(NAME)?.head ?? new Uint8Array(0);
    headDigestInto(head, 0, head.length, digest, 0);
    return digest.join();
  });
  tt.equal(digests[0], digests[1], "the stale primary is equal now");
  tt.equal(fourth.objects.stats().objects, 0, "a stand-in keeps no objects");
  tt.equal(fourth.hints.stats().objects, held, "and no hint by a read");
  tt.end();
});

t.test("a stand-in's large set is read version by version, each with its own body", (tt) => {
  const cluster = new SmallCluster(5, { setBytesMax: 2_000 });
  const [first, second, third, fourth] = cluster.preference(NAME);
  cluster.lose(third);
  const values = ["a", "b", "c"].map((letter) => letter.repeat(900));
  for (const value of values) first.put(NAME, value, { w: 3 });
  tt.equal(fourth.hints.stats().objects, 1, "the stand-in has them as a hint");
  forget(first, NAME);
  forget(second, NAME);
  const result = first.get(NAME, 3);
  tt.same(valuesOf(result), values, "all three values are read from it");
  cluster.run(50);
  tt.equal(
    versionCount(second.held(NAME)?.head ?? new Uint8Array(8), 0),
    3,
    "and the owners repaired",
  );
  tt.end();
});

t.test("damage at a replica that is read is made good by that read, here and there", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.preference(NAME);
  first.put(NAME, "value", { w: 3 });
  first.objects.damage(NAME);
  tt.same(valuesOf(first.get(NAME, 2)), ["value"], "read past the damage here");
  cluster.run(50);
  tt.ok(first.held(NAME) !== null, "and it is restored");
  second.objects.damage(NAME);
  forget(first, NAME);
  tt.same(valuesOf(first.get(NAME, 2)), ["value"], "read past the damage there");
  cluster.run(50);
  tt.ok(second.held(NAME) !== null, "and it is restored as well");
  tt.equal(second.renewals, 1, "its head was unreadable: it goes on as a new actor");
  tt.end();
});

t.test("a replica that cannot be asked is replaced once, and its stand-in counts once", (tt) => {
  const cluster = new SmallCluster(5);
  const [first, second, third] = cluster.preference(NAME);
  first.put(NAME, "value", { w: 3 });
  cluster.isolate(third);
  // The link is closed for good on this side: requests are refused at once.
  first.peers.forget(second.member.id);
  const result = first.get(NAME, 3, 300);
  tt.equal(result.outcome, "unknown", "the first and one stand-in are two, not three");
  tt.same([result.primaries, result.fallbacks], [1, 1], "each counted once");
  tt.end();
});

t.test("a reader that is the next healthy node looks among its hints, and goes on behind itself", (tt) => {
  const cluster = new SmallCluster(5);
  const [first, second, third, fourth] = cluster.preference(NAME);
  first.put(NAME, "value", { w: 3 });
  const set = first.held(NAME);
  if (set === null) throw new Error("the first owner holds nothing");
  fourth.replication.hints.store(third.seenBy(fourth), NAME, set, { layout: 1, round: 0 });
  for (const owner of [first, second]) forget(owner, NAME);
  const read = (): Result => {
    const request = { name: NAME, options: { r: 3, pr: 0, timeoutMs: 300 } };
    return cluster.await<Ended>((done) => fourth.coordinator.getFor(request, true, done)).result;
  };
  fourth.peers.forget(third.member.id);
  const one = read();
  tt.same([one.outcome, one.primaries, one.fallbacks], ["done", 2, 1], "it counts as a fallback");
  tt.same(valuesOf(one), ["value"], "its hint is read");
  fourth.peers.forget(second.member.id);
  const two = read();
  tt.same([two.outcome, two.primaries, two.fallbacks], ["done", 1, 2], "the fifth is asked as well");
  tt.end();
});
