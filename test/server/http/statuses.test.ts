/**
 * Every code that an answer can have, each produced by a request: with its status, its outcome, and whether it
 * says when to come again. The table is a record over all codes: one without a row does not compile.
 *
 * What only a cluster can come to is told by the store behind the face (`told`): that proves how it is answered.
 * That it comes about cluster-statuses.test.ts and test/process/room.test.ts show.
 */

import t from "tap";
import type { Result } from "../../../server/coordination/store.ts";
import type { HttpCode } from "../../../server/http/problem.ts";
import { rootToken } from "../../../server/membership/authorization.ts";
import { Face, problemOf, VALUE_BYTES_MAX } from "./face.ts";

const SECRET = new TextEncoder().encode("correct horse battery staple");

interface Row {
  readonly status: number;
  /** Absent: refused, nothing was written anywhere. */
  readonly outcome?: "unknown";
  readonly hasRetryAfter?: true;
  /** Makes the request that comes to it; null: no request does, until there are buckets of data types. */
  readonly send: (() => Promise<Response>) | null;
}

/** A put, of which the store says how it ended. */
function told(code: Result["code"], outcome: "refused" | "unknown" = "refused"): () => Promise<Response> {
  return () => {
    const face = new Face();
    face.store.nextResult = { code, outcome, detail: "Why it is so." };
    return put(face, "/kv/b/k");
  };
}

function put(face: Face, target: string, headers: Record<string, string> = {}, body: BodyInit = "v"): Promise<Response> {
  return face.send("PUT", target, { body, headers, duplex: "half" } as RequestInit);
}

/** One request to a face of its own. */
function sent(method: string, target: string, init: RequestInit = {}): () => Promise<Response> {
  return () => new Face().send(method, target, init);
}

/** A token that may read buckets of the name "cart", once a second, and asks as often as `count`. */
async function asReader(method: string, count: number): Promise<Response> {
  const face = new Face({ secret: SECRET });
  const root = { Authorization: `Bearer ${rootToken(SECRET)}`, "Content-Type": "application/json" };
  const grant = { name: "shop", role: "read", buckets: ["cart"], requestsPerSecond: 1 };
  const given = await face.send("POST", "/tokens", { headers: root, body: JSON.stringify(grant) });
  const { token } = (await given.json()) as { token: string };
  const init = { headers: { Authorization: `Bearer ${token}` } };
  for (let before = 1; before < count; before++) await face.send(method, "/kv/cart/k", init);
  return face.send(method, "/kv/cart/k", init);
}

function failingStore(): Promise<Response> {
  const face = new Face();
  face.store.get = () => {
    throw new Error("a bug");
  };
  return face.send("GET", "/kv/b/k");
}

function commit(face: Face, body: string): Promise<Response> {
  return face.send("POST", "/cluster/commit", { body, headers: { "Content-Type": "application/json" } });
}

function commitByFew(): Promise<Response> {
  const face = new Face();
  face.cluster.committed = { status: "minority", sentence: "1 of 3 members has stored it" };
  return commit(face, '{"version": 1}');
}

function commitOfOld(): Promise<Response> {
  const face = new Face();
  face.cluster.committed = { status: "stale", sentence: "The layout is 8 by now" };
  return commit(face, '{"version": 7}');
}

function unready(): Promise<Response> {
  const face = new Face();
  face.isMember = false;
  return face.send("GET", "/buckets");
}

function brokenOff(): Promise<Response> {
  const body = new ReadableStream({ start: (controller) => controller.error(new Error("connection reset")) });
  return put(new Face(), "/kv/b/k", {}, body);
}

const TABLE: Readonly<Record<HttpCode, Row>> = {
  "bad-parameter": { status: 400, send: sent("GET", "/kv/b/k?r=0") },
  "bad-key": { status: 400, send: sent("GET", "/kv/b/%zz") },
  "bad-bucket": { status: 400, send: sent("GET", "/kv//k") },
  "bad-context": { status: 400, send: () => put(new Face(), "/kv/b/k", { "Halo-Context": "none of ours" }) },
  "bad-header": { status: 400, send: () => put(new Face(), "/kv/b/k", { "Halo-TTL": "0" }) },
  unauthenticated: { status: 401, send: () => new Face({ secret: SECRET }).send("GET", "/kv/b/k") },
  forbidden: { status: 403, send: () => asReader("DELETE", 1) },
  "not-found": { status: 404, send: sent("GET", "/kv/b/k") },
  method: { status: 405, send: sent("PATCH", "/kv/b/k") },
  "slow-request": { status: 408, send: brokenOff },
  "wrong-type": { status: 409, send: null },
  "stale-layout": { status: 409, send: commitOfOld },
  "stale-request": { status: 409, send: told("stale-request") },
  minority: { status: 409, outcome: "unknown", send: commitByFew },
  "length-required": { status: 411, send: sent("PUT", "/kv/b/k") },
  "precondition-failed": { status: 412, send: () => put(new Face(), "/kv/b/k", { "If-Match": '"0123456789abcdef"' }) },
  "value-too-large": { status: 413, send: () => put(new Face(), "/kv/b/k", {}, "v".repeat(VALUE_BYTES_MAX + 1)) },
  "key-too-long": { status: 414, send: sent("GET", `/kv/b/${"k".repeat(4097)}`) },
  "unsupported-media-type": { status: 415, send: () => put(new Face(), "/buckets/b", { "Content-Type": "text/csv" }) },
  "bad-range": {
    status: 416,
    send: async () => {
      const face = new Face();
      await put(face, "/kv/b/k");
      return face.send("GET", "/kv/b/k", { headers: { Range: "bytes=999-" } });
    },
  },
  "rate-limited": { status: 429, hasRetryAfter: true, send: () => asReader("GET", 3) },
  internal: { status: 500, outcome: "unknown", send: failingStore },
  overloaded: { status: 503, hasRetryAfter: true, send: told("overloaded") },
  "quorum-unreachable": { status: 503, hasRetryAfter: true, send: told("quorum-unreachable") },
  "absence-unknown": { status: 503, hasRetryAfter: true, send: told("absence-unknown") },
  "clock-skew": { status: 503, send: told("clock-skew") },
  "too-many-siblings": { status: 503, send: told("too-many-siblings") },
  "not-ready": { status: 503, hasRetryAfter: true, send: unready },
  "write-unknown": { status: 504, outcome: "unknown", send: told("write-unknown", "unknown") },
  "read-timeout": { status: 504, outcome: "unknown", send: told("read-timeout", "unknown") },
  "disk-full": { status: 507, send: told("disk-full") },
  "hints-full": { status: 507, hasRetryAfter: true, send: told("hints-full") },
  "memory-full": { status: 507, send: told("memory-full") },
  "files-full": { status: 507, hasRetryAfter: true, send: told("files-full") },
};

for (const [code, { status, outcome = "refused", hasRetryAfter = false, send }] of Object.entries(TABLE)) {
  if (send === null) continue;
  t.test(`${status} ${code}`, async (t) => {
    const response = await send();
    t.equal(response.status, status);
    t.equal(response.headers.has("retry-after"), hasRetryAfter, "Retry-After where waiting helps");
    t.match(await problemOf(response), { code, outcome, type: `urn:halo:error:${code}` });
  });
}
