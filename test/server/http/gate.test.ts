/** With a secret nobody gets past the gate without a token that allows it, and no data is touched before. */

import t from "tap";
import { rootToken } from "../../../server/membership/authorization.ts";
import { type Clock, systemClock } from "../../../server/ports/clock.ts";
import { Face } from "./face.ts";

const SECRET = new TextEncoder().encode("correct horse battery staple");
const ROOT = rootToken(SECRET);

/** A clock that stands still but for what a test adds. */
class StoppedClock implements Clock {
  addedMs = 0;
  nowMs = (): number => 1_800_000_000_000 + this.addedMs;
  elapsedMs = (): number => this.addedMs;
  soon = systemClock.soon;
  after = (): { cancel(): void } => ({ cancel: () => {} });
}

function bearer(token: string): RequestInit {
  return { headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } };
}

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly outcome: string;
}

async function codeOf(response: Response): Promise<string> {
  const text = await response.text();
  return response.status < 400 ? "" : (JSON.parse(text) as Problem).code;
}

async function give(face: Face, properties: object): Promise<string> {
  const init = { ...bearer(ROOT), body: JSON.stringify(properties) };
  const response = await face.send("POST", "/tokens", init);
  t.equal(response.status, 201, JSON.stringify(properties));
  return ((await response.json()) as { token: string }).token;
}

/** Every route with every method that it has, and what it needs. */
const ROUTES: readonly [string, string, "read" | "write" | "admin"][] = [
  ["GET", "/kv/cart/k", "read"],
  ["HEAD", "/kv/cart/k", "read"],
  ["GET", "/kv/cart?key64=aw", "read"],
  ["GET", "/kv/cart", "read"],
  ["PUT", "/kv/cart/k", "write"],
  ["DELETE", "/kv/cart/k", "write"],
  ["PUT", "/kv/cart?key64=aw", "write"],
  ["POST", "/kv/cart", "write"],
  ["GET", "/explain/cart/k", "read"],
  ["GET", "/buckets", "read"],
  ["GET", "/buckets/cart", "read"],
  ["PUT", "/buckets/cart", "admin"],
  ["DELETE", "/buckets/cart", "admin"],
  ["GET", "/cluster", "read"],
  ["GET", "/cluster/layout", "read"],
  ["GET", "/cluster/plan", "read"],
  ["POST", "/cluster/stage", "admin"],
  ["POST", "/cluster/join", "admin"],
  ["POST", "/cluster/leave", "admin"],
  ["POST", "/cluster/remove", "admin"],
  ["POST", "/cluster/replace", "admin"],
  ["POST", "/cluster/revert", "admin"],
  ["POST", "/cluster/commit", "admin"],
  ["GET", "/cluster/repair", "read"],
  ["POST", "/cluster/repair", "admin"],
  ["GET", "/cluster/transfers", "read"],
  ["GET", "/cluster/background", "read"],
  ["POST", "/cluster/pause", "admin"],
  ["POST", "/cluster/resume", "admin"],
  ["POST", "/cluster/restore", "admin"],
  ["GET", "/tokens", "admin"],
  ["POST", "/tokens", "admin"],
  ["DELETE", "/tokens/shop", "admin"],
  ["GET", "/stats", "read"],
  ["GET", "/nowhere", "read"],
];

const LADDER = ["read", "write", "admin"];

function initOf(method: string, token: string): RequestInit {
  const body = method === "PUT" || method === "POST" ? { body: "x" } : {};
  return { ...bearer(token), ...body };
}

t.test("without a token, with a wrong one or none of ours: 401 everywhere, and nothing is touched", async (t) => {
  const face = new Face({ secret: SECRET });
  const wrong = [
    undefined,
    "",
    "Bearer",
    `Basic ${ROOT}`,
    ROOT,
    `Bearer ${ROOT.slice(0, -1)}`,
    `Bearer ${ROOT}0`,
    `Bearer ${ROOT}, Bearer ${ROOT}`,
    `Bearer ${ROOT} ${ROOT}`,
    "Bearer halo_",
  ];
  for (const [method, target] of ROUTES) {
    for (const authorization of wrong) {
      const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
      const body = method === "PUT" || method === "POST" ? { body: "x" } : {};
      const response = await face.send(method, target, { headers, ...body });
      t.equal(response.status, target === "/nowhere" ? 404 : 401, `${method} ${target} ${authorization}`);
      if (target === "/nowhere") continue;
      t.match(response.headers.get("www-authenticate"), /^Bearer/);
      t.equal(await codeOf(response), "unauthenticated");
    }
  }
  t.equal(face.store.calls, 0, "the store was not asked");
  t.equal((await face.send("GET", "/healthz")).status, 200, "probes are open");
  t.equal((await face.send("GET", "/readyz")).status, 200);
});

