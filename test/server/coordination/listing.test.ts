/**
 * Listings on an open cluster: what is in a page, how pages follow each other whatever happens between
 * them, and whose "nothing" counts.
 */

import t from "tap";
import { ObjectName } from "../../../core/object-name.ts";
import type { ListRequest } from "../../../server/coordination/store.ts";
import { SeededRandom, seedFrom } from "../../random.ts";
import { nameOf, SmallCluster, type SmallNode } from "../replication/small-cluster.ts";

const SEED = seedFrom(process.env.SEED, 31);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

type Extras = Partial<Omit<ListRequest, "bucket">>;

/** All keys of a bucket, page after page; `between` runs before each page but the first. */
function listAll(
  node: SmallNode,
  bucket: string,
  extras: Extras = {},
  between: (page: number) => SmallNode = () => node,
): { keys: string[]; pages: number } {
  const keys: string[] = [];
  let cursor = "";
  for (let pages = 1; ; pages++) {
    const from = pages === 1 ? node : between(pages);
    const result = from.list(bucket, { ...extras, cursor });
    if (result.code !== "") throw new Error(`page ${pages}: ${result.code} ${result.detail}`);
    for (const key of result.keys) keys.push(decoder.decode(key));
    cursor = result.cursor;
    if (cursor === "") return { keys, pages };
  }
}

function fill(node: SmallNode, bucket: string, count: number): string[] {
  const keys = Array.from({ length: count }, (_, index) => `k${index}`);
  for (const key of keys) node.put(nameOf(`${bucket}/${key}`), key);
  return keys.sort();
}

t.test("a listing has the bucket's live keys, each once, whatever the size of its pages", (tt) => {
  const cluster = new SmallCluster(5);
  const [first, second, third] = cluster.nodes;
  const keys = fill(first, "cart", 60);
  fill(second, "carts", 20);
  first.put(nameOf("cart/deleted"), "x");
  first.put(nameOf("cart/deleted"), "", { isDelete: true });
  first.put(nameOf("cart/k7"), "a sibling of k7");
  for (const limit of [1, 7, 59, 60, 61, 1000]) {
    const listed = listAll(first, "cart", { limit }, (page) => cluster.nodes[page % 5]);
    tt.same(listed.keys.sort(), keys, `limit ${limit}`);
    tt.ok(listed.pages >= 60 / limit, `${listed.pages} pages`);
  }
  tt.same(listAll(third, "nothing").keys, [], "a bucket that has none");
  const prefix = encoder.encode("k5");
  const wanted = keys.filter((key) => key.startsWith("k5"));
  tt.same(listAll(third, "cart", { prefix, limit: 3 }).keys.sort(), wanted, "of a prefix");
  tt.same(listAll(third, "cart", { prefix: encoder.encode("z") }).keys, [], "of one that none has");
  tt.end();
});

t.test("no page has more keys than its limit, and each is in ring order", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.nodes;
  fill(node, "cart", 50);
  const { keys, cursor } = node.list("cart", { limit: 20 });
  tt.equal(keys.length, 20);
  tt.not(cursor, "");
  const rest = node.list("cart", { limit: 100, cursor });
  tt.equal(rest.keys.length, 30);
  tt.equal(rest.cursor, "");
  const positions = [...keys, ...rest.keys].map((key) => nameOf(`cart/${decoder.decode(key)}`).position0);
  tt.same(positions, [...positions].sort((left, right) => left - right));
  tt.end();
});

t.test("what ends by itself is listed until then", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.nodes;
  node.put(nameOf("cart/stays"), "x");
  node.put(nameOf("cart/ends"), "x", { ttlSeconds: 5 });
  tt.same(listAll(node, "cart").keys.sort(), ["ends", "stays"]);
  cluster.run(6_000);
  tt.same(listAll(node, "cart").keys, ["stays"]);
  tt.end();
});

