/**
 * Every route in the OpenAPI document answers as the document says: a walk over the document that the node serves,
 * with valid and invalid requests to each operation. Whatever is answered is held against what is described, and
 * what is described and never came is a list at the end that must be the one below.
 */

import t from "tap";
import { rootToken } from "../../../server/membership/authorization.ts";
import type { Result } from "../../../server/coordination/store.ts";
import { Face, type FaceOptions } from "./face.ts";
import { initOf, targetOf, WalkedDocument, type WalkedOperation, WRONG_TEXTS } from "./openapi-walk.ts";

const SECRET = new TextEncoder().encode("correct horse battery staple");
const ROOT = rootToken(SECRET);
const AS_ROOT = { Authorization: `Bearer ${ROOT}` };

const document = new WalkedDocument((await (await new Face().send("GET", "/openapi.json")).json()) as Record<string, unknown>);
const operations = document.operations;

/** A face of which somebody with the root's token has stored the object and given the token of the examples. */
async function prepared(options: FaceOptions = {}, isTokenGiven = true): Promise<Face> {
  const face = new Face({ secret: SECRET, ...options });
  const headers = { ...AS_ROOT, "Content-Type": "text/plain", "Halo-Meta-Colour": "blue" };
  await face.send("PUT", "/kv/cart/user-17", { headers, body: "two books" });
  if (isTokenGiven) await give(face, { name: "shop", role: "write" });
  return face;
}

async function give(face: Face, token: object): Promise<string> {
  const headers = { ...AS_ROOT, "Content-Type": "application/json" };
  const response = await face.send("POST", "/tokens", { headers, body: JSON.stringify(token) });
  return ((await response.json()) as { token: string }).token;
}

type Wanted = { readonly code: string } | { readonly status: number } | "taken";

/** Sends one request and holds its answer against the document, and against what is wanted of it. */
async function ask(
  test: Pick<typeof t, "equal" | "ok" | "match">,
  face: Face,
  operation: WalkedOperation,
  wanted: Wanted,
  more: Readonly<Record<string, string>> = {},
  init: RequestInit = initOf(operation, AS_ROOT),
): Promise<Response> {
  const { id, method, codes } = operation;
  const target = targetOf(operation, more);
  const response = await face.send(method, target, init);
  const label = `${id}: ${method} ${target.slice(0, 100)}`;
  const kept = response.clone();
  test.equal(await document.check(operation, response), "", label);
  if (wanted === "taken") test.ok(kept.status < 400, `${label} is taken, got ${kept.status}`);
  else if ("status" in wanted) test.equal(kept.status, wanted.status, label);
  else {
    test.equal(kept.status, codes.get(wanted.code), `${label} is ${wanted.code}`);
    if (method !== "HEAD") test.match(await kept.clone().json(), { code: wanted.code, status: kept.status }, label);
  }
  return kept;
}

function has(operation: WalkedOperation, code: string): boolean {
  return operation.codes.has(code);
}

t.test("each takes the example that the document gives, and every parameter of it", async (t) => {
  for (const operation of operations) {
    await ask(t, await prepared({}, operation.id !== "giveToken"), operation, "taken");
    for (const { name, in: place, example, allows } of operation.parameters) {
      if (place !== "query" || example === null) continue;
      t.ok(allows(example), `${operation.id}: the example of ${name} is what its schema says`);
      // Of a listing's path this is of objects alone.
      const more = name === "pr" && operation.parameters.some((one) => one.name === "cursor") ? { key64: "dXNlci0xNw" } : {};
      await ask(t, await prepared(), operation, "taken", { ...more, [name]: encodeURIComponent(example) });
    }
    const { body } = operation;
    if (body?.allows) t.ok(body.allows(body.example), `${operation.id}: the example of the body is what its schema says`);
  }
});

