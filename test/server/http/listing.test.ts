/** GET /kv/{bucket}: pages of keys, and every parameter on both sides of its limit. */

import t from "tap";
import { LIST_KEYS_DEFAULT, LIST_KEYS_MAX } from "../../../core/limits.ts";
import { Face, problemOf } from "./face.ts";

async function faceWith(...keys: string[]): Promise<Face> {
  const face = new Face();
  for (const key of keys) await face.send("PUT", `/kv/cart/${key}`, { body: "v" });
  return face;
}

t.test("a page has keys as they stand in a path, and a cursor until the last one", async (t) => {
  const face = await faceWith("a", "b%2Fc", "%FF%20", "d");
  const first = await face.send("GET", "/kv/cart?limit=3");
  t.equal(first.status, 200);
  t.equal(first.headers.get("content-type"), "application/json");
  t.equal(first.headers.get("halo-replicas"), "primaries=2, fallbacks=0");
  t.same(await first.json(), { keys: ["a", "b%2Fc", "d"], cursor: "d" });
  const last = await face.send("GET", "/kv/cart?limit=3&cursor=d");
  t.same(await last.json(), { keys: ["%FF%20"], cursor: null });
  t.same(await (await face.send("GET", "/kv/other")).json(), { keys: [], cursor: null }, "none");
});

t.test("HEAD answers as GET does, without the body", async (t) => {
  const face = await faceWith("a");
  const whole = await (await face.send("GET", "/kv/cart")).text();
  const head = await face.send("HEAD", "/kv/cart");
  t.same([head.status, await head.text()], [200, ""]);
  t.equal(head.headers.get("content-length"), String(whole.length));
});

t.test("what is asked is what was given, or the defaults", async (t) => {
  const face = await faceWith("a");
  await face.send("GET", "/kv/c%FFt");
  t.match(face.store.lastList, { cursor: "", limit: LIST_KEYS_DEFAULT, r: "default", timeoutMs: 5000 });
  t.same(face.store.lastList?.bucket, Buffer.from("c\xfft", "latin1"));
  t.same(face.store.lastList?.prefix, new Uint8Array(0));
  await face.send("GET", `/kv/cart?prefix=%FF%2Fx&limit=${LIST_KEYS_MAX}&r=all&timeout=60000&cursor=q-_`);
  t.match(face.store.lastList, { cursor: "q-_", limit: LIST_KEYS_MAX, r: "all", timeoutMs: 60_000 });
  t.same(face.store.lastList?.prefix, Uint8Array.of(0xff, 0x2f, 0x78), "bytes that are no UTF-8");
  await face.send("GET", "/kv/cart?limit=1&r=1&timeout=1");
  t.match(face.store.lastList, { limit: 1, r: 1, timeoutMs: 1 }, "the least");
});

t.test("what is out of range, unknown or given twice is refused, and nobody is asked", async (t) => {
  const face = await faceWith("a");
  const wrong = [
    "limit=0", `limit=${LIST_KEYS_MAX + 1}`, "limit=", "limit=ten", "limit=1&limit=2", "r=0", "r=some",
    "timeout=0", "timeout=60001", "w=1", "returnbody=true", "prefix=%F", "prefix=%zz", "colour=red",
  ];
  for (const query of wrong) {
    const response = await face.send("GET", `/kv/cart?${query}`);
    t.match(await problemOf(response), { status: 400, code: "bad-parameter", outcome: "refused" }, query);
  }
  const bucket = await face.send("GET", `/kv/${"b".repeat(256)}`);
  t.match(await problemOf(bucket), { status: 400, code: "bad-bucket" });
  t.equal(face.store.lastList, null);
  t.equal((await face.send("GET", "/kv/cart?key64=YQ")).status, 200, "key64 names an object still");
});

t.test("how a listing ends that cannot go on", async (t) => {
  const face = await faceWith("a");
  const endings = [
    ["refused", "absence-unknown", 503],
    ["refused", "quorum-unreachable", 503],
    ["refused", "bad-parameter", 400],
    ["unknown", "read-timeout", 504],
  ] as const;
  for (const [outcome, code, status] of endings) {
    face.store.nextResult = { outcome, code, detail: "A sentence" };
    const response = await face.send("GET", "/kv/cart");
    t.match(await problemOf(response), { status, code, outcome });
  }
});
