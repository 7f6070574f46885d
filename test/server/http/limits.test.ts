/**
 * Bad input and both sides of every limit: the exact status and code, a sentence, and nothing
 * written.
 */

import t from "tap";
import { BODY_BYTES_IN_FLIGHT_MAX, BODY_MS_MAX } from "../../../core/limits.ts";
import { IncomingBody, RequestBodies } from "../../../server/http/request-body.ts";
import { Refusal } from "../../../server/http/problem.ts";
import type { Clock } from "../../../server/ports/clock.ts";
import { Face, problemOf, VALUE_BYTES_MAX } from "./face.ts";

type Asserts = Pick<typeof t, "equal" | "match">;

/** Expects a refusal, and that no put came as far as the store. */
async function refuses(
  test: Asserts,
  face: Face,
  [method, target, init]: [string, string, RequestInit?],
  [status, code]: [number, string],
): Promise<Response> {
  const puts = face.store.puts;
  const response = await face.send(method, target, init ?? {});
  const label = `${method} ${target.slice(0, 80)} ${JSON.stringify(init ?? {}).slice(0, 80)}`;
  test.equal(response.status, status, label);
  test.match(await problemOf(response.clone()), { code, outcome: "refused" }, label);
  test.equal(face.store.puts, puts, `${label}: nothing is written`);
  return response;
}

t.test("buckets are 1 to 255 bytes without a slash, counted after decoding", async (t) => {
  const face = new Face();
  for (const bucket of ["b", "b".repeat(255), "%C3%BC".repeat(127) + "b", "%FF"]) {
    t.equal((await face.send("PUT", `/kv/${bucket}/k`, { body: "v" })).status, 204);
  }
  const bad = ["", "b".repeat(256), "%C3%BC".repeat(128), "a%2Fb"];
  for (const bucket of bad) {
    await refuses(t, face, ["PUT", `/kv/${bucket}/k`, { body: "v" }], [400, "bad-bucket"]);
    await refuses(t, face, ["POST", `/kv/${bucket}`, { body: "v" }], [400, "bad-bucket"]);
    await refuses(t, face, ["GET", `/explain/${bucket}/k`], [400, "bad-bucket"]);
    if (bucket !== "") await refuses(t, face, ["GET", `/buckets/${bucket}`], [400, "bad-bucket"]);
  }
});

t.test("keys are 1 to 4096 bytes, counted after decoding", async (t) => {
  const face = new Face();
  for (const key of ["k", "k".repeat(4096), "%00".repeat(4096)]) {
    t.equal((await face.send("PUT", `/kv/b/${key}`, { body: "v" })).status, 204);
    t.equal((await face.send("GET", `/kv/b/${key}`)).status, 200);
  }
  for (const key of ["k".repeat(4097), "%00".repeat(4097), "k".repeat(9000)]) {
    await refuses(t, face, ["PUT", `/kv/b/${key}`, { body: "v" }], [414, "key-too-long"]);
    await refuses(t, face, ["GET", `/kv/b/${key}`], [414, "key-too-long"]);
    await refuses(t, face, ["GET", `/explain/b/${key}`], [414, "key-too-long"]);
  }
  const key64 = (length: number): string => Buffer.alloc(length).toString("base64url");
  t.equal((await face.send("PUT", `/kv/b?key64=${key64(4096)}`, { body: "v" })).status, 204);
  const tooLong = `/kv/b?key64=${key64(4097)}`;
  await refuses(t, face, ["PUT", tooLong, { body: "v" }], [414, "key-too-long"]);
  await refuses(t, face, ["GET", "/kv/b/"], [400, "bad-key"]);
  await refuses(t, face, ["PUT", "/kv/b", { body: "v" }], [400, "bad-key"]);
  await refuses(t, face, ["DELETE", "/kv/b"], [400, "bad-key"]);
  await refuses(t, face, ["PUT", "/kv/b?key64=", { body: "v" }], [400, "bad-key"]);
});