t.test("names with one MD5 are two keys, on pages of one", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.nodes;
  const [left, right] = [nameOf("cart/left"), nameOf("cart/right")];
  // No two such names of one bucket have been published: pretend.
  const { position0, position1, position2, position3, tag } = left;
  Object.assign(right, { position0, position1, position2, position3, tag });
  for (const name of [left, right]) {
    node.put(nameOf("cart/other"), "x");
    const set = node.held(nameOf("cart/other"));
    for (const { objects } of cluster.nodes) {
      if (set !== null) objects.write(name, set, { layout: 1, round: 0 });
    }
  }
  const listed = listAll(node, "cart", { limit: 1 });
  tt.same(listed.keys.sort(), ["left", "other", "right"]);
  tt.ok(listed.pages >= 3, `${listed.pages} pages`);
  tt.end();
});

t.test("sets that differ are merged before a key is shown", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second, third] = cluster.nodes;
  const name = nameOf("cart/a");
  first.put(name, "1", { w: 3 });
  first.put(nameOf("cart/b"), "1", { w: 3 });
  cluster.isolate(third);
  const { context } = first.get(name, 2);
  first.put(name, "", { isDelete: true, context, w: 2, timeoutMs: 500 });
  first.put(nameOf("cart/b"), "2", { w: 2, timeoutMs: 500 });
  cluster.isolate(first);
  cluster.heal();
  cluster.isolate(first);
  // The third still holds the value, the second its tombstone: not even both alone may show it.
  const bytesOf = () => cluster.network.link(third.name, second.name).bytes;
  const before = bytesOf();
  tt.same(listAll(second, "cart", { r: 2 }).keys, ["b"], "what was deleted is not shown");
  tt.ok(bytesOf() - before < 20_000, "no body has travelled");
  tt.end();
});

t.test("what one owner has more of than another is not passed over", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.nodes;
  first.put(nameOf("cart/k0"), "x", { w: 3 });
  const set = first.held(nameOf("cart/k0"));
  const keys = Array.from({ length: 900 }, (_, index) => `k${index}`);
  for (const [index, key] of keys.entries()) {
    if (set === null) break;
    first.objects.write(nameOf(`cart/${key}`), set, { layout: 1, round: 0 });
    if (index % 20 === 0) second.objects.write(nameOf(`cart/${key}`), set, { layout: 1, round: 0 });
  }
  for (const limit of [40, 1000]) {
    tt.same(listAll(second, "cart", { r: 3, limit }).keys.sort(), [...keys].sort(), `limit ${limit}`);
  }
  tt.end();
});

t.test("a listing needs R complete owners everywhere, and says what it lacks", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second, third] = cluster.nodes;
  fill(first, "cart", 10);
  tt.equal(first.list("cart", { r: 3 }).keys.length, 10);
  tt.equal(first.list("cart", { r: 3 }).primaries, 3);
  second.replication.completeness.partialAll();
  tt.same(outcomeOf(first, { r: 3 }), ["refused", "absence-unknown"], "one is partial");
  tt.equal(first.list("cart", { r: 2 }).keys.length, 10, "two others are enough for R=2");
  cluster.until("it has compared", () => second.replication.partialCount() === 0);
  tt.equal(first.list("cart", { r: 3 }).keys.length, 10, "it counts again");
  cluster.isolate(third);
  tt.equal(first.list("cart", { r: 2 }).keys.length, 10, "one does not answer");
  cluster.lose(third);
  tt.equal(first.list("cart", { r: 2 }).keys.length, 10, "one is down");
  tt.same(outcomeOf(first, { r: 3 }), ["refused", "quorum-unreachable"], "and all are wanted");
  cluster.lose(second);
  tt.same(outcomeOf(first, {}), ["refused", "quorum-unreachable"], "two are down");
  tt.equal(first.list("cart", { r: 1 }).keys.length, 10, "R=1 is what this node knows");
  tt.end();
});

function outcomeOf(node: SmallNode, extras: Extras): string[] {
  const { outcome, code } = node.list("cart", { timeoutMs: 1_000, ...extras });
  return [outcome, code];
}

