/** The routes beside the objects: buckets, explain, cluster, probes; and what is none. */

import t from "tap";
import { BUCKET_PROPERTIES_BYTES_MAX } from "../../../core/limits.ts";
import { Face, problemOf } from "./face.ts";

const DEFAULTS = { n: 3, r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0, policy: "siblings" };

function put(
  face: Face,
  target: string,
  body: string,
  type = "application/json",
): Promise<Response> {
  return face.send("PUT", target, { body, headers: { "Content-Type": type } });
}

function propertiesOf(face: Face, bucket: string): object {
  return face.buckets.get(Buffer.from(bucket, "latin1"));
}

t.test("a bucket that was never set answers the defaults", async (t) => {
  const response = await new Face().send("GET", "/buckets/cart");
  t.equal(response.status, 200);
  t.same(await response.json(), {
    bucket: "cart",
    properties: DEFAULTS,
    given: { policy: "siblings" },
  });
});

t.test("properties are replaced by PUT, listed, and reset by DELETE", async (t) => {
  const face = new Face();
  const set = await put(
    face,
    "/buckets/c%FFt",
    '{"n": 2, "w": "all", "policy": "lww", "ttlSeconds": 60}',
  );
  t.equal(set.status, 200);
  const given = { n: 2, w: "all", policy: "lww", ttlSeconds: 60 };
  const wanted = { bucket: "c%FFt", properties: { ...DEFAULTS, ...given }, given };
  t.same(await set.json(), wanted);
  t.same(await (await face.send("GET", "/buckets/c%FFt")).json(), wanted);
  t.same(await (await face.send("GET", "/buckets")).json(), { buckets: [wanted] });
  await put(face, "/buckets/c%FFt", '{"r": 1}');
  t.same(propertiesOf(face, "c\xfft"), { policy: "siblings", r: 1 }, "the rest is as it was");
  t.equal((await face.send("DELETE", "/buckets/c%FFt")).status, 204);
  t.same(await (await face.send("GET", "/buckets")).json(), { buckets: [] });
});

t.test("a preset is a name for other properties, and what is given beside it stands", async (t) => {
  const face = new Face();
  await put(face, "/buckets/a", '{"preset": "read-engine"}');
  t.same(propertiesOf(face, "a"), {
    policy: "siblings",
    preset: "read-engine",
    r: "one",
    w: "all",
  });
  await put(face, "/buckets/a", '{"preset": "timestamp"}');
  t.same(propertiesOf(face, "a"), { preset: "timestamp", policy: "lww" });
  await put(face, "/buckets/a", '{"w": 2, "preset": "read-engine"}');
  t.same(propertiesOf(face, "a"), { policy: "siblings", preset: "read-engine", r: "one", w: 2 });
  await put(face, "/buckets/a", '{"preset": "merge", "r": "default"}');
  t.same(propertiesOf(face, "a"), { preset: "merge", policy: "siblings", r: "default" });
  const merged = (await (await face.send("GET", "/buckets/a")).json()) as { properties: object };
  t.same(merged.properties, { ...DEFAULTS, preset: "merge" });
});

t.test("bad properties are refused with a sentence and nothing is changed", async (t) => {
  const face = new Face();
  const bad = [
    "",
    "{",
    "[]",
    "null",
    "7",
    '{"x": 1}',
    '{"__proto__": {"n": 1}}',
    '{"n": 0}',
    '{"n": 4}',
    '{"n": "2"}',
    '{"n": 1.5}',
    '{"r": 0}',
    '{"w": 4}',
    '{"n": 2, "w": 3}',
    '{"r": "2"}',
    '{"r": "most"}',
    '{"dw": -1}',
    '{"pw": null}',
    '{"policy": "counter"}',
    '{"ttlSeconds": 0}',
    '{"ttlSeconds": 316224001}',
    '{"preset": "fast"}',
    '{"preset": null}',
  ];
  for (const body of bad) {
    const response = await put(face, "/buckets/b", body);
    t.equal(response.status, 400, body);
    t.match(await problemOf(response), { code: "bad-parameter", outcome: "refused" }, body);
  }
  t.same(face.buckets.list(), []);
  for (const body of ['{"n": 1, "r": 1, "w": 1}', '{"dw": 0, "pr": 3, "pw": "one"}', "{}"]) {
    t.equal((await put(face, "/buckets/b", body)).status, 200, body);
  }
  t.equal((await put(face, "/buckets/b", '{"ttlSeconds": 316224000}')).status, 200);
});