t.test("a parameter that is none, twice, or not what its schema says is refused", async (t) => {
  for (const operation of operations) {
    const face = await prepared();
    await ask(t, face, operation, { code: "bad-parameter" }, { colour: "blue" });
    for (const { name, in: place, allows } of operation.parameters) {
      const wrong = WRONG_TEXTS.filter((text) => !allows(decodeURIComponent(text)));
      if (place === "query") {
        await ask(t, face, operation, { code: "bad-parameter" }, { [name]: `x&${name}=x` });
        const code = name === "key64" ? "bad-key" : "bad-parameter";
        for (const text of wrong) await ask(t, face, operation, { code }, { [name]: encodeURIComponent(decodeURIComponent(text)) });
      }
      if (place === "header" && has(operation, "bad-header")) {
        for (const text of wrong) {
          // A context is refused by the store, which knows its key; the library takes an empty one for none.
          if (name === "Halo-Context") continue;
          await ask(t, face, operation, { code: "bad-header" }, {}, initOf(operation, { ...AS_ROOT, [name]: text }));
        }
      }
    }
    if (has(operation, "bad-bucket")) {
      const wanted = { code: "bad-bucket" };
      for (const bucket of ["a%2Fb", "%zz", "b".repeat(256)]) await ask(t, face, operation, wanted, { bucket });
    }
    if (operation.path.includes("{key}")) {
      await ask(t, face, operation, { code: "bad-key" }, { key: "%zz" });
      await ask(t, face, operation, { code: "key-too-long" }, { key: "k".repeat(4097) });
    }
    if (operation.parameters.some(({ name }) => name === "key64")) {
      await ask(t, face, operation, { code: "key-too-long" }, { key64: "a".repeat(5464) });
    }
    if (operation.id === "removeToken") await ask(t, face, operation, { code: "bad-parameter" }, { name: "%zz" });
  }
});

t.test("the bounds that a schema gives are the bounds: the last value on each side", async (t) => {
  const face = await prepared();
  const get = document.operation("getObject");
  const list = document.operation("listKeys");
  for (const [operation, name, taken, refused] of [
    [get, "r", ["1", "9999"], ["0", "10000"]],
    [get, "pr", ["0", "9999"], ["-1", "10000"]],
    [get, "timeout", ["1", "60000"], ["0", "60001"]],
    [list, "limit", ["1", "10000"], ["0", "10001"]],
  ] as const) {
    const parameter = operation.parameters.find((one) => one.name === name);
    for (const value of taken) {
      t.ok(parameter?.allows(value), `${name}=${value} is described`);
      await ask(t, face, operation, "taken", { [name]: value });
    }
    for (const value of refused) {
      t.notOk(parameter?.allows(value), `${name}=${value} is not described`);
      await ask(t, face, operation, { code: "bad-parameter" }, { [name]: value });
    }
  }
});

/** Bodies that are wrong by a schema: of no object, with a field too many, one too few, one of another kind. */
function wrongBodies(example: Record<string, unknown>): unknown[] {
  const names = Object.keys(example);
  return [
    ...[null, [], 7, "text"],
    { ...example, colour: "blue" },
    ...names.map((name) => ({ ...example, [name]: { other: [] } })),
    ...names.map((name) => ({ ...example, [name]: null })),
    ...names.map((name) => Object.fromEntries(Object.entries(example).filter(([other]) => other !== name))),
  ];
}

t.test("a body of JSON that is not what its schema says is refused, and what is so is not", async (t) => {
  for (const operation of operations) {
    const { body } = operation;
    if (body?.type !== "application/json" || body.allows === null) continue;
    for (const wrong of wrongBodies(body.example as Record<string, unknown>)) {
      const face = await prepared({}, operation.id !== "giveToken");
      const orders = face.cluster.orders.length;
      const init = { ...initOf(operation, AS_ROOT), body: JSON.stringify(wrong) };
      const headers = { ...init.headers, "Content-Length": String(init.body.length) };
      const isAllowed = body.allows(wrong);
      await ask(t, face, operation, isAllowed ? "taken" : { code: "bad-parameter" }, {}, { ...init, headers });
      if (!isAllowed) t.equal(face.cluster.orders.length, orders, `${operation.id}: nothing was ordered by ${init.body}`);
    }
    const face = await prepared();
    const length = { "Content-Length": "1" };
    await ask(t, face, operation, { code: "bad-parameter" }, {}, { headers: { ...AS_ROOT, "Content-Type": "application/json", ...length }, body: "{" });
  }
});

