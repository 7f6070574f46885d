/** The library's calls, as an application makes them, against real nodes in one simulated world. */

import { gunzipSync, gzipSync } from "node:zlib";
import t from "tap";
import { bytes, type Codec, connect, type HaloError, lastWriteWins, text, union } from "../../client/client.ts";
import { ClientWorld } from "./client-world.ts";

/** What a call was refused with. */
async function errorOf(world: ClientWorld, promise: Promise<unknown>): Promise<Pick<HaloError, "code" | "outcome" | "message">> {
  const settled = await world.until(promise.then((value) => ({ value }), (error: HaloError) => ({ error })));
  if ("error" in settled) return settled.error;
  throw new Error(`It was done: ${JSON.stringify(settled.value)}`);
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

t.test("what is put is what is got, with all that belongs to it", async (tt) => {
  const world = new ClientWorld(3);
  const carts = world.client().bucket<{ items: string[] }>("carts");
  tt.equal(await world.until(carts.get("alice")), null);
  const written = await world.until(carts.put("alice", { items: ["milk"] }, { meta: { from: "web" }, ttlSeconds: 60 }));
  const found = await world.until(carts.get("alice"));
  tt.same(found?.value, { items: ["milk"] });
  tt.equal(found?.etag, written.etag);
  tt.equal(found?.siblings.length, 1);
  const [sibling] = found?.siblings ?? [];
  tt.equal(sibling.contentType, "application/json");
  tt.same(sibling.meta, { from: "web" });
  tt.equal((sibling.expires?.getTime() ?? 0) - sibling.time.getTime(), 60_000);
  await world.pass(61_000);
  tt.equal(await world.until(carts.get("alice")), null, "it has expired");
});

t.test("a value that the application compressed says so, beside the metadata", async (tt) => {
  const world = new ClientWorld(3);
  const files = world.client().bucket("files", { codec: bytes });
  await world.until(files.put("a", Uint8Array.of(31, 139), { contentEncoding: "gzip", meta: { from: "web" } }));
  const [sibling] = (await world.until(files.get("a")))?.siblings ?? [];
  tt.match(sibling, { contentEncoding: "gzip", meta: { from: "web" } });
  tt.same(Object.keys(sibling.meta), ["from"]);
  const refused = await errorOf(world, files.put("a", Uint8Array.of(1), { contentEncoding: "g\r\nx: y" }));
  tt.match(refused, { code: "bad-parameter", outcome: "refused" });
  const unread = await errorOf(world, world.client().bucket("files", { codec: text }).get("a"));
  tt.match(unread, { code: "bad-value", message: /octet-stream, compressed with gzip\) is no UTF-8/ });
});

t.test("a codec that compresses says with what, and is told what others have compressed with", async (tt) => {
  const world = new ClientWorld(3);
  const zipped: Codec<string> = {
    contentType: "text/plain",
    contentEncoding: "gzip",
    encode: (value) => gzipSync(value),
    decode: (stored, _type, encoding) => String(encoding === "gzip" ? gunzipSync(stored) : Buffer.from(stored)),
  };
  const pages = world.client().bucket("pages", { codec: zipped });
  await world.until(pages.put("ours", "a page"));
  const ours = await world.until(pages.get("ours"));
  tt.match(ours, { value: "a page", siblings: [{ contentType: "text/plain", contentEncoding: "gzip" }] });
  await world.until(world.client().bucket("pages", { codec: text }).put("theirs", "plain"));
  tt.match(await world.until(pages.get("theirs")), { value: "plain", siblings: [{ contentEncoding: null }] });
});