t.test("what is asked wrongly is refused with a sentence", (tt) => {
  const cluster = new SmallCluster(3);
  const [node] = cluster.nodes;
  fill(node, "cart", 5);
  const { cursor } = node.list("cart", { limit: 2 });
  const foreign = new SmallCluster(1, { seed: 2 }).nodes[0];
  const wrong: [Extras, RegExp][] = [
    [{ cursor: "x" }, /cursor is corrupt/],
    [{ cursor: `${cursor}A` }, /cursor is corrupt/],
    [{ cursor, prefix: encoder.encode("k") }, /belongs to another listing/],
    [{ limit: 0 }, /limit is 0, wanted is a number from 1 to 10000/],
    [{ limit: 10_001 }, /limit is 10001/],
    [{ prefix: new Uint8Array(4097) }, /prefix is 4097 bytes/],
    [{ r: 4 }, /r is 4/],
  ];
  for (const [extras, sentence] of wrong) {
    const { outcome, code, detail } = node.list("cart", extras);
    tt.same([outcome, code], ["refused", "bad-parameter"]);
    tt.match(detail, sentence);
  }
  tt.equal(foreign.list("cart", { cursor }).code, "bad-parameter", "a cursor of another cluster");
  tt.equal(node.list("cart", { limit: 10_000, prefix: new Uint8Array(4096) }).code, "", "at the limits");
  tt.end();
});

t.test("a damaged record is made good, and never left out in silence", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.nodes;
  const keys = fill(first, "cart", 20);
  first.objects.damage(nameOf("cart/k3"));
  second.objects.damage(nameOf("cart/k3"));
  const once = first.list("cart", { r: 3, timeoutMs: 1_000 });
  if (once.code === "" && once.cursor === "") tt.same(once.keys.map((key) => decoder.decode(key)).sort(), keys);
  cluster.until("it is repaired", () => first.objects.readHead(nameOf("cart/k3")).status === "found");
  tt.same(listAll(first, "cart", { r: 2 }).keys.sort(), keys);
  tt.end();
});

t.test("keys that are there throughout are in it once, whatever is written, and with nodes that come", (tt) => {
  const cluster = new SmallCluster(4, { seed: SEED });
  const random = new SeededRandom(SEED);
  const keys = fill(cluster.nodes[0], "cart", 120);
  const listed = listAll(cluster.nodes[1], "cart", { limit: 9, timeoutMs: 20_000 }, (page) => {
    const writer = cluster.nodes[random.below(4)];
    writer.put(nameOf(`cart/${keys[random.below(keys.length)]}`), "again");
    writer.put(nameOf(`cart/new${page}`), "x");
    writer.put(nameOf(`cart/new${random.below(page)}`), "", { isDelete: true });
    if (page === 4) cluster.add();
    if (page > 4) cluster.run(random.below(400));
    if (page === 9) cluster.until("it has joined", () => cluster.isSettled);
    const running = cluster.nodes.filter((node) => node.isRunning);
    return running[random.below(running.length)];
  });
  const old = listed.keys.filter((key) => !key.startsWith("new"));
  tt.same(old.sort(), keys, `SEED=${SEED}`);
  tt.equal(new Set(listed.keys).size, listed.keys.length, "none twice");
  tt.end();
});

t.test("a small bucket costs few messages in a store of many names", (tt) => {
  const cluster = new SmallCluster(3);
  const [first, second] = cluster.nodes;
  const keys = fill(first, "small", 3);
  const set = first.held(nameOf("small/k0"));
  for (let index = 0; index < 3000 && set !== null; index++) {
    for (const { objects } of cluster.nodes) {
      objects.write(new ObjectName(encoder.encode(`big/${index}`)), set, { layout: 1, round: 0 });
    }
  }
  const before = cluster.network.link(second.name, first.name).bytes;
  tt.same(listAll(first, "small", { r: 2 }).keys.sort(), keys);
  const bytes = cluster.network.link(second.name, first.name).bytes - before;
  tt.ok(bytes < 3_000, `${bytes} bytes came`);
  tt.end();
});