const GET = { op: "get", bucket: "b", key: "k" };
const PUT = { op: "put", bucket: "b", key: "k", value: "eA==" };
const TOKEN = { name: "t", role: "read" };
/** Bodies that a rule beyond kinds and bounds decides about, and whether they are good. */
const RULED: readonly [id: string, isGood: boolean, body: object][] = [
  ["repair", true, {}],
  ["repair", false, { bucket: "b", partition: 1 }],
  ["batch", true, { operations: [GET, PUT, { ...GET, key: undefined, key64: "aw" }] }],
  ["batch", false, { operations: [{ ...GET, key64: "aw" }] }],
  ["batch", false, { operations: [{ op: "get", bucket: "b" }] }],
  ["batch", false, { operations: [{ ...GET, value: "eA==" }] }],
  ["batch", false, { operations: [{ ...PUT, value: undefined }] }],
  ["batch", true, { operations: [{ ...PUT, meta: { constructor: "x", "a-b": "ü" } }] }],
  ["batch", false, { operations: [{ ...PUT, meta: { "a b": "x" } }] }],
  ["batch", false, { operations: [{ ...PUT, meta: { constructor: 1 } }] }],
  ["batch", false, { operations: [] }],
  ["batch", true, { operations: Array.from({ length: 100 }, () => GET) }],
  ["batch", false, { operations: Array.from({ length: 101 }, () => GET) }],
  ["stageChanges", true, { changes: [{ change: "leave", node: "n" }, { change: "change", node: "m", zone: "" }] }],
  ["stageChanges", false, { changes: [{ change: "leave", node: "n", by: "m" }] }],
  ["stageChanges", false, { changes: [{ change: "replace", node: "n" }] }],
  ["stageChanges", false, { changes: [] }],
  ["commitChanges", true, { version: 1, plan: "", force: true }],
  ["commitChanges", false, { version: 1, force: 1 }],
  ["commitChanges", false, { version: 0 }],
  ["commitChanges", false, { version: 1, plan: "00C0FFEE" }],
  ["pauseWork", false, { kind: "sleep" }],
  ["setBucket", true, { n: 1, r: 1, w: "one", dw: 0, preset: "merge", ttlSeconds: 1 }],
  ["setBucket", false, { n: 9 }],
  ["setBucket", false, { w: 0 }],
  ["setBucket", false, { ttlSeconds: 0 }],
  ["giveToken", true, { ...TOKEN, buckets: Array.from({ length: 64 }, () => "b"), requestsPerSecond: 1_000_000 }],
  ["giveToken", false, { ...TOKEN, buckets: Array.from({ length: 65 }, () => "b") }],
  ["giveToken", false, { ...TOKEN, buckets: [] }],
  ["giveToken", false, { ...TOKEN, name: "a b" }],
  ["giveToken", false, { ...TOKEN, requestsPerSecond: 1_000_001 }],
  ["giveToken", false, { ...TOKEN, expiresSeconds: -1 }],
];

t.test("what goes together in a body the schema says as well as the node", async (t) => {
  for (const [id, isGood, body] of RULED) {
    const operation = document.operation(id);
    const text = JSON.stringify(body);
    t.equal(operation.body?.allows?.(JSON.parse(text)), isGood, `${id}: by its schema ${text.slice(0, 100)}`);
    const init = { headers: { ...AS_ROOT, "Content-Type": "application/json" }, body: text };
    await ask(t, await prepared(), operation, isGood ? "taken" : { code: "bad-parameter" }, {}, init);
  }
});

t.test("bodies: of another type, without a length, too large, broken off", async (t) => {
  for (const operation of operations) {
    const { body } = operation;
    if (body === null) continue;
    const face = await prepared();
    const headers = { ...AS_ROOT, "Content-Type": body.type === "*/*" ? "text/plain" : body.type };
    if (body.type === "application/json") {
      const typed = initOf(operation, { ...AS_ROOT, "Content-Type": "text/csv" });
      await ask(t, face, operation, { code: "unsupported-media-type" }, {}, typed);
    }
    if (has(operation, "length-required")) await ask(t, face, operation, { code: "length-required" }, {}, { headers });
    const large = { headers: { ...headers, "Content-Length": "99999999999" }, body: "x" };
    await ask(t, face, operation, { code: "value-too-large" }, {}, large);
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error("connection reset")) });
    const init = { headers, body: broken, duplex: "half" } as RequestInit;
    await ask(t, face, operation, { code: "slow-request" }, {}, init);
  }
});

