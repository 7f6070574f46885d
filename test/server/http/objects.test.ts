/** The object routes: what a client gets for each method, and what reaches the store. */

import { gzipSync } from "node:zlib";
import t from "tap";
import { Face, problemOf } from "./face.ts";

t.test("a put answers 204 with a context, a get gives bytes, type and metadata back", async (t) => {
  const face = new Face();
  const put = await face.send("PUT", "/kv/cart/user-17", {
    body: "two books",
    headers: { "Content-Type": "text/plain", "Halo-Meta-Color": "blue" },
  });
  t.equal(put.status, 204);
  t.equal(put.headers.get("halo-context"), "seen-1");
  t.equal(put.headers.get("halo-replicas"), "primaries=2, fallbacks=1");
  t.equal(put.headers.get("etag"), '"0000000000000001"');
  const get = await face.send("GET", "/kv/cart/user-17");
  t.equal(get.status, 200);
  t.equal(get.headers.get("content-type"), "text/plain");
  t.equal(get.headers.get("halo-meta-color"), "blue");
  t.equal(get.headers.get("halo-context"), "seen-1");
  t.equal(get.headers.get("halo-replicas"), "primaries=2, fallbacks=1");
  t.equal(get.headers.get("last-modified"), "Fri, 20 Nov 2026 12:00:01 GMT");
  t.equal(await get.text(), "two books");
});

t.test("a value may be empty, its type is application/octet-stream by default", async (t) => {
  const face = new Face();
  await face.send("PUT", "/kv/b/k", { body: new Uint8Array(0) });
  const get = await face.send("GET", "/kv/b/k");
  t.equal(get.status, 200);
  t.equal(get.headers.get("content-type"), "application/octet-stream");
  t.equal((await get.arrayBuffer()).byteLength, 0);
});

t.test("a put with a context replaces, one without stays beside", async (t) => {
  const face = new Face();
  const first = await face.send("PUT", "/kv/b/k", { body: "1" });
  const context = first.headers.get("halo-context") ?? "";
  await face.send("PUT", "/kv/b/k", { body: "2", headers: { "Halo-Context": context } });
  t.equal(await (await face.send("GET", "/kv/b/k")).text(), "2");
  await face.send("PUT", "/kv/b/k", { body: "3" });
  t.equal((await face.send("GET", "/kv/b/k")).status, 300);
});

t.test("HEAD answers as GET does, without the body, for 200, 300, 304 and 404", async (t) => {
  const face = new Face();
  t.equal((await face.send("HEAD", "/kv/b/k")).status, 404);
  await face.send("PUT", "/kv/b/k", { body: "four" });
  const single = await face.send("HEAD", "/kv/b/k");
  t.equal(single.status, 200);
  t.equal(single.headers.get("content-length"), "4");
  t.equal(single.body, null);
  const etag = single.headers.get("etag") ?? "";
  const same = await face.send("HEAD", "/kv/b/k", { headers: { "If-None-Match": etag } });
  t.equal(same.status, 304);
  await face.send("PUT", "/kv/b/k", { body: "other" });
  for (const form of ["multipart/mixed", "application/json", "application/cbor"]) {
    const init = { headers: { Accept: form } };
    const several = await face.send("HEAD", "/kv/b/k", init);
    t.equal(several.status, 300);
    t.equal(several.body, null);
    const { byteLength } = await (await face.send("GET", "/kv/b/k", init)).arrayBuffer();
    t.equal(several.headers.get("content-length"), String(byteLength), form);
  }
});

