/** Compressed answers: what is, for whom, under which tag; and that a compressor ends with its answer. */

import { brotliDecompressSync, gunzipSync } from "node:zlib";
import t from "tap";
import { COMPRESSION_BYTES_MIN, COMPRESSIONS_MAX } from "../../../core/limits.ts";
import { LargeValue } from "../../../server/coordination/value.ts";
import type { LargePayload } from "../../../storage/large-payload.ts";
import { MemoryStage } from "../../../storage/memory/memory-payload.ts";
import { Face } from "./face.ts";

const TEXT = Array.from({ length: 2_000 }, (_, index) => `${index}.`).join("");
const TAG = '"0000000000000001';
const ROOM = { valueBytesMax: 1 << 20 };

async function faceWith(value: string, type = "text/plain"): Promise<Face> {
  const face = new Face(ROOM);
  await face.send("PUT", "/kv/b/k", { body: value, headers: { "Content-Type": type } });
  return face;
}

function get(face: Face, headers: Record<string, string> = { "Accept-Encoding": "gzip" }, method = "GET"): Promise<Response> {
  return face.send(method, "/kv/b/k", { headers });
}

async function plainOf(response: Response): Promise<string> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const coding = response.headers.get("content-encoding");
  if (coding === "gzip") return gunzipSync(bytes).toString();
  return coding === "br" ? brotliDecompressSync(bytes).toString() : Buffer.from(bytes).toString();
}

/** How many are under way, as /stats says it. */
async function compressing(face: Face): Promise<number> {
  return ((await (await face.send("GET", "/stats")).json()) as { compressing: number }).compressing;
}

t.test("a compressible value comes in the coding that is asked for, under a tag of its own", async (t) => {
  const face = await faceWith(TEXT);
  for (const coding of ["gzip", "br"]) {
    const answer = await get(face, { "Accept-Encoding": coding });
    t.equal(answer.status, 200);
    t.equal(answer.headers.get("content-encoding"), coding);
    t.equal(answer.headers.get("etag"), `${TAG}-${coding}"`);
    t.equal(answer.headers.get("vary"), "Accept-Encoding");
    t.equal(answer.headers.get("content-type"), "text/plain");
    t.equal(answer.headers.get("accept-ranges"), null);
    t.ok(answer.headers.has("halo-context"));
    t.equal(await plainOf(answer), TEXT);
  }
  t.equal(await compressing(face), 0);
});

t.test("HEAD says what GET says", async (t) => {
  const face = await faceWith(TEXT);
  const head = await get(face, undefined, "HEAD");
  const { headers } = await get(face);
  for (const name of ["content-encoding", "etag", "vary", "content-type", "content-length"]) {
    t.equal(head.headers.get(name), headers.get(name), name);
  }
  t.equal(await head.text(), "");
  t.equal((await get(face, {}, "HEAD")).headers.get("content-length"), String(TEXT.length));
});

t.test("what is short, of another type, or not asked for comes as it is", async (t) => {
  const cases: [string, string, string, string | null][] = [
    ["x".repeat(COMPRESSION_BYTES_MIN), "text/plain", "gzip", "gzip"],
    ["x".repeat(COMPRESSION_BYTES_MIN - 1), "text/plain", "gzip", null],
    [TEXT, "application/octet-stream", "gzip", null],
    [TEXT, "image/png", "gzip", null],
    [TEXT, "application/json; charset=utf-8", "gzip", "gzip"],
    [TEXT, "application/x-ndjson", "gzip", "gzip"],
    [TEXT, "image/svg+xml", "gzip", "gzip"],
    [TEXT, "text/plain", "identity", null],
    [TEXT, "text/plain", "compress", null],
    [TEXT, "text/plain", "gzip;q=0", null],
    [TEXT, "text/plain", "*;q=0", null],
    [TEXT, "text/plain", "*", "gzip"],
    [TEXT, "text/plain", "x-gzip", "gzip"],
    [TEXT, "text/plain", "GZIP ; Q=0.3", "gzip"],
    [TEXT, "text/plain", "gzip, br;q=0.9", "gzip"],
    [TEXT, "text/plain", "gzip;q=0.9, br", "br"],
    [TEXT, "text/plain", "gzip, br", "br"],
    [TEXT, "text/plain", "br;q=0, *", "gzip"],
    [TEXT, "text/plain", "identity, gzip;q=0.5", null],
    [TEXT, "text/plain", "identity;q=0, gzip;q=0.1", "gzip"],
    [TEXT, "text/plain", "gzip;q=high", null],
    [TEXT, "text/plain", ",;,", null],
  ];
  for (const [value, type, asked, coding] of cases) {
    const answer = await get(await faceWith(value, type), { "Accept-Encoding": asked });
    t.equal(answer.headers.get("content-encoding"), coding, `${value.length} bytes of ${type}, asked for ${asked}`);
    t.equal(await plainOf(answer), value);
  }
  const plain = await get(await faceWith(TEXT), {});
  t.equal(plain.headers.get("etag"), `${TAG}"`);
  t.equal(plain.headers.get("vary"), "Accept-Encoding", "caches know that others would get another answer");
});