t.test("malformed percent-encoding and base64url are refused", async (t) => {
  const face = new Face();
  for (const text of ["%", "%4", "%zz", "%4g", "%%41"]) {
    await refuses(t, face, ["PUT", `/kv/b/x${text}`, { body: "v" }], [400, "bad-key"]);
    await refuses(t, face, ["GET", `/kv/b${text}/k`], [400, "bad-bucket"]);
    await refuses(t, face, ["GET", `/kv/b/k?r=${text}`], [400, "bad-parameter"]);
  }
  for (const text of ["a", "a+b=", "*", "ab=c", "aGk%3D%3D%3D"]) {
    await refuses(t, face, ["GET", `/kv/b?key64=${text}`], [400, "bad-key"]);
  }
  const raw = await face.sendRaw("GET", "http://h/kv/b/k#fragment");
  t.match(await problemOf(raw), { status: 400, code: "bad-key" });
  const wide = await face.sendRaw("GET", "http://h/kv/b/ü");
  t.match(await problemOf(wide), { status: 400, code: "bad-key" });
});

t.test("query parameters: unknown, twice, or out of range is 400 bad-parameter", async (t) => {
  const face = new Face();
  const fine = ["r=1", "r=all", "pr=0", "timeout=1", "timeout=60000", "w=default", "r=9999"];
  await face.send("PUT", "/kv/b/k", { body: "v" });
  for (const query of fine) {
    t.equal((await face.send("GET", `/kv/b/k?${query}`)).status, 200, query);
  }
  const bad = [
    "x=1",
    "=1",
    "&",
    "R=1",
    "r",
    "r=",
    "r=0",
    "w=0",
    "r=-1",
    "r=1.5",
    "r=two",
    "r=10000",
    "r=1&r=1",
    "r=1&%72=2",
    "dw=none",
    "timeout=0",
    "timeout=60001",
    "timeout=1e3",
    "timeout=-5",
    "timeout=",
    "returnbody=1",
    "returnbody",
    "__proto__=1",
  ];
  for (const query of bad) {
    await refuses(t, face, ["GET", `/kv/b/k?${query}`], [400, "bad-parameter"]);
    await refuses(t, face, ["PUT", `/kv/b/k?${query}`, { body: "v" }], [400, "bad-parameter"]);
    await refuses(t, face, ["DELETE", `/kv/b/k?${query}`], [400, "bad-parameter"]);
  }
  await refuses(t, face, ["GET", "/kv/b/k?key64=aw"], [400, "bad-parameter"]);
  await refuses(t, face, ["POST", "/kv/b?key64=aw", { body: "v" }], [400, "bad-parameter"]);
  for (const path of ["/cluster", "/stats", "/healthz", "/buckets", "/buckets/b", "/readyz"]) {
    await refuses(t, face, ["GET", `${path}?verbose=1`], [400, "bad-parameter"]);
  }
});

t.test("values: the limit is taken, one byte more is 413", async (t) => {
  const face = new Face();
  const most = "v".repeat(VALUE_BYTES_MAX);
  const over = `${most}v`;
  t.equal((await face.send("PUT", "/kv/b/k", { body: most })).status, 204);
  await refuses(t, face, ["PUT", "/kv/b/k", { body: over }], [413, "value-too-large"]);
  await refuses(t, face, ["POST", "/kv/b", { body: over }], [413, "value-too-large"]);
  const declared = (body: string): RequestInit => ({
    body,
    headers: { "Content-Length": String(body.length) },
  });
  t.equal((await face.send("PUT", "/kv/b/k", declared(most))).status, 204);
  await refuses(t, face, ["PUT", "/kv/b/k", declared(over)], [413, "value-too-large"]);
});

t.test("a declared length beyond the limit is refused before a byte is read", async (t) => {
  const face = new Face();
  let pulled = 0;
  const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
  const headers = { "Content-Length": String(10 * 2 ** 30) };
  const init = { body, headers, duplex: "half" } as RequestInit;
  await refuses(t, face, ["PUT", "/kv/b/k", init], [413, "value-too-large"]);
  t.equal(pulled, 0);
});