t.test("each role goes as far as it says, in its buckets", async (t) => {
  const face = new Face({ secret: SECRET });
  for (const role of LADDER) {
    const token = await give(face, { name: role, role, buckets: ["ca*"] });
    const elsewhere = await give(face, { name: `${role}-elsewhere`, role, buckets: ["carts", "c"] });
    for (const [method, target, need] of ROUTES) {
      if (target === "/nowhere" || target === "/tokens/shop") continue;
      const mayIn = LADDER.indexOf(role) >= LADDER.indexOf(need);
      const response = await face.send(method, target, initOf(method, token));
      t.equal(response.status === 403, !mayIn, `${role}: ${method} ${target} ${response.status}`);
      const before = face.store.calls;
      const other = await face.send(method, target, initOf(method, elsewhere));
      if (/^\/(kv|explain)\//.test(target)) {
        t.equal(other.status, 403, `${role} of other buckets: ${method} ${target}`);
        t.equal(face.store.calls, before, "refused before the store was asked");
      }
    }
  }
});

t.test("a token that expires or is taken back allows nothing from then on", async (t) => {
  const clock = new StoppedClock();
  const face = new Face({ secret: SECRET, clock });
  const token = await give(face, { name: "brief", role: "read", expiresSeconds: 60 });
  clock.addedMs = 59_999;
  t.equal((await face.send("GET", "/kv/cart/k", bearer(token))).status, 404, "in time");
  clock.addedMs = 60_000;
  t.equal((await face.send("GET", "/kv/cart/k", bearer(token))).status, 401, "expired");
  const other = await give(face, { name: "other", role: "read" });
  t.equal((await face.send("GET", "/kv/cart/k", bearer(other))).status, 404);
  t.equal((await face.send("DELETE", "/tokens/other", bearer(ROOT))).status, 204);
  t.equal((await face.send("GET", "/kv/cart/k", bearer(other))).status, 401, "taken back");
  t.equal((await face.send("DELETE", "/tokens/other", bearer(ROOT))).status, 404, "once");
});

t.test("a token's rate: as many as it may, then 429 with the time to wait", async (t) => {
  const clock = new StoppedClock();
  const face = new Face({ secret: SECRET, clock });
  const token = await give(face, { name: "slow", role: "read", requestsPerSecond: 2 });
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) {
    statuses.push((await face.send("GET", "/kv/cart/k", bearer(token))).status);
  }
  t.same(statuses, [404, 404, 429]);
  const limited = await face.send("GET", "/kv/cart/k", bearer(token));
  t.equal(limited.headers.get("retry-after"), "1");
  t.match(await limited.json(), { code: "rate-limited", outcome: "refused", detail: /want 500 ms of rest/ });
  clock.addedMs += 500;
  t.equal((await face.send("GET", "/kv/cart/k", bearer(token))).status, 404, "its turn again");
  t.equal((await face.send("GET", "/kv/cart/k", bearer(ROOT))).status, 404, "others are not held up");
});

t.test("tokens are shown once, and told nowhere else; acts of administrators are told with their name", async (t) => {
  const face = new Face({ secret: SECRET });
  const token = await give(face, { name: "shop", role: "write", buckets: ["cart*"], requestsPerSecond: 9 });
  t.match(token, /^halo_[0-9a-f]{64}$/);
  const listed = await (await face.send("GET", "/tokens", bearer(ROOT))).text();
  t.same(JSON.parse(listed), {
    tokens: [{ name: "shop", role: "write", buckets: ["cart*"], expires: null, requestsPerSecond: 9 }],
  });
  await face.send("PUT", "/buckets/cart", { ...bearer(token), body: "{}" });
  const told = face.told.join("\n");
  t.match(told, /audit {"who":"root","method":"POST","path":"\/tokens","status":201}/);
  t.match(told, /audit {"who":"shop","method":"PUT","path":"\/buckets\/cart","status":403}/);
  for (const text of [listed, told]) t.notOk(text.includes(token) || text.includes(ROOT));
});

