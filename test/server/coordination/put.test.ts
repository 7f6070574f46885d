/**
 * The write path on an open cluster: whose acknowledgement counts, and where a write goes that
 * cannot be made here.
 */

import t from "tap";
import { isSingle } from "../../../core/clock-entry.ts";
import { clockCount, clockOffset, versionCount, versionOffset } from "../../../core/version-set.ts";
import { toHex } from "../../../core/bytes.ts";
import { drawRequestId } from "../../../core/request-id.ts";
import type { Result } from "../../../server/coordination/store.ts";
import {
  nameOf,
  SmallCluster,
  type SmallNode,
  STREAM_BYTES_MIN,
  valuesOf,
} from "../replication/small-cluster.ts";

const NAME = nameOf("cart/user-17");

function versionsHeld(node: SmallNode): number {
  const set = node.held(NAME);
  return set === null ? 0 : versionCount(set.head, 0);
}

/** A request id that was drawn at this time. */
function idOf(ms: number): Uint8Array {
  return drawRequestId(ms, (bytes) => void bytes.fill(7));
}

/** The actor of the one version that a node holds. */
function actorHeld(node: SmallNode): string {
  const set = node.held(NAME);
  return set === null ? "" : toHex(set.head, versionOffset(0, 0), versionOffset(0, 0) + 8);
}

/** A write with W=3 that a node coordinates although it is no owner. */
function putThrough(cluster: SmallCluster, node: SmallNode, timeoutMs: number): Result {
  const request = {
    name: NAME,
    context: "",
    requestId: null,
    meta: { contentType: "", meta: [] },
    body: new Uint8Array(3),
    isDelete: false,
    ttlSeconds: 0,
    returnBody: false,
    precondition: null,
    options: { w: 3, dw: 1, pw: 0, timeoutMs },
  };
  const { result } = cluster.await<{ result: Result }>((done) =>
    node.coordinator.putFor(request, true, done)
  );
  return result;
}

t.test("a stand-in's hint counts for W and DW, and never for PW", (tt) => {
  const cluster = new SmallCluster(5);
  const [first, , third, ...others] = cluster.preference(NAME);
  cluster.lose(third);
  const durable = first.put(NAME, "durable", { w: 3, dw: 3 });
  tt.same(
    [durable.outcome, durable.primaries, durable.fallbacks],
    ["done", 2, 1],
    "W and DW are met",
  );
  const hints = others.map((node) => node.hints.stats().objects);
  tt.same(hints, [1, 0], "by the first node behind the owners");
  const strict = first.put(NAME, "strict", { pw: 3 });
  tt.same([strict.outcome, strict.code], ["refused", "quorum-unreachable"], "PW is refused");
  tt.equal(versionsHeld(first), 1, "and nothing of it is written");
  tt.end();
});

t.test("DW counts syncs: a sync that fails is no durable acknowledgement", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.preference(NAME);
  first.objects.durable = false;
  const lost = first.put(NAME, "a", { dw: 1 });
  tt.same(
    [lost.outcome, lost.code],
    ["unknown", "write-unknown"],
    "the one sync that was asked for failed",
  );
  tt.equal(first.put(NAME, "b", { dw: 0 }).outcome, "done", "nobody asked for one");
  first.objects.durable = true;
  second.objects.durable = null;
  const results: Result[] = [];
  first.begin(NAME, "c", { w: 1, dw: "all" }, (result) => results.push(result));
  cluster.run(100);
  tt.equal(results.length, 0, "DW=all waits for the slowest sync");
  second.objects.release(true);
  cluster.run(100);
  tt.equal(results[0]?.outcome, "done", "and is met by it");
  tt.end();
});

t.test("while two layouts are live a write has its quorum in each, through a newcomer too", (tt) => {
  const cluster = new SmallCluster(3);
  const newcomer = cluster.add();
  const isMoving = (): boolean =>
    newcomer.isRunning && cluster.nodes.every((node) => node.membership.layouts.live.length === 2);
  cluster.until("two layouts are live everywhere", isMoving);
  const { layouts, self } = newcomer.membership;
  const owns = (text: string): boolean =>
    layouts.current.owns(self.id, newcomer.replication.partitionOf(nameOf(text)));
  const keys = Array.from({ length: 100 }, (_, index) => `moving/key-${index}`).filter(owns).slice(
    0,
    5,
  );
  tt.equal(keys.length, 5, "it owns some of them");
  for (const key of keys) {
    const result = newcomer.put(nameOf(key), "value", { timeoutMs: 500 });
    tt.same([result.outcome, result.detail], ["done", ""], key);
  }
  tt.ok(isMoving(), "both layouts are still live");
  const old = cluster.nodes.slice(0, 3);
  for (const key of keys) {
    const held = old.filter((node) => node.held(nameOf(key)) !== null).length;
    tt.ok(held >= 2, `${key} is held by ${held} of the three owners in the older layout`);
  }
  tt.end();
});

