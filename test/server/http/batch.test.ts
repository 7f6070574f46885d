/** POST /batch: each operation is the request that it stands for. */

import t from "tap";
import { BATCH_BYTES_MAX } from "../../../server/http/batch.ts";
import { OPERATIONS_MAX } from "../../../server/http/batch-operations.ts";
import { Face, problemOf } from "./face.ts";

type Result = Record<string, unknown>;

function post(face: Face, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const length = { "Content-Length": String(new TextEncoder().encode(text).length) };
  return face.send("POST", "/batch", { body: text, headers: { "Content-Type": "application/json", ...length, ...headers } });
}

async function run(face: Face, operations: unknown[]): Promise<Result[]> {
  const response = await post(face, { operations });
  if (response.status !== 200) throw new Error(await response.text());
  return ((await response.json()) as { results: Result[] }).results;
}

const put = (key: string, value: string, more: object = {}): object => ({ op: "put", bucket: "cart", key, value: btoa(value), ...more });
const get = (key: string, more: object = {}): object => ({ op: "get", bucket: "cart", key, ...more });

t.test("a value that is compressed says so in its operation and in its result", async (t) => {
  const face = new Face();
  await run(face, [put("a", "zip", { contentEncoding: "gzip" })]);
  t.match(await run(face, [get("a")]), [{ status: 200, value: btoa("zip"), contentEncoding: "gzip", meta: {} }]);
});

t.test("puts, gets and deletes are answered in their order, each as by itself", async (t) => {
  const face = new Face();
  const meta = { colour: "grün", constructor: "x" };
  const puts = await run(face, [put("a", "one", { contentType: "text/plain", meta, w: "all" }), put("b", "two"), put("../c", "three")]);
  t.same(puts.map(({ status }) => status), [204, 204, 204]);
  t.ok(puts.every(({ context }) => typeof context === "string" && context !== ""));
  const results = await run(face, [get("a"), get("none"), get("../c"), { op: "delete", bucket: "cart", key: "b", context: puts[1]?.["context"] }]);
  t.match(results, [
    { status: 200, value: btoa("one"), contentType: "text/plain", meta },
    { status: 404, code: "not-found", outcome: "refused" },
    { status: 200, value: btoa("three"), contentType: "application/octet-stream" },
    { status: 204 },
  ]);
  t.equal((await face.send("GET", "/kv/cart/a")).headers.get("content-type"), "text/plain", "it is the same object");
});

t.test("siblings come as they do in JSON, keys may be any bytes, and operations of one object keep their order", async (t) => {
  const face = new Face();
  const key64 = "AP8";
  const [first, second, both] = await run(face, [
    { op: "put", bucket: "b", key64, value: btoa("x") },
    { op: "put", bucket: "b", key64, value: btoa("y") },
    { op: "get", bucket: "b", key64 },
  ]);
  t.same([first?.["status"], second?.["status"], both?.["status"]], [204, 204, 300]);
  const siblings = both?.["siblings"] as { value: string }[];
  t.same(siblings.map(({ value }) => atob(value)).sort(), ["x", "y"]);
  const [merged, one] = await run(face, [
    { op: "put", bucket: "b", key64, value: btoa("xy"), context: both?.["context"] },
    { op: "get", bucket: "b", key64 },
  ]);
  t.match([merged, one], [{ status: 204 }, { status: 200, value: btoa("xy") }]);
});

t.test("what one operation may not leaves the others alone; what is malformed is refused whole", async (t) => {
  const face = new Face();
  const [taken, refused] = await run(face, [put("a", "one"), put("b", "two", { context: "forged" })]);
  t.match([taken, refused], [{ status: 204 }, { status: 400, code: "bad-context", outcome: "refused" }]);
  const wrong: [unknown, RegExp][] = [
    ["x", /no JSON/],
    [{ operations: [] }, /operations is 0 of them, want a list of 1 to 100/],
    [{ operations: Array.from({ length: OPERATIONS_MAX + 1 }, () => get("a")) }, /101 of them/],
    [{ operations: [get("a")], more: 1 }, /no field 'more'/],
    [{ operations: [put("c", "x"), { op: "steal", bucket: "b", key: "a" }] }, /operations\[1\]\.op is "steal"/],
    [{ operations: [put("c", "x"), get("a", { value: "" })] }, /operations\[1\] has a value/],
    [{ operations: [put("c", "x"), get("a", { key64: "YQ" })] }, /no key or two/],
    [{ operations: [put("c", "x"), get("a", { colour: 1 })] }, /operations\[1\] has a field 'colour'/],
    [{ operations: [{ op: "put", bucket: "b", key: "k", value: "%%" }] }, /value is "%%", want base64/],
    [{ operations: [{ op: "get", bucket: "", key: "k" }] }, /operations\[0\]\.bucket is "", want a text that is not empty/],
    [{ operations: [put("c", "x", { meta: { a: 1 } })] }, /meta\.a is 1, want a text/],
    [{ operations: [null] }, /operations\[0\] is no object/],
  ];
  for (const [body, detail] of wrong) t.match(await problemOf(await post(face, body)), { status: 400, detail }, JSON.stringify(body).slice(0, 80));
  t.equal((await face.send("GET", "/kv/cart/c")).status, 404, "nothing was done");
  t.equal((await run(face, Array.from({ length: OPERATIONS_MAX }, () => get("a")))).length, OPERATIONS_MAX);
  const large = { operations: [put("c", "x".repeat(BATCH_BYTES_MAX))] };
  t.match(await problemOf(await post(face, large)), { status: 413, code: "value-too-large" });
});

t.test("a parameter that means nothing is that operation's refusal", async (t) => {
  const face = new Face();
  const [result] = await run(face, [put("a", "one", { w: "most" })]);
  t.match(result, { status: 400, code: "bad-parameter", detail: /w is 'most'/ });
});
