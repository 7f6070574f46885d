/**
 * Codes that only a cluster can come to, over HTTP at one of its nodes: a time that is gone, nodes that do not hear
 * each other, a clock that is wrong, siblings without end, more requests than may wait, nodes that cannot say what was lost.
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

t.test("more requests than may wait: refused at once, with when to come again, and taken when others have ended", async (t) => {
  const face = new SimulatedFace(HERE, { requestsMax: 2 });
  face.stage.isolate(HERE);
  const waiting = ["a", "b"].map((key) => face.send("GET", `/kv/sib/${key}?timeout=1000`));
  for (const refused of [await face.send("GET", "/kv/sib/k"), await put(face, "/kv/sib/k")]) {
    t.match(await problemOf(refused), { status: 503, code: "overloaded", outcome: "refused" });
    t.equal(refused.headers.get("retry-after"), "1");
  }
  for (const unknown of await Promise.all(waiting)) t.equal(unknown.status, 504);
  face.stage.healNetwork();
  face.stage.run(60_000);
  t.equal((await put(face, "/kv/sib/k")).status, 204);
});

t.test("nodes that lost power and cannot ask a complete one: nothing is not known to be nothing, until they can", async (t) => {
  const face = new SimulatedFace(HERE);
  t.equal((await put(face, "/kv/sib/kept?w=3&dw=3")).status, 204);
  const { cluster } = face.stage;
  for (const machine of [0, 1, 2]) cluster.unplug(machine);
  for (const machine of [0, 1]) cluster.start(machine);
  face.stage.until("two of them run", () => cluster.node(0)?.membership.ready === true && cluster.node(1) !== null);
  face.stage.run(5_000);
  face.turnTo(0);
  const nothing = await face.send("GET", "/kv/sib/k");
  t.match(await problemOf(nothing), { status: 503, code: "absence-unknown", outcome: "refused" });
  t.ok(nothing.headers.has("retry-after"));
  t.match(nothing.headers.get("halo-replicas"), "primaries=2, fallbacks=0", "two have answered, and know too little");
  const created = await put(face, "/kv/sib/k", { "If-None-Match": "*" });
  t.match(await problemOf(created), { status: 503, code: "absence-unknown", outcome: "refused" });
  t.equal((await face.send("GET", "/kv/sib/kept")).status, 200, "what is there is told");
  cluster.start(2);
  face.stage.settle();
  t.equal((await face.send("GET", "/kv/sib/k")).status, 404, "all of them together know that there is none");
});

t.test("a context of another object, and a condition that does not hold", async (t) => {
  const face = new SimulatedFace(HERE);
  const context = (await put(face, "/kv/sib/k")).headers.get("halo-context") ?? "";
  const forged = await put(face, "/kv/sib/other", { "Halo-Context": context });
  t.match(await problemOf(forged), { status: 400, code: "bad-context", outcome: "refused" });
  const etag = (await face.send("GET", "/kv/sib/k")).headers.get("etag") ?? "";
  const failed = await put(face, "/kv/sib/k", { "If-None-Match": "*" });
  t.match(await problemOf(failed), { status: 412, code: "precondition-failed", outcome: "refused" });
  t.not(failed.headers.get("halo-context"), null, "with what a put would go on from");
  t.match(failed.headers.get("halo-replicas"), /primaries=[23], fallbacks=0/, "and how many have said so");
  t.equal((await put(face, "/kv/sib/k", { "If-Match": etag })).status, 204);
  t.equal((await put(face, "/kv/sib/k", { "If-Match": etag })).status, 412, "once");
});

t.test("If-Match: * wants that there is something, and replaces all of it", async (t) => {
  const face = new SimulatedFace(HERE);
  const any = { "If-Match": "*" };
  t.match(await problemOf(await put(face, "/kv/sib/k", any)), { status: 412, code: "precondition-failed" });
  t.equal((await face.send("GET", "/kv/sib/k")).status, 404, "nothing was written");
  for (let count = 0; count < 2; count++) t.equal((await put(face, "/kv/sib/k")).status, 204);
  t.equal((await face.send("GET", "/kv/sib/k")).status, 300);
  t.equal((await put(face, "/kv/sib/k", any)).status, 204);
  t.equal((await face.send("GET", "/kv/sib/k")).status, 200);
  t.equal((await face.send("DELETE", "/kv/sib/k", { headers: any })).status, 204);
  t.equal((await face.send("DELETE", "/kv/sib/k", { headers: any })).status, 412, "a tombstone is nothing");
});

t.test("what was reverted is staged no more, neither in the plan nor among the members", async (t) => {
  const face = new SimulatedFace(HERE);
  const { staged } = (await (await order(face, "/cluster/stage", CHANGE)).json()) as { staged: object[] };
  t.equal(staged.length, 1);
  const answers = [await order(face, "/cluster/revert", {}), await face.send("GET", "/cluster/plan"), await face.send("GET", "/cluster")];
  for (const answer of answers) t.same(((await answer.json()) as { staged: object[] }).staged, []);
});

function order(face: SimulatedFace, target: string, body: object): Promise<Response> {
  const text = JSON.stringify(body);
  const headers = { "Content-Type": "application/json", "Content-Length": String(text.length) };
  return face.send("POST", target, { headers, body: text });
}

const CHANGE = { changes: [{ change: "change", node: "n1", capacity: 2 }] };

t.test("a commit against an older layout, and one that too few members store", async (t) => {
  const face = new SimulatedFace(HERE);
  t.equal((await order(face, "/cluster/stage", CHANGE)).status, 200);
  const { version } = (await (await face.send("GET", "/cluster/plan")).json()) as { version: number };
  const old = await order(face, "/cluster/commit", { version: version - 1 });
  t.match(await problemOf(old), { status: 409, code: "stale-layout", outcome: "refused" });
  face.stage.isolate(HERE);
  const few = await order(face, "/cluster/commit", { version });
  t.match(await problemOf(few), { status: 409, code: "minority", outcome: "unknown" });
});

t.test("a node that nobody has let in takes no request on objects, and answers its probes", async (t) => {
  const face = new SimulatedFace(HERE, {}, 1);
  face.stage.cluster.enter(3, true);
  face.stage.until("it runs", () => face.stage.cluster.node(3) !== null);
  face.turnTo(3);
  for (const refused of [await face.send("GET", "/kv/sib/k"), await put(face, "/kv/sib/k"), await face.send("GET", "/readyz")]) {
    t.match(await problemOf(refused), { status: 503, code: "not-ready", outcome: "refused" });
    t.ok(refused.headers.has("retry-after"));
  }
  t.equal((await face.send("GET", "/healthz")).status, 200);
});