t.test("nobody on the way keeps an answer for later: what is stored changes", async (t) => {
  const face = new Face();
  await face.send("PUT", "/kv/b/k", { body: "four" });
  const etag = (await face.send("GET", "/kv/b/k")).headers.get("etag") ?? "";
  const asked: [string, string, Record<string, string>, number][] = [
    ["GET", "/kv/b/k", {}, 200],
    ["HEAD", "/kv/b/k", {}, 200],
    ["GET", "/kv/b/k", { Range: "bytes=1-2" }, 206],
    ["GET", "/kv/b/k", { "If-None-Match": etag }, 304],
    ["GET", "/kv/b/none", {}, 404],
    ["GET", "/kv/b", {}, 200],
    ["GET", "/cluster", {}, 200],
    ["GET", "/buckets/b", {}, 200],
    ["GET", "/nowhere", {}, 404],
  ];
  for (const [method, target, headers, status] of asked) {
    const { headers: told, status: got } = await face.send(method, target, { headers });
    t.equal(got, status, target);
    t.equal(told.get("cache-control"), "no-cache", `${method} ${target} ${status}`);
  }
  await face.send("PUT", "/kv/b/k", { body: "other" });
  const several = await face.send("GET", "/kv/b/k");
  t.same([several.status, several.headers.get("cache-control")], [300, "no-cache"]);
});

t.test("GET with If-Match answers 412 where something else is stored by now, with what that is", async (t) => {
  const face = new Face();
  await face.send("PUT", "/kv/b/k", { body: "1" });
  const etag = (await face.send("GET", "/kv/b/k")).headers.get("etag") ?? "";
  const asked = (match: string, method = "GET"): Promise<Response> => face.send(method, "/kv/b/k", { headers: { "If-Match": match } });
  for (const match of [etag, "*", `"0", ${etag}`, `${etag.slice(0, -1)}-gzip"`]) t.equal((await asked(match)).status, 200, match);
  for (const match of ['"0123456789abcdef"', `W/${etag}`, "nonsense", ""]) {
    const other = await asked(match);
    t.match(await problemOf(other), { status: 412, code: "precondition-failed", outcome: "refused" }, match);
    t.equal(other.headers.get("etag"), etag);
    t.equal((await asked(match, "HEAD")).status, 412);
  }
  t.equal((await face.send("GET", "/kv/b/none", { headers: { "If-Match": "*" } })).status, 404, "there is nothing to compare");
});

t.test("GET with If-None-Match answers 304 while the etag stands", async (t) => {
  const face = new Face();
  const put = await face.send("PUT", "/kv/b/k", { body: "1" });
  const etag = put.headers.get("etag") ?? "";
  for (const header of [etag, `"x", W/${etag}`, "*"]) {
    const get = await face.send("GET", "/kv/b/k", { headers: { "If-None-Match": header } });
    t.equal(get.status, 304, header);
    t.equal(get.headers.get("halo-context"), "seen-1");
    t.equal(get.headers.get("etag"), etag);
  }
  await face.send("PUT", "/kv/b/k", { body: "2", headers: { "Halo-Context": "seen-1" } });
  const get = await face.send("GET", "/kv/b/k", { headers: { "If-None-Match": etag } });
  t.equal(get.status, 200);
});

t.test("a delete answers 204, then a get answers 404 with the tombstone's context", async (t) => {
  const face = new Face();
  await face.send("PUT", "/kv/b/k", { body: "1" });
  const deleted = await face.send("DELETE", "/kv/b/k");
  t.equal(deleted.status, 204);
  t.equal(deleted.headers.get("halo-context"), "seen-2");
  const get = await face.send("GET", "/kv/b/k");
  t.equal(get.status, 404);
  t.equal(get.headers.get("halo-context"), "seen-2");
  const problem = await problemOf(get);
  t.match(problem, { code: "not-found", outcome: "refused", title: "Not found" });
  const never = await face.send("GET", "/kv/b/never");
  t.equal(never.status, 404);
  t.equal(never.headers.get("halo-context"), null);
});

t.test("a delete of what never was is a 204 too", async (t) => {
  t.equal((await new Face().send("DELETE", "/kv/b/never")).status, 204);
});

t.test("POST stores under a key of its own: 201 and where", async (t) => {
  const face = new Face();
  const post = await face.send("POST", "/kv/a%20b", { body: "new" });
  t.equal(post.status, 201);
  const location = post.headers.get("location") ?? "";
  t.match(location, /^\/kv\/a%20b\/[A-Za-z0-9_-]{22}$/);
  t.equal(await (await face.send("GET", location)).text(), "new");
  const second = await face.send("POST", "/kv/a%20b?returnbody=true", { body: "again" });
  t.equal(second.status, 201);
  t.equal(await second.text(), "again");
  t.not(second.headers.get("location"), location);
});