t.test("a put with a context replaces what was read, one without stands beside it", async (tt) => {
  const world = new ClientWorld(3);
  const halo = world.client();
  const carts = halo.bucket<string[]>("carts", { resolve: union<string>() });
  await world.until(carts.put("alice", ["milk", "eggs"]));
  await world.until(carts.put("alice", ["eggs", "bread"]));
  const found = await world.until(carts.get("alice"));
  tt.same(found?.siblings.map(({ value }) => value), [["milk", "eggs"], ["eggs", "bread"]], "oldest first");
  tt.same(found?.value, ["milk", "eggs", "bread"]);
  const strict = halo.bucket<string[]>("carts");
  const refused = await errorOf(world, strict.get("alice"));
  tt.match(refused, { code: "siblings", outcome: "refused", message: /carts\/alice has 2 siblings/ });
  tt.equal((await world.until(strict.siblings("alice"))).siblings.length, 2);
  const latest = halo.bucket<string[]>("carts", { resolve: lastWriteWins() });
  tt.same((await world.until(latest.get("alice")))?.value, ["eggs", "bread"]);
  await world.until(carts.put("alice", ["all"], { context: found?.context }));
  tt.same((await world.until(strict.get("alice")))?.value, ["all"]);
  const forged = await errorOf(world, carts.put("alice", [], { context: "AQAB" }));
  tt.match(forged, { code: "bad-context", outcome: "refused" });
});

t.test("updates at once both count", async (tt) => {
  const world = new ClientWorld(3);
  const carts = world.client().bucket<string[]>("carts", { resolve: union<string>() });
  const add = (item: string): Promise<string[] | undefined> => carts.update("alice", (items = []) => [...items, item]);
  await world.until(Promise.all(["a", "b", "c"].map(add)));
  tt.same((await world.until(carts.get("alice")))?.value.sort(), ["a", "b", "c"]);
  tt.same((await world.until(add("d")))?.sort(), ["a", "b", "c", "d"]);
  tt.equal((await world.until(carts.siblings("alice"))).siblings.length, 1, "an update resolves for all");
  tt.equal(await world.until(carts.update("bob", () => undefined)), undefined);
  tt.equal(await world.until(carts.get("bob")), null, "nothing was stored");
});

t.test("a delete takes what was read, and what comes after it is new", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client().bucket("notes", { codec: text });
  const first = await world.until(notes.put("k", "one"));
  await world.until(notes.put("k", "two"));
  await world.until(notes.delete("k", { context: first.context }));
  tt.equal((await world.until(notes.get("k")))?.value, "two");
  await world.until(notes.delete("k"));
  const gone = await world.until(notes.siblings("k"));
  tt.same(gone.siblings, []);
  tt.not(gone.context, "");
  await world.until(notes.put("k", "three"));
  tt.equal((await world.until(notes.get("k")))?.value, "three");
});

t.test("conditions are kept, and a refusal says that nothing was written", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client().bucket("notes", { codec: text });
  const first = await world.until(notes.put("k", "one", { ifAbsent: true }));
  const no = { code: "precondition-failed", outcome: "refused" };
  tt.match(await errorOf(world, notes.put("k", "two", { ifAbsent: true })), no);
  const second = await world.until(notes.put("k", "two", { ifMatch: first.etag }));
  const error = await world.until(notes.put("k", "three", { ifMatch: first.etag }).catch((thrown: HaloError) => thrown));
  tt.match(error, no);
  tt.equal((await world.until(notes.get("k")))?.value, "two", "a passing put supersedes what it matched");
  tt.ok(error.context !== "", "the context of what there is comes with it");
  await world.until(notes.delete("k", { ifMatch: ["0".repeat(16), second.etag] }));
  tt.equal(await world.until(notes.get("k")), null);
});

t.test("keys and values of any bytes; keys that are no text are given as bytes alone", async (tt) => {
  const world = new ClientWorld(3);
  const blobs = world.client().bucket("blobs", { codec: bytes });
  const value = Uint8Array.from({ length: 256 }, (_, index) => index);
  await world.until(blobs.put("text/ü", value));
  tt.same((await world.until(blobs.get("text/ü")))?.value, value);
  tt.same(await world.until(all(blobs.keys())), ["text/ü"]);
  await world.until(blobs.put(Uint8Array.of(255, 0), new Uint8Array(0)));
  tt.same((await world.until(blobs.get(Uint8Array.of(255, 0))))?.value, new Uint8Array(0));
  tt.match(await errorOf(world, all(blobs.keys())), { code: "bad-key", message: /rawKeys/ });
  tt.equal((await world.until(all(blobs.rawKeys()))).length, 2);
});