t.test("a retry with the same request id makes no second version", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.preference(NAME);
  const requestId = idOf(first.clock.nowMs());
  const one = first.put(NAME, "value", { requestId, w: "all" });
  const again = first.put(NAME, "value", { requestId });
  const elsewhere = second.put(NAME, "value", { requestId });
  tt.same([again.outcome, again.etag], ["done", one.etag], "the same version");
  tt.same([elsewhere.outcome, elsewhere.etag], ["done", one.etag], "through another node as well");
  tt.equal(versionsHeld(first), 1, "one version is held");
  first.put(NAME, "next", { context: first.get(NAME, 2).context, w: "all" });
  const late = second.put(NAME, "value", { requestId });
  tt.equal(late.outcome, "done", "a late retry is done as well");
  tt.same(valuesOf(second.get(NAME, 3)), ["next"], "and brings nothing back");
  tt.end();
});

t.test("a request id is of this time: up to ten minutes old, at most a minute ahead", (tt) => {
  const cluster = new SmallCluster(3);
  const [first] = cluster.preference(NAME);
  const nowMs = first.clock.nowMs();
  const codeOf = (aheadMs: number): string => {
    return first.put(NAME, "value", { requestId: idOf(nowMs + aheadMs) }).code;
  };
  // Writes take time in the world: what is to be just within goes first.
  tt.same([codeOf(-599_900), codeOf(60_000)], ["", ""], "just within");
  cluster.run(100);
  tt.equal(codeOf(-599_900), "stale-request", "older");
  const late = first.put(NAME, "value", { requestId: idOf(first.clock.nowMs() + 60_001) });
  tt.same([late.outcome, late.code], ["refused", "stale-request"], "further ahead");
  tt.match(late.detail, /60 s ahead of this node's clock, the limit is 60 s/, "it says so");
  tt.end();
});

t.test("a write that a node coordinates for others stands for its own dot alone", (tt) => {
  const cluster = new SmallCluster(5);
  const [owner, , , stranger] = cluster.preference(NAME);
  // An earlier dot of the stranger's actor, so that a pair would claim more than the one.
  stranger.counter = 5;
  const result = putThrough(cluster, stranger, 5_000);
  tt.same(
    [result.outcome, result.primaries, result.fallbacks],
    ["done", 3, 0],
    "three owners took it",
  );
  const head = owner.held(NAME)?.head ?? new Uint8Array(0);
  tt.equal(clockCount(head, 0), 1, "one entry");
  tt.equal(isSingle(head, clockOffset(head, 0)), true, "a single dot");
  tt.equal(stranger.held(NAME), null, "the stranger keeps nothing");
  tt.equal(stranger.hints.stats().objects, 0, "and no hint either");
  const own = owner.put(NAME, "own", { context: result.context });
  tt.equal(own.outcome, "done", "the owner writes on");
  const after = owner.held(NAME)?.head ?? new Uint8Array(0);
  const kinds: boolean[] = [];
  for (let index = 0; index < clockCount(after, 0); index++) {
    kinds.push(isSingle(after, clockOffset(after, 0) + 24 * index));
  }
  tt.same(kinds.sort(), [false, true], "an owner's dot stands for all before it");
  tt.end();
});

t.test("a coordinator that is the next healthy node stands in itself, or the one behind it does", (tt) => {
  for (const isFull of [false, true]) {
    const cluster = new SmallCluster(5);
    const [, , third, fourth, fifth] = cluster.preference(NAME);
    cluster.isolate(third);
    fourth.hints.isFull = isFull;
    const result = putThrough(cluster, fourth, 1_000);
    tt.same([result.outcome, result.primaries, result.fallbacks], ["done", 2, 1], "W=3 is met");
    const hints = [fourth, fifth].map((node) => node.hints.stats().objects);
    tt.same(hints, isFull ? [0, 1] : [1, 0], isFull ? "without room here: behind" : "here");
  }
  tt.end();
});

for (const room of ["disk", "memory", "files"] as const) {
  t.test(`a node without room (${room}) hands the write to another owner, once`, (tt) => {
    const cluster = new SmallCluster(3);
    const [first, second, third] = cluster.preference(NAME);
    for (const node of [first, second, third]) node.objects.fullOf = room;
    first.objects.isFull = true;
    const handed = first.put(NAME, "value", { w: 2 });
    tt.same([handed.outcome, handed.primaries], ["done", 2], "the others took it");
    tt.equal(first.counters.forwarded, 1, "it was handed on once");
    second.objects.isFull = true;
    third.objects.isFull = true;
    const refused = first.put(NAME, "more", { w: 1 });
    tt.same([refused.outcome, refused.code], ["refused", `${room}-full`], "all are full");
    const large = first.put(NAME, "x".repeat(2 * STREAM_BYTES_MIN));
    tt.same([large.outcome, large.code], ["refused", `${room}-full`], "a large value, too");
    tt.same(valuesOf(first.get(NAME, 2)), ["value"], "reads go on");
    for (const node of [first, second, third]) node.objects.isFull = false;
    tt.equal(first.put(NAME, "again", { w: 3 }).outcome, "done", "and it goes on");
    tt.end();
  });
}

t.test("a damaged record is restored before a version is made, by a new actor", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.preference(NAME);
  first.put(NAME, "before", { w: "all" });
  const before = actorHeld(first);
  first.objects.damage(NAME);
  const result = first.put(NAME, "beside", { w: "all" });
  tt.equal(result.outcome, "done", "the write is done");
  tt.equal(first.renewals, 1, "the store has become a new actor, once");
  const actors = new Set<string>();
  const head = first.held(NAME)?.head ?? new Uint8Array(0);
  for (let index = 0; index < versionCount(head, 0); index++) {
    actors.add(toHex(head, versionOffset(0, index), versionOffset(0, index) + 8));
  }
  tt.same(actors, new Set([before, toHex(first.actor, 0, 8)]), "which made the new version itself");
  tt.same(valuesOf(second.get(NAME, 3)), ["before", "beside"], "nothing is lost");
  tt.end();
});