t.test("returnbody gives the value back: 200 alone, 300 among siblings", async (t) => {
  const face = new Face();
  const first = await face.send("PUT", "/kv/b/k?returnbody=true", { body: "1" });
  t.equal(first.status, 200);
  t.equal(await first.text(), "1");
  t.equal((await face.send("PUT", "/kv/b/k?returnbody=true", { body: "2" })).status, 300);
  t.equal((await face.send("PUT", "/kv/b/k?returnbody=false", { body: "3" })).status, 204);
});

t.test("any key bytes: percent-encoded, with slashes, invalid UTF-8, and by key64", async (t) => {
  const face = new Face();
  const cases: [string, number[]][] = [
    ["/kv/b/x%2Fy/z", [0x78, 0x2f, 0x79, 0x2f, 0x7a]],
    ["/kv/b/%00%FF%fe", [0, 0xff, 0xfe]],
    ["/kv/b/a+b%20c", [0x61, 0x2b, 0x62, 0x20, 0x63]],
    ["/kv/b//", [0x2f]],
    ["/kv/b/%25", [0x25]],
    ["/kv/b/__proto__", [...Buffer.from("__proto__")]],
    [`/kv/b?key64=${Buffer.from("../x").toString("base64url")}`, [...Buffer.from("../x")]],
    ["/kv/b?key64=_w", [0xff]],
    ["/kv/b?key64=_w%3D%3D", [0xff]],
  ];
  for (const [target, key] of cases) {
    const put = await face.send("PUT", target, { body: target });
    t.equal(put.status, 204, target);
    const name = face.store.lastPut?.name.bytes ?? new Uint8Array(0);
    t.same([...name], [0x62, 0x2f, ...key], target);
    t.equal(await (await face.send("GET", target)).text(), target);
    t.equal((await face.send("DELETE", target)).status, 204);
  }
});

t.test("every method works on key64 as on a path", async (t) => {
  const face = new Face();
  const target = "/kv/b?key64=aw";
  t.equal((await face.send("PUT", target, { body: "v" })).status, 204);
  t.equal((await face.send("HEAD", target)).status, 200);
  t.equal(await (await face.send("GET", "/kv/b/k")).text(), "v");
  t.equal((await face.send("GET", `${target}&r=1`)).status, 200);
  t.equal((await face.send("DELETE", target)).status, 204);
  t.equal((await face.send("GET", target)).status, 404);
});

t.test("a bare request target and an unusual authority are read as a URL is", async (t) => {
  const face = new Face();
  await face.send("PUT", "/kv/b/k", { body: "v" });
  for (const url of ["/kv/b/k", "/kv/b/k?r=1", "http://[::1]:7070/kv/b/k", "https://h/kv/b/k"]) {
    t.equal((await face.sendRaw("GET", url)).status, 200, url);
  }
  t.equal((await face.sendRaw("GET", "http://h")).status, 404);
  t.equal((await face.sendRaw("GET", "h:1")).status, 404);
});

t.test("quorums, timeout, lifetime, request id and context reach the store as given", async (t) => {
  const face = new Face();
  await face.send("PUT", "/kv/b/k?w=2&dw=all&pw=0&timeout=250", {
    body: "v",
    headers: {
      "Halo-TTL": "60",
      "Halo-Request-Id": "0190b3a0-0000-7000-8000-0000000000ff",
      "Halo-Context": "seen-5",
    },
  });
  const put = face.store.lastPut;
  t.same(put?.options, { w: 2, dw: "all", pw: 0, timeoutMs: 250 });
  t.equal(put?.ttlSeconds, 60);
  t.equal(put?.context, "seen-5");
  t.equal(Buffer.from(put?.requestId ?? []).toString("hex"), "0190b3a00000700080000000000000ff");
  await face.send("GET", "/kv/b/k?r=one&pr=quorum");
  t.same(face.store.lastGet?.options, { r: "one", pr: "quorum", timeoutMs: 5000 });
  await face.send("PUT", "/kv/b/k", { body: "v" });
  t.equal(face.store.lastPut?.requestId, null);
  t.equal(face.store.lastPut?.ttlSeconds, 0);
  t.equal(face.store.lastPut?.precondition, null);
  t.same(face.store.lastPut?.options, {
    w: "default",
    dw: "default",
    pw: "default",
    timeoutMs: 5000,
  });
});

