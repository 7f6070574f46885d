/** The cluster routes: what orders may look like, and what is answered to whom. */

import t from "tap";
import { CHANGES_MAX } from "../../../server/http/cluster-orders.ts";
import { ORDERS_BYTES_MAX } from "../../../server/http/cluster.ts";
import { Face, problemOf } from "./face.ts";

function post(face: Face, target: string, body: unknown): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return face.send("POST", target, { body: text, headers: { "Content-Type": "application/json" } });
}

t.test("each route orders what it is named after, and answers the plan", async (t) => {
  const face = new Face();
  for (const change of ["join", "leave", "remove"]) {
    const response = await post(face, `/cluster/${change}`, { node: "n1" });
    t.equal(response.status, 200);
    t.match(await response.json(), { version: 1, token: "00c0ffee" });
  }
  await post(face, "/cluster/replace", { node: "n1", by: "n2" });
  const stage = [{ change: "leave", node: "n1" }, { change: "change", node: "n2", capacity: 2, zone: "" }];
  await post(face, "/cluster/stage", { changes: stage });
  await post(face, "/cluster/revert", { node: "n1" });
  await post(face, "/cluster/revert", "");
  t.same(face.cluster.orders, [
    { change: "join", node: "n1" },
    { change: "leave", node: "n1" },
    { change: "remove", node: "n1" },
    { change: "replace", node: "n1", by: "n2" },
    ...stage,
    { revert: "n1" },
    { revert: null },
  ]);
  t.equal((await face.send("GET", "/cluster/plan")).status, 200);
  t.match(await (await face.send("GET", "/cluster/layout")).json(), { version: 1, reading: 1 });
});

t.test("a repair is of everything, a partition or a bucket, and is told by every member", async (t) => {
  const face = new Face();
  const told = { members: [{ name: "n1", state: "done", failed: ["n3"] }], silent: ["n4"] };
  for (const wish of [{}, { partition: 1023 }, { bucket: "käse" }]) {
    const response = await post(face, "/cluster/repair", wish);
    t.equal(response.status, 200);
    t.match(await response.json(), told);
  }
  t.match(await (await face.send("GET", "/cluster/repair")).json(), told);
  t.same(face.cluster.orders, [
    { repair: { partition: null, bucket: null } },
    { repair: { partition: 1023, bucket: null } },
    { repair: { partition: null, bucket: new TextEncoder().encode("käse") } },
  ]);
  const wrong: [unknown, RegExp][] = [
    [{ partition: 1024 }, /partition is 1024, want a number from 0 to 1023/],
    [{ partition: -1 }, /partition is -1/],
    [{ partition: "1" }, /partition is "1"/],
    [{ bucket: "a/b" }, /bucket is "a\/b"/],
    [{ bucket: "" }, /bucket is ""/],
    [{ bucket: "ä".repeat(128) }, /want 1 to 255 bytes/],
    [{ bucket: "a", partition: 1 }, /both given/],
    [{ buckets: ["a"] }, /no field 'buckets'/],
  ];
  for (const [wish, detail] of wrong) {
    const problem = await problemOf(await post(face, "/cluster/repair", wish));
    t.match(problem, { code: "bad-parameter", detail }, JSON.stringify(wish));
  }
  t.equal(face.cluster.orders.length, 3, "nothing was begun");
});

t.test("work in the background is told by every member, and a kind of it is paused everywhere or at one", async (t) => {
  const face = new Face();
  const told = { members: [{ name: "n1", transfer: { left: 3, of: 12 }, p99Ms: 1.5 }], silent: ["n4"] };
  t.match(await (await face.send("GET", "/cluster/transfers")).json(), told);
  t.match(await (await face.send("GET", "/cluster/background")).json(), told);
  t.match(await (await post(face, "/cluster/pause", { kind: "scrub" })).json(), told);
  t.match(await (await post(face, "/cluster/resume", { kind: "anti-entropy", node: "n1" })).json(), told);
  t.same(face.cluster.orders, [
    { pause: { kind: "scrub", node: null, isPaused: true } },
    { pause: { kind: "anti-entropy", node: "n1", isPaused: false } },
  ]);
  const wrong: [unknown, RegExp][] = [
    [{}, /kind is not given, want one of handoff, transfer/],
    [{ kind: "sleep" }, /kind is "sleep"/],
    [{ kind: "scrub", node: "n9" }, /node is "n9", want the name or the id of a member/],
    [{ kind: "scrub", nodes: [] }, /no field 'nodes'/],
  ];
  for (const [order, detail] of wrong) {
    const problem = await problemOf(await post(face, "/cluster/pause", order));
    t.match(problem, { code: "bad-parameter", detail }, JSON.stringify(order));
  }
  t.equal(face.cluster.orders.length, 2, "nothing else was paused");
});