t.test("an endless chunked body is cut at the limit", async (t) => {
  const face = new Face();
  let pulled = 0;
  let isCancelled = false;
  const body = new ReadableStream(
    {
      pull: (controller) => {
        pulled++;
        controller.enqueue(new Uint8Array(100));
      },
      cancel: () => {
        isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  const init = { body, duplex: "half" } as RequestInit;
  await refuses(t, face, ["PUT", "/kv/b/k", init], [413, "value-too-large"]);
  t.ok(pulled <= 12, `${pulled} chunks of 100 bytes were taken, the limit is 1024`);
  t.ok(isCancelled);
});

t.test("a put without a body or a length is 411, an empty body is a value", async (t) => {
  const face = new Face();
  await refuses(t, face, ["PUT", "/kv/b/k"], [411, "length-required"]);
  const empty = { headers: { "Content-Length": "0" } };
  t.equal((await face.send("PUT", "/kv/b/k", empty)).status, 204);
});

t.test("a body that breaks off is 408 and nothing is written", async (t) => {
  const face = new Face();
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new Uint8Array(10));
      controller.error(new Error("connection reset"));
    },
  });
  const init = { body, duplex: "half" } as RequestInit;
  await refuses(t, face, ["PUT", "/kv/b/k", init], [408, "slow-request"]);
});

t.test("a body slower than its time is refused by the sweep", async (t) => {
  let nowMs = 0;
  const timers: (() => void)[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    elapsedMs: () => nowMs,
    after: (_delayMs, callback) => {
      timers.push(callback);
      return { cancel: () => undefined };
    },
    soon: () => undefined,
  };
  const bodies = new RequestBodies(clock, "value");
  const refusals: (Refusal | null)[] = [];
  const request = new Request("http://h/", {
    method: "PUT",
    body: new ReadableStream({ pull: () => new Promise(() => undefined) }),
    duplex: "half",
  } as RequestInit);
  bodies.read(request, 100, (_bytes, refusal) => refusals.push(refusal));
  nowMs = BODY_MS_MAX - 1;
  timers.shift()?.();
  t.same(refusals, [], "within its time it may go on");
  nowMs = BODY_MS_MAX;
  timers.shift()?.();
  t.equal(refusals[0]?.code, "slow-request");
  t.equal(timers.length, 0, "no body, no sweep");
});

t.test("all bodies together have a limit, and what is released is free again", async (t) => {
  const clock: Clock = {
    nowMs: () => 0,
    elapsedMs: () => 0,
    after: () => ({ cancel: () => undefined }),
    soon: () => undefined,
  };
  const bodies = new RequestBodies(clock, "value");
  const declared = (length: number): Request =>
    new Request("http://h/", { method: "PUT", headers: { "Content-Length": String(length) } });
  const codes: string[] = [];
  const take = (length: number): IncomingBody =>
    bodies.read(declared(length), length, (_bytes, refusal) => codes.push(refusal?.code ?? ""));
  const first = take(BODY_BYTES_IN_FLIGHT_MAX);
  take(1);
  t.same(codes, ["overloaded"]);
  first.release();
  t.equal(bodies.heldBytes, 0);
  take(1).release();
  t.same(codes, ["overloaded"], "the third is not refused");
  const chunked = new Request("http://h/", { method: "PUT", body: "four" });
  await new Promise<void>((resolve) => {
    bodies.read(chunked, 4, (_bytes, _refusal, body) => {
      t.equal(bodies.heldBytes, 4, "a body without a declared length counts as it comes");
      body.release();
      resolve();
    });
  });
  t.equal(bodies.heldBytes, 0);
});

t.test("content types are 1 to 255 printable bytes", async (t) => {
  const face = new Face();
  const typed = (type: string): RequestInit => ({ body: "v", headers: { "Content-Type": type } });
  t.equal((await face.send("PUT", "/kv/b/k", typed("a".repeat(255)))).status, 204);
  await refuses(t, face, ["PUT", "/kv/b/k", typed("a".repeat(256))], [400, "bad-header"]);
  await refuses(t, face, ["PUT", "/kv/b/k", typed("text/ü")], [400, "bad-header"]);
});