t.test("metadata is UTF-8 text, in and out", async (t) => {
  const face = new Face();
  const bytes = Buffer.from("größe ✓").toString("latin1");
  await face.send("PUT", "/kv/b/k", { body: "v", headers: { "Halo-Meta-Size": bytes } });
  t.same(face.store.lastPut?.meta.meta, [["size", "größe ✓"]]);
  const get = await face.send("GET", "/kv/b/k");
  t.equal(Buffer.from(get.headers.get("halo-meta-size") ?? "", "latin1").toString(), "größe ✓");
  const bad = await face.send("PUT", "/kv/b/k", {
    body: "v",
    headers: { "Halo-Meta-Size": "\xff" },
  });
  t.equal(bad.status, 400);
  t.match(await problemOf(bad), { code: "bad-header", outcome: "refused" });
});

t.test("a value that comes compressed is stored and given out so, whoever asks, and is not compressed again", async (t) => {
  const face = new Face({ valueBytesMax: 1 << 20 });
  const value = new Uint8Array(gzipSync("one word ".repeat(100_000), { level: 0 })).slice(0, 100_000);
  const headers = { "Content-Type": "text/plain", "Content-Encoding": "GZIP", "Halo-Meta-Color": "blue" };
  t.equal((await face.send("PUT", "/kv/b/k", { body: value, headers })).status, 204);
  for (const asked of [{}, { "Accept-Encoding": "identity" }, { "Accept-Encoding": "br" }, { "Accept-Encoding": "gzip" }]) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await face.send(method, "/kv/b/k", { headers: { ...asked } });
      t.equal(answer.headers.get("content-encoding"), "gzip");
      t.equal(answer.headers.get("etag"), '"0000000000000001"', "it is the one form that there is");
      t.equal(answer.headers.get("halo-meta-color"), "blue");
      t.notOk([...answer.headers.keys()].some((name) => name.includes(":")));
      if (method === "GET") t.ok(Buffer.from(await answer.arrayBuffer()).equals(value));
    }
  }
  const part = await face.send("GET", "/kv/b/k", { headers: { Range: "bytes=0-1" } });
  t.equal(part.headers.get("content-encoding"), "gzip");
  t.same([...new Uint8Array(await part.arrayBuffer())], [31, 139]);

  await face.send("PUT", "/kv/b/k", { body: "plain", headers: { "Content-Encoding": "identity" } });
  const json = await face.send("GET", "/kv/b/k", { headers: { Accept: "application/json" } });
  const { siblings } = (await json.json()) as { siblings: Record<string, unknown>[] };
  t.same(siblings.map(({ contentEncoding, meta }) => [contentEncoding, meta]), [["gzip", { color: "blue" }], [undefined, {}]]);
  const mixed = await (await face.send("GET", "/kv/b/k")).text();
  t.equal(mixed.split("\r\nContent-Encoding: gzip\r\n").length, 2, "in the head of its part");
});

