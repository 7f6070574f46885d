/** Nodes that are gone, silent, slow, full or closed to this client: what a request comes to then. */

import t from "tap";
import { type Bucket, type HaloError, text } from "../../client/client.ts";
import { rootToken } from "../../server/membership/authorization.ts";
import { nameOf, type SmallNode } from "../server/replication/small-cluster.ts";
import { ClientWorld } from "./client-world.ts";

const NAME = nameOf("notes/k");
const SECRET = new TextEncoder().encode("correct horse battery staple");

async function errorOf(world: ClientWorld, promise: Promise<unknown>): Promise<HaloError> {
  const settled = await world.until(promise.then((value) => ({ value }), (error: HaloError) => ({ error })));
  if ("error" in settled) return settled.error;
  throw new Error(`It was done: ${JSON.stringify(settled.value)}`);
}

/** What a call takes in virtual time. */
async function msOf(world: ClientWorld, promise: Promise<unknown>): Promise<number> {
  const beganMs = world.cluster.world.now / 1_000;
  await world.until(promise);
  return world.cluster.world.now / 1_000 - beganMs;
}

/** The client and this node hear nothing of each other, in silence. */
function part(world: ClientWorld, ...nodes: readonly SmallNode[]): void {
  for (const node of nodes) world.cluster.network.cut("client", node.name);
}

async function warm(world: ClientWorld, notes: Bucket<string>): Promise<void> {
  for (let round = 0; round < 30; round++) {
    for (const key of ["k", "a", "b", "c"]) {
      await world.until(notes.put(key, "one", { context: (await world.until(notes.siblings(key))).context }));
    }
  }
}

t.test("a slow or silent node is not waited for: reads are asked of the next one as well", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client().bucket("notes", { codec: text });
  await warm(world, notes);
  for (const node of world.cluster.nodes) {
    part(world, node);
    const tookMs = await msOf(world, notes.get("k"));
    tt.ok(tookMs < 200, `${node.name} is silent: ${tookMs} ms`);
    world.cluster.network.heal();
    await world.pass(3_000);
  }
  for (const node of world.cluster.nodes) {
    world.cluster.network.setBoth("client", node.name, { delayMsMin: 300, delayMsMean: 300 });
    const tookMs = await msOf(world, notes.get("k"));
    tt.ok(tookMs < 200, `${node.name} is slow: ${tookMs} ms`);
    world.cluster.network.setBoth("client", node.name, { delayMsMin: 0.2, delayMsMean: 0.5 });
    await world.pass(12_000);
  }
});

t.test("a write whose coordinator falls silent is made once, by another one, under its request id", async (tt) => {
  const world = new ClientWorld(4);
  const { cluster } = world;
  const notes = world.client().bucket("notes", { codec: text });
  await warm(world, notes);
  const [first] = cluster.preference(NAME);
  const found = await world.until(notes.get("k"));
  const before = first.counters.puts;
  // The node hears the client and cannot answer it.
  cluster.network.cutOneWay(first.name, "client");
  const tookMs = await msOf(world, notes.put("k", "two"));
  tt.ok(tookMs < 2_000, `${tookMs} ms`);
  tt.equal(first.counters.puts, before + 1, "it was asked first");
  cluster.network.heal();
  await world.pass(5_000);
  const { siblings } = await world.until(notes.siblings("k", { r: "all" }));
  tt.same(siblings.map(({ value }) => value), ["one", "two"], "one sibling, not two");
  tt.equal(found?.value, "one");
});

t.test("a connection that breaks while a write is under way is no end: the write is made once", async (tt) => {
  const world = new ClientWorld(3);
  const { cluster } = world;
  const notes = world.client().bucket("notes", { codec: text });
  await warm(world, notes);
  const [first] = cluster.preference(NAME);
  first.objects.durable = null;
  const put = notes.put("k", "two");
  await world.pass(5);
  first.objects.release(true);
  first.peers.cutAll("the test wants it");
  await world.until(put);
  const { siblings } = await world.until(notes.siblings("k", { r: "all" }));
  tt.same(siblings.map(({ value }) => value), ["one", "two"]);
});

t.test("a node that is gone is asked last until it is back", async (tt) => {
  const world = new ClientWorld(4);
  const { cluster } = world;
  const notes = world.client().bucket("notes", { codec: text });
  await warm(world, notes);
  const [first] = cluster.preference(NAME);
  part(world, first);
  first.peers.cutAll("it is gone");
  await world.pass(10);
  await world.until(notes.put("k", "two"));
  const tookMs: number[] = [];
  for (let round = 0; round < 10; round++) tookMs.push(await msOf(world, notes.siblings("k")));
  tt.ok(tookMs.filter((ms) => ms > 50).length <= 1, `${tookMs}: reads take no notice`);
  tt.same((await world.until(notes.siblings("k"))).siblings.map(({ value }) => value), ["one", "two"]);
  cluster.network.heal();
  await world.pass(12_000);
  // The first to use the old connection finds out that it is dead.
  await world.until(notes.put("k", "three"));
  await world.pass(3_000);
  const before = first.counters.puts;
  await world.until(notes.put("k", "four"));
  tt.equal(first.counters.puts, before + 1, "the first owner coordinates again");
});