t.test("a tag with a coding validates: for reads where that coding is taken, for writes always, for ranges never", async (t) => {
  const face = await faceWith(TEXT);
  const statusOf = async (headers: Record<string, string>): Promise<string> => {
    const { status, headers: told } = await get(face, headers);
    return `${status} ${told.get("etag")}`;
  };
  const gzip = { "Accept-Encoding": "gzip" };
  t.equal(await statusOf({ ...gzip, "If-None-Match": `${TAG}-gzip"` }), `304 ${TAG}-gzip"`);
  t.equal(await statusOf({ ...gzip, "If-None-Match": `"x", W/${TAG}-gzip"` }), `304 ${TAG}-gzip"`);
  t.equal(await statusOf({ ...gzip, "If-None-Match": `${TAG}"` }), `304 ${TAG}"`, "it may keep what it has as it is");
  t.equal(await statusOf({ ...gzip, "If-None-Match": `${TAG}-br"` }), `200 ${TAG}-gzip"`);
  t.equal(await statusOf({ "If-None-Match": `${TAG}-gzip"` }), `200 ${TAG}"`, "a cache may not give gzip to this one");
  t.equal((await get(face, { "If-None-Match": `${TAG}"` })).headers.get("vary"), "Accept-Encoding");

  const range = { ...gzip, Range: "bytes=0-9" };
  t.equal(await statusOf(range), `206 ${TAG}"`);
  t.equal(await plainOf(await get(face, range)), TEXT.slice(0, 10), "ranges are of what is as it is");
  t.equal(await statusOf({ ...range, "If-Range": `${TAG}"` }), `206 ${TAG}"`);
  t.equal(await statusOf({ ...range, "If-Range": `${TAG}-gzip"` }), `200 ${TAG}-gzip"`);

  const put = await face.send("PUT", "/kv/b/k", { body: "v", headers: { "If-Match": `${TAG}-gzip"` } });
  t.equal(put.status, 204);
});

t.test("each form of siblings has a tag of its own, with and without a coding", async (t) => {
  const face = await faceWith(TEXT);
  await face.send("PUT", "/kv/b/k", { body: `${TEXT}!`, headers: { "Content-Type": "text/plain" } });
  const forms = [["*/*", ""], ["application/json", "-json"], ["application/cbor", "-cbor"]];
  const tags = new Set<string>();
  for (const [accept = "", suffix = ""] of forms) {
    for (const [asked, coding] of [["identity", ""], ["gzip", suffix === "" ? "" : "-gzip"]]) {
      const headers = { Accept: accept, "Accept-Encoding": asked };
      const answer = await get(face, headers);
      t.equal(answer.status, 300);
      t.match(answer.headers.get("vary"), /^Accept\b/);
      const tag = answer.headers.get("etag") ?? "";
      t.ok(tag.endsWith(`${suffix}${coding}"`), tag);
      tags.add(tag);
      const plain = await plainOf(answer);
      if (suffix === "-json") t.equal((JSON.parse(plain) as { siblings: object[] }).siblings.length, 2);
      t.equal((await get(face, { ...headers, "If-None-Match": tag })).status, 304);
      t.equal((await get(face, { ...headers, Accept: "x/y", "If-None-Match": tag })).status, suffix === "" ? 304 : 300);
    }
  }
  t.equal(tags.size, 5);
  for (const tag of tags) {
    const other = await face.send("DELETE", "/kv/b/other", { headers: { "If-Match": tag } });
    t.equal(other.status, 412);
  }
  const [, , , tag = ""] = tags;
  t.equal((await face.send("PUT", "/kv/b/k", { body: "v", headers: { "If-Match": tag } })).status, 204);
});

