/** With a secret nobody gets past the gate without a token that allows it, and no data is touched before. */

import t, { type Test } from "tap";
import { rootToken } from "../../../server/membership/authorization.ts";
import { type Clock, systemClock } from "../../../server/ports/clock.ts";
import { Face } from "./face.ts";
import { initOf, targetOf, WalkedDocument, type WalkedOperation } from "./openapi-walk.ts";

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

const document = new WalkedDocument((await (await new Face().send("GET", "/openapi.json")).json()) as Record<string, unknown>);
/** Every method of every path that asks for a token. */
const GUARDED = document.operations.filter(({ role }) => role !== null);
const LADDER = ["read", "write", "admin"];

/** Whether it is about the bucket "cart"; else it is about the cluster, or says of what in its body (a batch). */
function isOfBucket({ path }: WalkedOperation): boolean {
  return path.includes("{bucket}");
}

/** Sends the document's example. */
function ask(face: Face, operation: WalkedOperation, authorization?: string): Promise<Response> {
  const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  return face.send(operation.method, targetOf(operation), initOf(operation, headers));
}

/** Expects that the example is refused, and that nothing of the node was looked at but who may do what. */
async function refuses(
  t: Pick<Test, "equal" | "match" | "same">,
  face: Face,
  operation: WalkedOperation,
  authorization: string | undefined,
  code: string,
): Promise<void> {
  const label = `${operation.id} with ${authorization?.slice(0, 20)}`;
  const tokens = JSON.stringify(face.authorization?.tokens.records());
  face.touched.clear();
  const response = await ask(face, operation, authorization);
  t.equal(response.status, code === "forbidden" ? 403 : 401, label);
  t.equal(response.headers.has("www-authenticate"), code === "unauthenticated", label);
  if (operation.method !== "HEAD") t.match(await response.json(), { code, outcome: "refused" }, label);
  // Before the bucket is read from the path, it is asked whether there is a cluster to be asked about.
  if (code === "forbidden" && isOfBucket(operation)) face.touched.delete("clusterReport");
  t.same([...face.touched], [], `${label}: nothing is touched`);
  t.equal(JSON.stringify(face.authorization?.tokens.records()), tokens, `${label}: nor are the tokens`);
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
  for (const operation of GUARDED) {
    for (const authorization of wrong) await refuses(t, face, operation, authorization, "unauthenticated");
  }
  const open = document.operations.filter(({ role, method }) => role === null && method === "GET").map(({ path }) => path);
  t.same(open.sort(), ["/docs", "/healthz", "/openapi.json", "/readyz"], "all that asks for none");
  for (const path of open) t.equal((await face.send("GET", path)).status, 200);
  t.equal((await face.send("GET", "/nowhere")).status, 404);
});

t.test("with a token that has expired or was taken back: 401 everywhere, and nothing is touched", async (t) => {
  const clock = new StoppedClock();
  const face = new Face({ secret: SECRET, clock });
  const brief = await give(face, { name: "brief", role: "admin", expiresSeconds: 60 });
  const former = await give(face, { name: "former", role: "admin" });
  for (const name of ["brief", "former"]) {
    if (name === "brief") clock.addedMs += 60_000;
    else t.equal((await face.send("DELETE", "/tokens/former", bearer(ROOT))).status, 204);
    const token = name === "brief" ? brief : former;
    for (const operation of GUARDED) await refuses(t, face, operation, `Bearer ${token}`, "unauthenticated");
  }
});

t.test("with a token of a weaker role than the document says: 403, and nothing is touched", async (t) => {
  for (const operation of GUARDED) {
    for (const role of LADDER.slice(0, LADDER.indexOf(operation.role ?? ""))) {
      const face = new Face({ secret: SECRET });
      const token = await give(face, { name: "weak", role });
      await refuses(t, face, operation, `Bearer ${token}`, "forbidden");
    }
  }
});

t.test("with an administrator's token for other buckets: 403 in these and for the cluster, and nothing is touched", async (t) => {
  for (const operation of GUARDED) {
    const face = new Face({ secret: SECRET });
    const token = await give(face, { name: "elsewhere", role: "admin", buckets: ["carts", "c", "*carts"] });
    const isBound = isOfBucket(operation) || operation.role === "admin";
    if (isBound) await refuses(t, face, operation, `Bearer ${token}`, "forbidden");
    else t.ok((await ask(face, operation, `Bearer ${token}`)).status < 400, `${operation.id} is about no bucket`);
  }
});

t.test("each role goes as far as it says, in its buckets", async (t) => {
  for (const operation of GUARDED) {
    if (operation.id === "giveToken" || operation.id === "removeToken") continue;
    for (const role of LADDER.slice(LADDER.indexOf(operation.role ?? ""))) {
      const face = new Face({ secret: SECRET });
      await face.send("PUT", "/kv/cart/user-17", { ...bearer(ROOT), body: "two books" });
      const buckets = isOfBucket(operation) ? ["other", "ca*"] : ["*"];
      const response = await ask(face, operation, `Bearer ${await give(face, { name: role, role, buckets })}`);
      t.ok(response.status < 400, `${operation.id} by ${role}: ${response.status}`);
    }
  }
});

t.test("an administrator of some buckets gives no token, and is told of no other bucket", async (t) => {
  const face = new Face({ secret: SECRET });
  const token = await give(face, { name: "carts", role: "admin", buckets: ["cart*"] });
  const more = JSON.stringify({ name: "all", role: "admin" });
  const refused = await face.send("POST", "/tokens", { ...bearer(token), body: more });
  t.match(await refused.json(), { code: "forbidden", detail: /'carts' is for some buckets alone, wanted is one for all/ });
  for (const bucket of ["cart", "stock"]) {
    t.equal((await face.send("PUT", `/buckets/${bucket}`, { ...bearer(ROOT), body: '{"n": 2}' })).status, 200);
  }
  const listed = async (as: string): Promise<string[]> => {
    const { buckets } = (await (await face.send("GET", "/buckets", bearer(as))).json()) as { buckets: { bucket: string }[] };
    return buckets.map(({ bucket }) => bucket);
  };
  t.same(await listed(ROOT), ["cart", "stock"]);
  t.same(await listed(token), ["cart"]);
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

t.test("acts that were refused at the gate are told as well; what is only read is not", async (t) => {
  const clock = new StoppedClock();
  const face = new Face({ secret: SECRET, clock });
  const token = await give(face, { name: "hasty", role: "admin", requestsPerSecond: 1 });
  face.told.length = 0;
  const reset = (init: RequestInit): Promise<Response> => face.send("DELETE", "/buckets/cart", init);
  t.equal((await reset({})).status, 401);
  t.equal((await reset(bearer("halo_0"))).status, 401);
  t.equal((await reset(bearer(token))).status, 204);
  t.equal((await reset(bearer(token))).status, 429);
  t.equal((await face.send("GET", "/tokens", bearer("halo_0"))).status, 401);
  const act = (who: string, status: number): string => `audit ${JSON.stringify({ who, method: "DELETE", path: "/buckets/cart", status })}`;
  t.same(face.told, [act("nobody", 401), act("nobody", 401), act("hasty", 204), act("hasty", 429)]);
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
  const routes = document.operations.filter(({ method }) => method === "POST");
  for (const site of ["cross-site", "same-site", "something-new"]) {
    for (const operation of routes) {
      const face = new Face();
      const response = await face.send("POST", targetOf(operation), initOf(operation, { "Sec-Fetch-Site": site }));
      t.equal(response.status, 403, `${site}: ${operation.path}`);
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