t.test("without any node: refused as unreachable, in time, with the reason; a write that was sent is unknown", async (tt) => {
  const world = new ClientWorld(3);
  const halo = world.client({ timeoutMs: 700 });
  const notes = halo.bucket("notes", { codec: text });
  part(world, ...world.cluster.nodes);
  const cold = await errorOf(world, notes.put("k", "one"));
  tt.match(cold, { code: "unreachable", outcome: "refused", message: /within 700 ms/ });
  world.cluster.network.heal();
  await world.pass(5_000);
  await warm(world, notes);
  part(world, ...world.cluster.nodes);
  const beganMs = world.cluster.world.now / 1_000;
  const write = await errorOf(world, notes.put("k", "two"));
  tt.match(write, { code: "write-unknown", outcome: "unknown", message: /may have happened/ });
  tt.ok(world.cluster.world.now / 1_000 - beganMs < 702, "the deadline is kept");
  tt.match(await errorOf(world, notes.get("k")), { code: /read-timeout|unreachable/ });
  world.cluster.network.heal();
  await world.pass(5_000);
  tt.equal((await world.until(notes.siblings("k"))).siblings[0].value, "one", "and all is as before");
});

t.test("a node that is full is not the end: another one is asked at once", async (tt) => {
  const world = new ClientWorld(4, { requestsMax: 3 });
  const { cluster } = world;
  const notes = world.client().bucket("notes", { codec: text });
  await warm(world, notes);
  const [first] = cluster.preference(NAME);
  first.objects.durable = null;
  for (let number = 0; number < 3; number++) first.begin(nameOf(`other/${number}`), "x", { dw: 3, timeoutMs: 60_000 }, () => {});
  const tookMs = await msOf(world, notes.put("k", "two", { dw: 0 }));
  tt.ok(tookMs < 100, `${tookMs} ms`);
  tt.ok(first.counters.requestsOverloaded > 0, "it was asked first");
});

t.test("too few replicas: tried again as the nodes say, then refused as they did", async (tt) => {
  const world = new ClientWorld(3);
  const { cluster } = world;
  const notes = world.client({ timeoutMs: 4_000 }).bucket("notes", { codec: text });
  await warm(world, notes);
  const [first, second, third] = cluster.preference(NAME);
  cluster.lose(second);
  cluster.lose(third);
  const beganMs = cluster.world.now / 1_000;
  const pending = notes.put("k", "two", { pw: 3 });
  const error = await errorOf(world, pending);
  tt.equal(error.code, "quorum-unreachable");
  tt.equal(error.outcome, "refused");
  const tookMs = cluster.world.now / 1_000 - beganMs;
  tt.ok(tookMs >= 1_000 && tookMs <= 4_001, `${tookMs} ms: tried again`);
  tt.ok(first.counters.puts > 1);
  const again = notes.put("k", "three", { pw: 2 });
  await world.pass(500);
  cluster.heal();
  await world.until(again);
  tt.pass("and done, where they are back in time");
});

t.test("without a token the cluster does not let a client in, and says so at once; with one it does", async (tt) => {
  const world = new ClientWorld(3, { secret: SECRET });
  const without = world.client().bucket("notes", { codec: text });
  tt.match(await errorOf(world, without.put("k", "one")), {
    code: "unauthenticated",
    outcome: "refused",
    message: /has to bring a token/,
  });
  const wrong = world.client({ token: "halo_x" }).bucket("notes", { codec: text });
  tt.match(await errorOf(world, wrong.get("k")), { code: "unauthenticated", message: /not known/ });
  const notes = world.client({ token: rootToken(SECRET) }).bucket("notes", { codec: text });
  await world.until(notes.put("k", "one"));
  tt.equal((await world.until(notes.get("k")))?.value, "one");
});

t.test("closing ends what is under way, honestly, and takes nothing more", async (tt) => {
  const world = new ClientWorld(3);
  const halo = world.client();
  const notes = halo.bucket("notes", { codec: text });
  await world.until(notes.put("k", "one"));
  const write = errorOf(world, notes.put("k", "two"));
  const read = errorOf(world, notes.get("k"));
  halo.close();
  tt.match(await write, { code: "write-unknown", outcome: "unknown" });
  tt.match(await read, { code: "closed", outcome: "refused" });
  tt.match(await errorOf(world, notes.get("k")), { code: "closed" });
  await world.pass(10);
  tt.equal(world.cluster.network.openSockets("client"), 0);
});

t.test("an aborted request ends at once, honestly; the client goes on", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client({ requestsMax: 2 }).bucket("notes", { codec: text });
  await world.until(notes.put("k", "one"));
  const given = new AbortController();
  const { signal } = given;
  const write = errorOf(world, notes.put("k", "two", { signal }));
  const read = errorOf(world, notes.get("k", { signal }));
  const waiting = errorOf(world, notes.put("other", "three", { signal }));
  given.abort();
  tt.match(await write, { code: "write-unknown", outcome: "unknown" }, "it was sent");
  tt.match(await read, { code: "aborted", outcome: "refused" });
  tt.match(await waiting, { code: "aborted", outcome: "refused" }, "it waited for its turn");
  tt.match(await errorOf(world, notes.get("k", { signal })), { code: "aborted" }, "a signal that was given before");
  tt.match(await errorOf(world, notes.keys({ signal }).next()), { code: "aborted" }, "a listing");
  tt.equal(await world.until(notes.get("other")), null, "what waited was never written");
  tt.not((await world.until(notes.siblings("k"))).siblings.length, 0);
});