t.test("JSON of other routes is compressed as well", async (t) => {
  const face = new Face();
  for (let number = 0; number < 90; number++) {
    await face.send("PUT", `/kv/b/a-rather-long-key-${number}`, { body: "v" });
    await face.send("PUT", `/buckets/bucket-${number}`, { body: '{"policy":"lww"}', headers: { "Content-Type": "application/json" } });
  }
  const operations = Array.from({ length: 90 }, (_, number) => ({ op: "get", bucket: "b", key: `a-rather-long-key-${number}` }));
  const requests: [string, string, string | undefined][] = [
    ["GET", "/kv/b", undefined],
    ["GET", "/buckets", undefined],
    ["POST", "/batch", JSON.stringify({ operations })],
  ];
  for (const [method, target, body] of requests) {
    const type = { "Content-Type": "application/json" };
    const init = body === undefined ? {} : { body, headers: type };
    const plain = await face.send(method, target, init);
    const packed = await face.send(method, target, { ...init, headers: { ...type, "Accept-Encoding": "br" } });
    t.equal(packed.headers.get("content-encoding"), "br", target);
    t.match(packed.headers.get("vary"), /Accept-Encoding/);
    t.equal(await plainOf(packed), await plain.text());
    if (method === "POST") continue;
    const head = await face.send("HEAD", target, { headers: { "Accept-Encoding": "br" } });
    t.equal(head.headers.get("content-encoding"), "br");
    t.equal(head.headers.get("content-length"), null);
    const length = (await face.send("HEAD", target)).headers.get("content-length");
    t.ok(Number(length) > COMPRESSION_BYTES_MIN, `${length} bytes`);
  }
  const short = await face.send("GET", "/buckets/b", { headers: { "Accept-Encoding": "br" } });
  t.equal(short.headers.get("content-encoding"), null);
});

/** A face whose every get finds one large value, how often that is held, and whether it can be read. */
class LargeFace {
  readonly face = new Face();
  holds = 0;
  isReadable = true;

  constructor(value: Buffer) {
    const stage = new MemoryStage(256 << 10);
    stage.append(value, 0, value.length);
    const { payload } = stage.finish();
    const watched: LargePayload = {
      length: payload.length,
      checksum: payload.checksum,
      readInto: (position, target, start, end) => {
        return this.isReadable ? payload.readInto(position, target, start, end) : "damaged";
      },
      hold: () => {
        this.holds++;
        return true;
      },
      release: () => void this.holds--,
    };
    const meta = { contentType: "text/plain", meta: [] };
    const sibling = { body: new LargeValue(watched, 0), meta, timeMs: 0, expiryMs: 0 };
    const { store } = this.face;
    const find = store.get.bind(store);
    store.get = (request, done) => {
      store.nextResult = { etag: "e", siblings: this.isReadable ? [sibling] : [] };
      find(request, done);
    };
  }
}

const LARGE = Buffer.from(TEXT.repeat(200));

t.test("a large value streams through the compressor, and no further than it is read", async (t) => {
  const large = new LargeFace(LARGE);
  const { face } = large;
  const answer = await get(face);
  t.equal(answer.headers.get("content-length"), null);
  t.equal(large.holds, 1);
  t.equal(await compressing(face), 1);
  t.ok(await plainOf(answer) === LARGE.toString());
  t.equal(large.holds, 0);
  t.equal(await compressing(face), 0);
});

t.test("who goes away in mid-answer leaves nothing behind", async (t) => {
  const large = new LargeFace(LARGE);
  const { face } = large;
  const unread = await get(face);
  await unread.body?.cancel();
  const begun = (await get(face)).body?.getReader();
  await begun?.read();
  t.equal(await compressing(face), 1);
  await begun?.cancel();
  t.equal(large.holds, 0);
  t.equal(await compressing(face), 0);
});

t.test("beyond so many at a time answers come as they are, until one has ended", async (t) => {
  const { face } = new LargeFace(LARGE);
  const codingOf = (answer: Response): string | null => answer.headers.get("content-encoding");
  const slow: Response[] = [];
  while (slow.length < COMPRESSIONS_MAX) slow.push(await get(face));
  t.ok(slow.every((answer) => codingOf(answer) === "gzip"));
  const further = await get(face);
  t.equal(codingOf(further), null);
  t.equal(further.headers.get("content-length"), String(LARGE.length));
  await further.body?.cancel();
  await slow[0].body?.cancel();
  const last = await get(face);
  t.equal(codingOf(last), "gzip");
  await last.body?.cancel();
  for (const answer of slow.slice(1)) await answer.body?.cancel();
  t.equal(await compressing(face), 0);
});

t.test("a value that cannot be read on breaks the answer off and ends its compressor", async (t) => {
  const large = new LargeFace(LARGE);
  const { face } = large;
  const answer = await get(face);
  const reader = answer.body?.getReader();
  await reader?.read();
  large.isReadable = false;
  await t.rejects(async () => {
    for (;;) if ((await reader?.read())?.done !== false) return;
  });
  t.equal(large.holds, 0);
  t.equal(await compressing(face), 0);
});
