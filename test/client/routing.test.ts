/** Requests go straight to a node that coordinates them, also while the layout changes. */

import t from "tap";
import { text } from "../../client/client.ts";
import { nameOf } from "../server/replication/small-cluster.ts";
import { ClientWorld } from "./client-world.ts";

const KEYS = Array.from({ length: 40 }, (_, index) => `k${index}`);

function forwarded({ cluster }: ClientWorld): number {
  return cluster.nodes.reduce((sum, node) => sum + node.counters.forwarded, 0);
}

t.test("no request is handed on: reads, writes, and writes that go on from a read", async (tt) => {
  const world = new ClientWorld(6);
  const notes = world.client().bucket("notes", { codec: text });
  for (const key of KEYS) {
    await world.until(notes.put(key, "one"));
    const found = await world.until(notes.get(key));
    await world.until(notes.put(key, "two", { context: found?.context }));
    tt.equal((await world.until(notes.siblings(key))).siblings.length, 1);
  }
  tt.equal(forwarded(world), 0);
  const coordinators = world.cluster.nodes.filter(({ counters }) => counters.puts > 0);
  tt.equal(coordinators.length, 6, "all nodes coordinate");
});

t.test("a write that goes on from a read is made by the node that answered the read first", async (tt) => {
  const world = new ClientWorld(4);
  const notes = world.client().bucket("notes", { codec: text });
  const [, , third] = world.cluster.preference(nameOf("notes/k"));
  third.put(nameOf("notes/k"), "one");
  const found = third.get(nameOf("notes/k"), 1);
  const before = third.counters.puts;
  await world.until(notes.put("k", "two", { context: found.context }));
  tt.equal(third.counters.puts, before + 1);
  tt.equal(forwarded(world), 0);
});

t.test("a client learns of a newer layout from the first answer under it, and goes by it", async (tt) => {
  const world = new ClientWorld(4);
  const { cluster } = world;
  const notes = world.client().bucket("notes", { codec: text });
  for (const key of KEYS) await world.until(notes.put(key, "one"));
  for (const _ of [1, 2, 3]) cluster.add();
  cluster.until("the newcomers own their part", () => cluster.isSettled);
  const before = forwarded(world);
  await world.until(notes.get("k0"));
  await world.pass(20);
  const learned = forwarded(world);
  tt.ok(learned - before <= 1, "one request at most went where it had always gone");
  for (const key of KEYS) tt.equal((await world.until(notes.get(key)))?.value, "one");
  tt.equal(forwarded(world), learned);
  tt.ok(cluster.nodes.slice(4).some(({ counters }) => counters.gets > 0), "the newcomers are asked");
});

t.test("of a bucket with fewer copies the first owners alone are asked", async (tt) => {
  const world = new ClientWorld(6);
  const [{ membership }] = world.cluster.nodes;
  tt.equal(membership.buckets.set(new TextEncoder().encode("single"), { policy: "siblings", n: 1 }, 3), "");
  world.cluster.run(10_000);
  const halo = world.client();
  const single = halo.bucket("single", { codec: text });
  for (const key of KEYS) {
    await world.until(single.put(key, key));
    tt.equal((await world.until(single.get(key)))?.value, key);
  }
  tt.equal(forwarded(world), 0);
  await world.until(halo.bucket("singles", { codec: text }).put("k", "v"));
});

t.test("connections are few until there is much to do, and never more than wanted", async (tt) => {
  const world = new ClientWorld(1);
  const notes = world.client({ connectionsMax: 3 }).bucket("notes", { codec: text });
  const open = (): number => world.cluster.network.openSockets("client");
  for (const key of KEYS) await world.until(notes.put(key, key));
  tt.equal(open(), 1);
  await world.until(Promise.all(Array.from({ length: 100 }, (_, index) => notes.get(`k${index}`))));
  tt.equal(open(), 2);
  await world.until(Promise.all(Array.from({ length: 900 }, (_, index) => notes.get(`k${index}`))));
  tt.equal(open(), 3);
});

t.test("one address is enough; of several, those that answer are", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client({ seeds: "nowhere:1, n2:7071" }).bucket("notes", { codec: text });
  await world.until(notes.put("k", "one"));
  tt.equal((await world.until(notes.get("k")))?.value, "one");
});

t.test("a thousand requests at once are all answered, a few at a time where that is wanted", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client({ requestsMax: 10 }).bucket("notes", { codec: text });
  const keys = Array.from({ length: 1_000 }, (_, index) => `k${index}`);
  let most = 0;
  const watch = (): void => {
    most = Math.max(most, world.cluster.nodes.reduce((sum, { coordinator }) => sum + coordinator.unanswered, 0));
  };
  await world.until(Promise.all(keys.map((key) => notes.put(key, key).then(watch))));
  tt.ok(most <= 10, `${most} at once`);
  const found = await world.until(Promise.all(keys.map((key) => notes.get(key))));
  tt.same(found.map((one) => one?.value), keys);
});

t.test("behind a load balancer its addresses alone are dialled, and nodes hand requests on", async (tt) => {
  const world = new ClientWorld(5);
  const notes = world.client({ seeds: "n3:7071, n4:7071", addressesOnly: true }).bucket("notes", { codec: text });
  await world.until(Promise.all(KEYS.map((key) => notes.put(key, key))));
  for (const key of KEYS) tt.equal((await world.until(notes.get(key)))?.value, key);
  const found: string[] = [];
  await world.until((async () => {
    for await (const key of notes.keys()) found.push(key);
  })());
  tt.same(found.sort(), [...KEYS].sort());
  tt.ok(forwarded(world) > 0);
  const { network } = world.cluster;
  const open = ["n0", "n1", "n2", "n3", "n4"].map((name) => network.link("client", name).writes > 0);
  tt.same(open, [false, false, false, true, true]);
  network.cut("client", "n3");
  for (const key of KEYS.slice(0, 10)) tt.equal((await world.until(notes.get(key)))?.value, key);
});