t.test("what cannot be a token is refused with a sentence", async (t) => {
  const face = new Face({ secret: SECRET });
  const cases: [string, RegExp][] = [
    ["", /no JSON object/],
    ["[]", /no JSON object/],
    [`{"name": "a"}`, /role is absent, want read, write, admin/],
    [`{"name": "a", "role": "king"}`, /role is "king"/],
    [`{"name": "a b", "role": "read"}`, /The name is 'a b'/],
    [`{"name": "root", "role": "read"}`, /The name is 'root'/],
    [`{"name": 7, "role": "read"}`, /name is 7, want a text/],
    [`{"name": "a", "role": "read", "buckets": []}`, /0 bucket patterns/],
    [`{"name": "a", "role": "read", "buckets": ["a/b"]}`, /'a\/b'/],
    [`{"name": "a", "role": "read", "buckets": [1]}`, /buckets\[0\] is 1, want a text/],
    [`{"name": "a", "role": "read", "expiresSeconds": -1}`, /expiresSeconds is -1/],
    [`{"name": "a", "role": "read", "requestsPerSecond": 1000001}`, /The rate is 1000001/],
    [`{"name": "a", "role": "read", "bucket": "b"}`, /'bucket' is no property of a token/],
  ];
  for (const [body, detail] of cases) {
    const response = await face.send("POST", "/tokens", { ...bearer(ROOT), body });
    t.equal(response.status, 400, body);
    t.match(await response.json(), { code: "bad-parameter", detail, outcome: "refused" });
  }
  await give(face, { name: "a", role: "read" });
  const twice = await face.send("POST", "/tokens", { ...bearer(ROOT), body: `{"name": "a", "role": "read"}` });
  t.match(await twice.json(), { detail: /There is a token of the name 'a' already/ });
  const open = new Face();
  t.match(await (await open.send("GET", "/tokens")).json(), { detail: /has no secret/ }, "without a secret");
  t.equal((await open.send("GET", "/kv/cart/k")).status, 404, "where nobody is asked");
});

t.test("a batch needs a token at all, and each of its operations what it needs by itself", async (t) => {
  const face = new Face({ secret: SECRET });
  const token = await give(face, { name: "carts", role: "read", buckets: ["cart"] });
  const operations = [
    { op: "get", bucket: "cart", key: "k" },
    { op: "get", bucket: "other", key: "k" },
    { op: "put", bucket: "cart", key: "k", value: "eA==" },
  ];
  const body = JSON.stringify({ operations });
  const length = { "Content-Length": String(body.length), "Content-Type": "application/json" };
  const nobody = await face.send("POST", "/batch", { body, headers: length });
  t.equal(nobody.status, 401);
  const headers = { ...length, Authorization: `Bearer ${token}` };
  const { results } = (await (await face.send("POST", "/batch", { body, headers })).json()) as { results: Record<string, unknown>[] };
  t.match(results, [{ status: 404 }, { status: 403, code: "forbidden" }, { status: 403, code: "forbidden" }]);
  t.equal(face.store.puts, 0);
});

t.test("a web page of another origin can order nothing, whoever is asked for a token", async (t) => {
  const routes = ROUTES.filter(([method]) => method === "POST");
  for (const site of ["cross-site", "same-site", "something-new"]) {
    for (const [method, target] of routes) {
      const face = new Face();
      const response = await face.send(method, target, { headers: { "Sec-Fetch-Site": site }, body: "{}" });
      t.equal(response.status, 403, `${site}: ${target}`);
      t.equal(await codeOf(response), "forbidden");
      t.equal(face.store.calls + face.cluster.orders.length, 0, "nothing was ordered");
    }
  }
  for (const site of ["same-origin", "none"]) {
    const headers = { "Sec-Fetch-Site": site };
    t.equal((await new Face().send("POST", "/kv/cart", { headers, body: "v" })).status, 201, site);
  }
  const link = await new Face().send("GET", "/healthz", { headers: { "Sec-Fetch-Site": "cross-site" } });
  t.equal(link.status, 200, "a link from elsewhere may be followed");
});