t.test("properties are JSON of at most 16 KiB", async (t) => {
  const face = new Face();
  const form = await put(face, "/buckets/b", "{}", "application/x-www-form-urlencoded");
  t.equal(form.status, 415);
  t.match(await problemOf(form), { code: "unsupported-media-type" });
  t.equal((await put(face, "/buckets/b", "{}", "application/json; charset=utf-8")).status, 200);
  const padded = "{}".padEnd(BUCKET_PROPERTIES_BYTES_MAX);
  t.equal((await put(face, "/buckets/b", padded)).status, 200);
  const over = await put(face, "/buckets/b", `${padded} `);
  t.equal(over.status, 413);
  t.match(await problemOf(over), { code: "value-too-large" });
});

t.test("properties that cannot be kept are 503 with the reason", async (t) => {
  const face = new Face();
  face.isDiskFine = false;
  const response = await put(face, "/buckets/b", "{}");
  t.match(await problemOf(response), {
    status: 503,
    code: "not-ready",
    detail: /^Cannot store .*disk/,
  });
});

t.test("a path behind the bucket is no bucket", async (t) => {
  const response = await new Face().send("GET", "/buckets/b/k");
  t.match(await problemOf(response), { status: 400, code: "bad-bucket" });
});

t.test("explain says where a name lives, by path and by key64", async (t) => {
  const face = new Face();
  const wanted = { bucket: "b", key: "k%2F", partition: 7, partitions: 1024, layout: 1 };
  for (const target of ["/explain/b/k%2F", "/explain/b?key64=ay8", "/explain/b/k/?timeout=100"]) {
    const response = await face.send("GET", target);
    t.equal(response.status, 200, target);
    t.match(await response.json(), wanted);
  }
  for (const target of ["/explain/b", "/explain/b/k?key64=aw", "/explain/b/"]) {
    t.match(await problemOf(await face.send("GET", target)), { status: 400, code: "bad-key" });
  }
  const parameter = await face.send("GET", "/explain/b/k?r=1");
  t.match(await problemOf(parameter), { status: 400, code: "bad-parameter" });
});

t.test("cluster, statistics and probes answer what the node says", async (t) => {
  const face = new Face();
  t.match(await (await face.send("GET", "/cluster")).json(), {
    cluster: "c1",
    layout: { version: 1 },
  });
  t.same(await (await face.send("GET", "/stats")).json(), { puts: 0, compressing: 0 });
  t.equal(await (await face.send("GET", "/healthz")).text(), "ok\n");
  const head = await face.send("HEAD", "/healthz");
  t.equal(head.status, 200);
  t.equal(head.headers.get("content-length"), "3");
});

t.test("readyz tells readiness for reads and for writes apart", async (t) => {
  const face = new Face();
  t.equal((await face.send("GET", "/readyz")).status, 200);
  face.ready.write = false;
  t.equal((await face.send("GET", "/readyz")).status, 200);
  const response = await face.send("GET", "/readyz?for=write");
  t.equal(response.headers.get("retry-after"), "1");
  const detail = "No quorum is reachable for 12 partitions.";
  t.match(await problemOf(response), { status: 503, code: "not-ready", detail });
  const bad = await face.send("GET", "/readyz?for=fun");
  t.match(await problemOf(bad), { status: 400, code: "bad-parameter" });
});

t.test("what needs the ring is 503 before the node is a member", async (t) => {
  const face = new Face();
  face.isMember = false;
  const requests: [string, string][] = [
    ["GET", "/buckets"],
    ["GET", "/buckets/b"],
    ["PUT", "/buckets/b"],
    ["DELETE", "/buckets/b"],
    ["GET", "/explain/b/k"],
  ];
  for (const [method, target] of requests) {
    const response = await face.send(method, target);
    t.equal(response.headers.get("retry-after"), "1");
    t.match(await problemOf(response), { status: 503, code: "not-ready" }, target);
  }
  t.equal((await face.send("GET", "/cluster")).status, 200);
});

t.test("a route that is none is 404 with the routes that are", async (t) => {
  const face = new Face();
  for (const path of ["/", "/kv", "/nothing", "/cluster/x", "/Healthz", "/%00"]) {
    const problem = await problemOf(await face.send("GET", path));
    t.match(problem, { status: 404, code: "not-found" }, path);
  }
});