t.test("keys come page after page, each once, and stop where the application stops", async (tt) => {
  const world = new ClientWorld(3);
  const notes = world.client().bucket("notes", { codec: text });
  const wanted = Array.from({ length: 60 }, (_, index) => `k${index}`).sort();
  await world.until(Promise.all(wanted.map((key) => notes.put(key, "v"))));
  tt.same((await world.until(all(notes.keys({ pageSize: 7 })))).sort(), wanted);
  tt.same((await world.until(all(notes.keys({ prefix: "k5" })))).sort(), wanted.filter((key) => key.startsWith("k5")));
  const some = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const key of notes.keys({ pageSize: 3 })) if (found.push(key) === 5) break;
    return found;
  };
  const listings = (): number => world.cluster.nodes.reduce((sum, node) => sum + node.counters.listings, 0);
  const before = listings();
  tt.equal((await world.until(some())).length, 5);
  tt.equal(listings() - before, 2, "no page is asked for that nobody reads");
});

t.test("what is out of range is refused in a sentence, before anything is sent", async (tt) => {
  const world = new ClientWorld(1);
  const halo = world.client();
  const notes = halo.bucket("notes", { codec: text });
  const refused: readonly (readonly [string, RegExp, () => Promise<unknown>])[] = [
    ["bad-key", /The key is 0 bytes/, () => notes.get("")],
    ["key-too-long", /The key is 4097 bytes/, () => notes.get("x".repeat(4097))],
    ["bad-parameter", /r is 1.5/, () => notes.get("k", { r: 1.5 })],
    ["bad-parameter", /w is 252/, () => notes.put("k", "v", { w: 252 })],
    ["bad-parameter", /timeoutMs is 60001/, () => notes.get("k", { timeoutMs: 60_001 })],
    ["bad-parameter", /ttlSeconds is 0/, () => notes.put("k", "v", { ttlSeconds: 0 })],
    ["bad-parameter", /ifMatch is "x"/, () => notes.put("k", "v", { ifMatch: "x" })],
    ["bad-parameter", /"No" is no name/, () => notes.put("k", "v", { meta: { No: "" } })],
    ["bad-parameter", /line break/, () => notes.put("k", "v", { meta: { no: "a\nb" } })],
    ["bad-parameter", /2049 bytes/, () => notes.put("k", "v", { meta: { a: "x".repeat(2048) } })],
    ["bad-parameter", /content type/, () => notes.put("k", "v", { contentType: "a\nb" })],
    ["bad-parameter", /pageSize is 0/, () => all(notes.keys({ pageSize: 0 }))],
    ["value-too-large", /1048577 bytes/, () => notes.put("k", "x".repeat((1 << 20) + 1))],
    ["bad-value", /JSON/, () => halo.bucket("notes").put("k", undefined)],
  ];
  for (const [code, message, call] of refused) tt.match(await errorOf(world, call()), { code, message, outcome: "refused" });
  for (const name of ["", "a/b", "x".repeat(256)]) tt.throws(() => halo.bucket(name), { code: "bad-bucket" });
  tt.throws(() => world.client({ seeds: "nowhere" }), { code: "bad-parameter", message: /"nowhere"/ });
  tt.throws(() => world.client({ timeoutMs: 0 }), { code: "bad-parameter" });
  tt.throws(() => world.client({ requestsMax: 0 }), { code: "bad-parameter" });
  tt.throws(() => connect("n0:7071", { tls: { ca: "ca.pem" } }), { code: "bad-parameter", message: /tls\.ca/ });
  tt.match(await errorOf(world, notes.get("k", { r: 4 })), { code: "bad-parameter", message: /r is 4/ }, "by the cluster");
  tt.equal(world.cluster.nodes[0].counters.puts, 0);
  await world.until(notes.put("k", "x".repeat(1 << 20)));
});

t.test("a value that is no JSON is an error of the reader's, and says so", async (tt) => {
  const world = new ClientWorld(1);
  const halo = world.client();
  await world.until(halo.bucket("notes", { codec: text }).put("k", "{"));
  tt.match(await errorOf(world, halo.bucket("notes").get("k")), { code: "bad-value", message: /text\/plain/ });
  await world.until(halo.bucket("notes", { codec: bytes }).put("b", Uint8Array.of(255)));
  tt.match(await errorOf(world, halo.bucket("notes", { codec: text }).get("b")), { code: "bad-value", message: /UTF-8/ });
});