t.test("user metadata is 2048 bytes of names and values", async (t) => {
  const face = new Face();
  const meta = (value: string): RequestInit => ({
    body: "v",
    headers: { "Halo-Meta-Note": value },
  });
  t.equal((await face.send("PUT", "/kv/b/k", meta("m".repeat(2044)))).status, 204);
  t.equal((await face.send("GET", "/kv/b/k")).headers.get("halo-meta-note")?.length, 2044);
  await refuses(t, face, ["PUT", "/kv/b/k", meta("m".repeat(2045))], [400, "bad-header"]);
  await refuses(t, face, ["PUT", "/kv/b/k", { body: "v", headers: { "Halo-Meta-": "x" } }], [
    400,
    "bad-header",
  ]);
  const long = { body: "v", headers: { [`Halo-Meta-${"n".repeat(256)}`]: "x" } };
  await refuses(t, face, ["PUT", "/kv/b/k", long], [400, "bad-header"]);
  const many = (count: number): RequestInit => {
    const headers: Record<string, string> = {};
    for (let index = 0; index < count; index++) headers[`Halo-Meta-${1000 + index}`] = "";
    return { body: "v", headers };
  };
  t.equal((await face.send("PUT", "/kv/b/k", many(512))).status, 204);
  await refuses(t, face, ["PUT", "/kv/b/k", many(513)], [400, "bad-header"]);
});

t.test("Halo-TTL is whole seconds from 1 to 316224000", async (t) => {
  const face = new Face();
  const ttl = (value: string): RequestInit => ({ body: "v", headers: { "Halo-TTL": value } });
  for (const value of ["1", "316224000"]) {
    t.equal((await face.send("PUT", "/kv/b/k", ttl(value))).status, 204);
  }
  for (const value of ["0", "-1", "1.5", "316224001", "soon", "1, 2", ""]) {
    await refuses(t, face, ["PUT", "/kv/b/k", ttl(value)], [400, "bad-header"]);
  }
});

t.test("request ids are UUIDs of version 7, conditions are entity tags", async (t) => {
  const face = new Face();
  const bad: Record<string, string>[] = [
    { "Halo-Request-Id": "17" },
    { "Halo-Request-Id": "" },
    { "Halo-Request-Id": "0190b3a0-0000-4000-8000-0000000000ff" },
    { "Halo-Request-Id": "0190b3a0-0000-7000-c000-0000000000ff" },
    { "If-None-Match": '"0000000000000001"' },
    { "If-Match": "0000000000000001" },
    { "If-Match": "*, *" },
    { "If-Match": "" },
    { "If-Match": '"a", b' },
    { "If-Match": '"a"', "If-None-Match": "*" },
  ];
  for (const headers of bad) {
    await refuses(t, face, ["PUT", "/kv/b/k", { body: "v", headers }], [400, "bad-header"]);
  }
  const absent = { headers: { "If-None-Match": "*" } };
  await refuses(t, face, ["DELETE", "/kv/b/k", absent], [400, "bad-header"]);
});

t.test("a method that a route does not have is 405 with the ones that it has", async (t) => {
  const face = new Face();
  const cases: [string, string, string][] = [
    ["POST", "/kv/b/k", "GET, HEAD, PUT, DELETE"],
    ["PATCH", "/kv/b/k", "GET, HEAD, PUT, DELETE"],
    ["OPTIONS", "/kv/b", "GET, HEAD, PUT, DELETE, POST"],
    ["POST", "/buckets/b", "GET, HEAD, PUT, DELETE"],
    ["DELETE", "/buckets", "GET, HEAD"],
    ["PUT", "/cluster", "GET, HEAD"],
    ["POST", "/explain/b/k", "GET, HEAD"],
    ["DELETE", "/healthz", "GET, HEAD"],
  ];
  for (const [method, target, allow] of cases) {
    const response = await refuses(t, face, [method, target], [405, "method"]);
    t.equal(response.headers.get("allow"), allow);
  }
});

t.test("an order without a body is told which body is wanted, a value that it may be empty", async (t) => {
  const face = new Face();
  for (const [target, detail] of [
    ["/cluster/revert", "The request has no body, want the JSON of an order."],
    ["/batch", "The request has no body, want the JSON of a batch."],
  ]) {
    t.match(await problemOf(await face.send("POST", target)), { status: 411, code: "length-required", detail }, target);
  }
  const value = await problemOf(await face.send("PUT", "/kv/b/k"));
  t.match(value, { code: "length-required", detail: /want Content-Length: 0 for an empty value/ });
});
