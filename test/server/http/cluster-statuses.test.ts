/**
 * Codes that only a cluster can come to, over HTTP at one of its nodes: a time that is gone, nodes that do not hear
 * each other, a clock that is wrong, siblings without end.
 */

import t from "tap";
import { SIBLINGS_MAX } from "../../../core/limits.ts";
import { problemOf } from "./face.ts";
import { SimulatedFace } from "./simulated-face.ts";

const HERE = 0;

function put(face: SimulatedFace, target: string, headers: Record<string, string> = {}): Promise<Response> {
  return face.send("PUT", target, { body: "v", headers: { "Content-Length": "1", ...headers } });
}

t.test("a request id of long ago is 409", async (t) => {
  const face = new SimulatedFace(HERE);
  const headers = { "Halo-Request-Id": "00000000-0001-7000-8000-000000000001" };
  const refused = await put(face, "/kv/sib/k", headers);
  t.match(await problemOf(refused), { status: 409, code: "stale-request", outcome: "refused" });
});

t.test("one more sibling than there may be is 503, and what is there can still be resolved", async (t) => {
  const face = new SimulatedFace(HERE);
  for (let count = 0; count < SIBLINGS_MAX; count++) t.equal((await put(face, "/kv/sib/k")).status, 204);
  const refused = await put(face, "/kv/sib/k");
  t.match(await problemOf(refused), { status: 503, code: "too-many-siblings", outcome: "refused" });
  const context = (await face.send("GET", "/kv/sib/k")).headers.get("halo-context") ?? "";
  t.equal((await put(face, "/kv/sib/k", { "Halo-Context": context })).status, 204);
});

t.test("nodes that were cut off a moment ago: reads end in time, writes may have happened", async (t) => {
  const face = new SimulatedFace(HERE);
  t.equal((await put(face, "/kv/sib/k")).status, 204);
  face.stage.isolate(HERE);
  const [read, write] = await Promise.all([face.send("GET", "/kv/sib/k?timeout=200"), put(face, "/kv/sib/k?timeout=200")]);
  t.match(await problemOf(read), { status: 504, code: "read-timeout", outcome: "unknown" });
  t.match(await problemOf(write), { status: 504, code: "write-unknown", outcome: "unknown" });
});

t.test("nodes that are known to be cut off: refused at once, with when to come again", async (t) => {
  const face = new SimulatedFace(HERE);
  face.stage.isolate(HERE);
  face.stage.run(60_000);
  for (const refused of [await face.send("GET", "/kv/sib/k"), await put(face, "/kv/sib/k")]) {
    t.match(await problemOf(refused), { status: 503, code: "quorum-unreachable", outcome: "refused" });
    t.equal(refused.headers.get("retry-after"), "1");
  }
});

t.test("a node whose clock is off takes no last write, and others as before", async (t) => {
  const face = new SimulatedFace(HERE);
  face.stage.cluster.jumpClock(HERE, 600_000);
  face.stage.run(60_000);
  t.match(await problemOf(await put(face, "/kv/last/k")), { status: 503, code: "clock-skew", outcome: "refused" });
  t.equal((await put(face, "/kv/sib/k")).status, 204);
});