t.test("a Content-Encoding that is none, or too long, is refused; it may stand beside all the metadata there may be", async (t) => {
  const face = new Face();
  const put = (coding: string, more: Record<string, string> = {}): Promise<Response> => {
    return face.send("PUT", "/kv/b/k", { body: "v", headers: { "Content-Encoding": coding, ...more } });
  };
  for (const coding of ["g".repeat(65), "gzip;q=1", "gzip br", ",", "\xe4"]) {
    t.match(await problemOf(await put(coding)), { status: 400, code: "bad-header", outcome: "refused" }, coding);
  }
  t.equal((await put("aes128gcm, br")).status, 204);
  t.equal((await put("g".repeat(64), { "Halo-Meta-A": "m".repeat(2047), "Content-Type": "c".repeat(255) })).status, 204);
  const many = Object.fromEntries(Array.from({ length: 590 }, (_, index) => [`Halo-Meta-${index}`, ""]));
  const full = { ...many, "Halo-Meta-M": "m".repeat(379) };
  t.equal((await put("identity", full)).status, 204);
  t.equal((await put("g".repeat(64), full)).status, 400, "the block has its limit");
});

t.test("conditional writes: create only, replace what was seen, else 412", async (t) => {
  const face = new Face();
  const create = { body: "1", headers: { "If-None-Match": "*" } };
  t.equal((await face.send("PUT", "/kv/b/k", create)).status, 204);
  const refused = await face.send("PUT", "/kv/b/k", create);
  t.equal(refused.status, 412);
  t.equal(refused.headers.get("halo-context"), "seen-1");
  t.match(await problemOf(refused), { code: "precondition-failed", outcome: "refused" });
  const etag = refused.headers.get("etag") ?? "";
  const stale = await face.send("PUT", "/kv/b/k", { body: "2", headers: { "If-Match": '"0"' } });
  t.equal(stale.status, 412);
  const weak = await face.send("PUT", "/kv/b/k", {
    body: "2",
    headers: { "If-Match": `W/${etag}` },
  });
  t.equal(weak.status, 412, "writes compare strongly");
  const match = { "If-Match": `"0", ${etag}`, "Halo-Context": "seen-1" };
  t.equal((await face.send("PUT", "/kv/b/k", { body: "2", headers: match })).status, 204);
  t.equal((await face.send("DELETE", "/kv/b/k", { headers: { "If-Match": etag } })).status, 412);
  t.equal((await face.send("DELETE", "/kv/b/k")).status, 204);
  t.equal((await face.send("PUT", "/kv/b/k", create)).status, 204, "a tombstone is no value");
});

t.test("every code of the store has status and outcome, Retry-After where it helps", async (t) => {
  const face = new Face();
  const cases: [string, number, "refused" | "unknown", boolean][] = [
    ["bad-parameter", 400, "refused", false],
    ["bad-context", 400, "refused", false],
    ["wrong-type", 409, "refused", false],
    ["stale-layout", 409, "refused", false],
    ["stale-request", 409, "refused", false],
    ["precondition-failed", 412, "refused", false],
    ["value-too-large", 413, "refused", false],
    ["overloaded", 503, "refused", true],
    ["quorum-unreachable", 503, "refused", true],
    ["absence-unknown", 503, "refused", true],
    ["clock-skew", 503, "refused", false],
    ["too-many-siblings", 503, "refused", false],
    ["not-ready", 503, "refused", true],
    ["write-unknown", 504, "unknown", false],
    ["read-timeout", 504, "unknown", false],
    ["disk-full", 507, "refused", false],
    ["hints-full", 507, "refused", true],
    ["memory-full", 507, "refused", false],
    ["files-full", 507, "refused", true],
  ];
  for (const [code, status, outcome, waits] of cases) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      face.store.nextResult = {
        outcome,
        code: code as "overloaded",
        detail: "Two of three replicas did not answer.",
        context: "seen-9",
      };
      const init = method === "PUT" ? { body: "v" } : {};
      const response = await face.send(method, "/kv/b/k", init);
      t.equal(response.status, status, `${method} ${code}`);
      t.equal(response.headers.has("retry-after"), waits, `${method} ${code}: Retry-After`);
      t.equal(response.headers.get("halo-context"), "seen-9");
      t.equal(response.headers.get("halo-replicas"), "primaries=2, fallbacks=1");
      t.match(await problemOf(response), { code, outcome, type: `urn:halo:error:${code}` });
    }
  }
});