t.test("a commit names the layout that was looked at", async (t) => {
  const face = new Face();
  const done = await post(face, "/cluster/commit", { version: 1, plan: "00c0ffee", force: true });
  t.same(await done.json(), { version: 2 });
  await post(face, "/cluster/commit", { version: 1 });
  t.same(face.cluster.orders, [
    { version: 1, token: "00c0ffee", isForced: true },
    { version: 1, token: "", isForced: false },
  ]);
  const answers = [
    ["stale", 409, "stale-layout", "refused"],
    ["minority", 409, "minority", "unknown"],
    ["refused", 400, "bad-parameter", "refused"],
    ["unable", 503, "not-ready", "refused"],
  ] as const;
  for (const [status, code, name, outcome] of answers) {
    face.cluster.committed = { status, sentence: "Why it is so" };
    const response = await post(face, "/cluster/commit", { version: 1 });
    t.match(await problemOf(response), { status: code, code: name, outcome, detail: "Why it is so." });
  }
});

t.test("what cannot be staged says why", async (t) => {
  const face = new Face();
  face.cluster.staging = { status: "refused", sentence: "n1 is leaving already" };
  t.match(await problemOf(await post(face, "/cluster/leave", { node: "n1" })), { status: 400 });
  face.cluster.staging = { status: "unable", sentence: "Cannot stage it: the disk does not take it" };
  t.match(await problemOf(await post(face, "/cluster/leave", { node: "n1" })), { status: 503 });
  t.equal((await face.send("GET", "/cluster/leave")).status, 405);
  t.equal((await post(face, "/cluster/leave?x=1", { node: "n1" })).status, 400);
  face.isMember = false;
  t.match(await problemOf(await post(face, "/cluster/leave", { node: "n1" })), { code: "not-ready" });
});

t.test("orders are checked in every field, on both sides of each limit", async (t) => {
  const face = new Face();
  const change = (more: object) => ({ changes: [{ change: "change", node: "n", ...more }] });
  const fine: [string, unknown][] = [
    ["leave", { node: "n".repeat(255) }],
    ["stage", change({ capacity: 1 })],
    ["stage", change({ capacity: 1_000_000_000 })],
    ["stage", change({ zone: "z".repeat(255) })],
    ["stage", { changes: Array.from({ length: CHANGES_MAX }, () => ({ change: "leave", node: "n" })) }],
    ["leave", JSON.stringify({ node: "n" }).padEnd(ORDERS_BYTES_MAX)],
  ];
  for (const [route, body] of fine) t.equal((await post(face, `/cluster/${route}`, body)).status, 200);
  const wrong: [string, unknown][] = [
    ["leave", { node: "" }],
    ["leave", { node: "n".repeat(256) }],
    ["leave", { node: 7 }],
    ["leave", {}],
    ["leave", []],
    ["leave", "{"],
    ["leave", { node: "n", by: "m" }],
    ["leave", { node: "n", capacity: 1 }],
    ["leave", { node: "n", mode: "x" }],
    ["replace", { node: "n" }],
    ["stage", {}],
    ["stage", { changes: [] }],
    ["stage", { changes: Array.from({ length: CHANGES_MAX + 1 }, () => ({ change: "leave", node: "n" })) }],
    ["stage", { changes: [{ change: "grow", node: "n" }] }],
    ["stage", change({ capacity: 0 })],
    ["stage", change({ capacity: 1_000_000_001 })],
    ["stage", change({ capacity: 1.5 })],
    ["stage", change({ zone: "z".repeat(256) })],
    ["commit", {}],
    ["commit", { version: 0 }],
    ["commit", { version: "1" }],
    ["commit", { version: 1, plan: "00C0FFEE" }],
    ["commit", { version: 1, plan: "00c0ffee0" }],
    ["commit", { version: 1, force: "yes" }],
    ["revert", { nodes: [] }],
  ];
  const before = face.cluster.orders.length;
  for (const [route, body] of wrong) {
    const found = await problemOf(await post(face, `/cluster/${route}`, body));
    t.match(found, { status: 400, code: "bad-parameter", outcome: "refused" }, JSON.stringify(body));
  }
  t.equal(face.cluster.orders.length, before, "nothing of it was ordered");
  const over = await post(face, "/cluster/leave", JSON.stringify({ node: "n" }).padEnd(ORDERS_BYTES_MAX + 1));
  t.equal(over.status, 413);
});