t.test("a method that a path does not have is 405 with those that it has", async (t) => {
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const methods = operations.filter((operation) => operation.path === path).map(({ method }) => method);
    const target = targetOf(operations.find((operation) => operation.path === path) as WalkedOperation);
    for (const method of ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]) {
      if (methods.includes(method)) continue;
      const response = await (await prepared()).send(method, target, { headers: AS_ROOT });
      t.equal(response.status, 405, `${method} ${target}`);
      t.same((response.headers.get("allow") ?? "").split(", ").sort(), [...methods].sort(), `${path}: ${method}`);
      t.match(await response.json(), { code: "method", outcome: "refused" });
    }
  }
});

const LADDER = ["read", "write", "admin"];

t.test("each needs the role that the document says, and those without ask nobody", async (t) => {
  for (const operation of operations) {
    const { role } = operation;
    const face = await prepared({}, operation.id !== "giveToken");
    if (role === null) {
      await ask(t, face, operation, "taken", {}, initOf(operation));
      continue;
    }
    await ask(t, face, operation, { code: "unauthenticated" }, {}, initOf(operation));
    await ask(t, face, operation, { code: "unauthenticated" }, {}, initOf(operation, { Authorization: "Bearer halo_0" }));
    for (const [rung, given] of LADDER.entries()) {
      const token = await give(face, { name: given, role: given });
      const init = initOf(operation, { Authorization: `Bearer ${token}` });
      await ask(t, face, operation, rung < LADDER.indexOf(role) ? { code: "forbidden" } : "taken", {}, init);
      if (operation.id === "removeToken") await give(face, { name: "shop", role: "read" });
      if (operation.id === "giveToken" && rung === 2) t.equal(face.authorization?.tokens.list().length, 4);
    }
    const slow = await give(face, { name: "slow", role: "admin", requestsPerSecond: 1 });
    const init = initOf(operation, { Authorization: `Bearer ${slow}` });
    for (let count = 0; count < 2; count++) await face.send("GET", "/cluster", init.headers === undefined ? {} : { headers: init.headers });
    await ask(t, face, operation, { code: "rate-limited" }, {}, init);
  }
});

t.test("under another host's name, before the node is a member, and where it fails", async (t) => {
  for (const operation of operations) {
    const elsewhere = await prepared({ ownHost: "10.0.0.1" });
    const url = `http://evil.example${targetOf(operation)}`;
    const response = await elsewhere.sendRaw(operation.method, url);
    t.equal(await document.check(operation, response.clone()), "", operation.id);
    t.equal(response.status, 403, operation.id);

    const outside = await prepared();
    outside.isMember = false;
    outside.ready.read = false;
    outside.ready.write = false;
    const isOfStore = operation.path.startsWith("/kv/");
    if (has(operation, "not-ready") && !isOfStore) await ask(t, outside, operation, { code: "not-ready" });

    const broken = await prepared();
    broken.fail(new Error("a bug"));
    if (has(operation, "internal")) await ask(t, broken, operation, { code: "internal" });
  }
});

/** How the store can end any request, a read, and a write. */
const ENDS = ["overloaded", "quorum-unreachable", "absence-unknown", "not-ready", "read-timeout"];
const ENDS_OF_WRITES = [
  ...["bad-context", "precondition-failed", "stale-request", "clock-skew", "too-many-siblings"],
  ...["write-unknown", "disk-full", "hints-full", "memory-full", "files-full"],
];

t.test("however the store ends a request on an object, it is described", async (t) => {
  for (const operation of operations.filter(({ path }) => path.startsWith("/kv/"))) {
    const isRead = operation.role === "read";
    for (const code of isRead ? ENDS : [...ENDS, ...ENDS_OF_WRITES]) {
      const face = await prepared();
      const outcome = code === "write-unknown" ? "unknown" : "refused";
      face.store.nextResult = { code: code as Result["code"], outcome, detail: "Why it is so." };
      await ask(t, face, operation, { code });
    }
  }
});