t.test("a request ends within its time, whoever is silent", (tt) => {
  const cluster = new SmallCluster(5);
  const [first] = cluster.preference(NAME);
  cluster.isolate(first);
  const start = cluster.world.elapsedMs;
  const put = first.put(NAME, "value", { w: 3, timeoutMs: 300 });
  tt.equal(put.outcome, "unknown", "too few took it");
  const putMs = cluster.world.elapsedMs - start;
  tt.ok(putMs < 400, `a put of 300 ms ended after ${putMs}`);
  const get = first.get(nameOf("cart/user-18"), 3, 300);
  tt.equal(get.outcome === "done", false, "too few answered");
  const getMs = cluster.world.elapsedMs - start - putMs;
  tt.ok(getMs < 400, `a get of 300 ms ended after ${getMs}`);
  tt.end();
});

t.test("an owner that was missed gets the write from its coordinator when it is back", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, , third] = cluster.preference(NAME);
  cluster.lose(third);
  const put = first.put(NAME, "value", { w: 2 });
  tt.equal(put.outcome, "done", "two took it");
  cluster.until("a hint is kept", () => first.hints.stats().objects === 1);
  cluster.heal();
  cluster.until("it is handed over", () => first.hints.stats().objects === 0);
  tt.same(third.held(NAME)?.payloads.length, 1, "the owner has it");
  tt.end();
});

t.test("the hundredth sibling is taken, one more refused with nothing written", (tt) => {
  const cluster = new SmallCluster(3);
  const [first] = cluster.preference(NAME);
  let last: Result | null = null;
  for (let count = 0; count < 100; count++) last = first.put(NAME, `${count}`, { w: "all" });
  tt.equal(last?.outcome, "done", "a hundred");
  const refused = first.put(NAME, "one more");
  tt.same([refused.outcome, refused.code], ["refused", "too-many-siblings"], "one more");
  tt.match(refused.detail, /has 100 siblings already and the limit is 100/, "says so");
  tt.equal(versionsHeld(first), 100, "nothing was written");
  tt.equal(first.counters.siblingsMany, 76, "the 25th is counted, and all after it");
  tt.end();
});