t.test("one value, none, several in each form, a part, and what is held already", async (t) => {
  for (const id of ["getObject", "headGetObject", "listKeys", "headListKeys"]) {
    const operation = document.operation(id);
    const byKey: Record<string, string> = id.endsWith("istKeys") ? { key64: "dXNlci0xNw" } : {};
    const asked = (face: Face, wanted: Wanted, headers: Record<string, string> = {}) =>
      ask(t, face, operation, wanted, byKey, { headers: { ...AS_ROOT, ...headers } });
    const face = await prepared();
    const found = await asked(face, { status: 200 });
    const etag = found.headers.get("etag") ?? "";
    await asked(face, { status: 304 }, { "If-None-Match": etag });
    await asked(face, { code: "precondition-failed" }, { "If-Match": '"0123456789abcdef"' });
    if (operation.method === "GET") {
      await asked(face, { status: 206 }, { Range: "bytes=0-2" });
      await asked(face, { code: "bad-range" }, { Range: "bytes=99-" });
    }
    await face.send("PUT", "/kv/cart/user-17", { headers: AS_ROOT, body: "a lamp" });
    for (const form of ["multipart/mixed", "application/json", "application/cbor"]) {
      const several = await asked(face, { status: 300 }, { Accept: form });
      t.match(several.headers.get("content-type"), form);
    }
    const empty = new Face({ secret: SECRET });
    await asked(empty, { code: "not-found" });
  }
});

t.test("writes: with what is stored now, beside another, over an ETag, by nobody twice", async (t) => {
  for (const id of ["putObject", "putByKey64", "createObject"]) {
    const operation = document.operation(id);
    await ask(t, new Face({ secret: SECRET }), operation, { status: id === "createObject" ? 201 : 200 }, { returnbody: "true" });
    if (id === "createObject") continue;
    const face = await prepared();
    for (const form of ["multipart/mixed", "application/json", "application/cbor"]) {
      await ask(t, face, operation, { status: 300 }, { returnbody: "true" }, initOf(operation, { ...AS_ROOT, Accept: form }));
    }
    await ask(t, face, operation, { code: "precondition-failed" }, {}, initOf(operation, { ...AS_ROOT, "If-None-Match": "*" }));
    await ask(t, face, operation, { code: "bad-context" }, {}, initOf(operation, { ...AS_ROOT, "Halo-Context": "none of ours" }));
  }
  const remove = document.operation("removeToken");
  await ask(t, await prepared(), remove, { code: "not-found" }, { name: "nobody" });
});

t.test("what administrators cannot have is described", async (t) => {
  const commit = document.operation("commitChanges");
  for (const [status, code] of [["stale", "stale-layout"], ["minority", "minority"], ["refused", "bad-parameter"], ["unable", "not-ready"]] as const) {
    const face = await prepared();
    face.cluster.committed = { status, sentence: "Why it is so" };
    await ask(t, face, commit, { code });
  }
  for (const id of ["stageChanges", "revertChanges", "joinNode", "leaveNode", "removeNode", "replaceNode"]) {
    const face = await prepared();
    face.cluster.staging = { status: "refused", sentence: "Why it is so" };
    await ask(t, face, document.operation(id), { code: "bad-parameter" });
    face.cluster.staging = { status: "unable", sentence: "Why it is so" };
    await ask(t, face, document.operation(id), { code: "not-ready" });
  }
  for (const id of ["setBucket", "resetBucket", "giveToken", "removeToken"]) {
    const face = await prepared({}, id !== "giveToken");
    await face.send("PUT", "/buckets/cart", { headers: { ...AS_ROOT, "Content-Type": "application/json" }, body: "{}" });
    face.isDiskFine = false;
    await ask(t, face, document.operation(id), id === "giveToken" ? { code: "bad-parameter" } : { code: "not-ready" });
  }
});

t.test("nothing is described that has not been seen, but for what is tested elsewhere", (t) => {
  const elsewhere: readonly [RegExp, string][] = [
    [/^\w+ overloaded$/, "limits.test.ts: all bodies together"],
    [/^restoreStates (disk|memory|files)-full$/, "restore.test.ts: a node that cannot write"],
    [/^restoreStates quorum-unreachable$/, "restore.test.ts"],
  ];
  const never = document.unseen.filter((one) => !elsewhere.some(([pattern]) => pattern.test(one)));
  for (const one of document.unseen) t.comment(one);
  t.same(never, []);
  t.end();
});
