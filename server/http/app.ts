/**
 * A node's HTTP face: one function from a Request to a Response.
 *
 *   /kv/…  by hand, before the router: the hot road    server/http/objects
 *   rest   the Hono router      buckets, explain, cluster, tokens, probes, statistics
 *
 * Every route but the probes is behind the gate (gate.ts): reading needs the role read, changing admin. What a web
 * page of another origin POSTs, or asks under a name of its own (host.ts), is refused before anything else is
 * looked at.
 *
 * It knows the node by the interface HttpNode alone and has no state but the bodies on their way
 * in. The router matches the raw path; bucket and key are read from the raw URL, since they are
 * bytes.
 */

import { Hono } from "hono";
import type { Explanation } from "../coordination/store.ts";
import type { HttpHandler } from "../ports/http-server.ts";
import type { Order } from "../membership/administration.ts";
import type { TokenRole } from "../membership/tokens.ts";
import { BatchRoute } from "./batch.ts";
import { BucketRoutes, json } from "./buckets.ts";
import { Compressions } from "./compression.ts";
import { ClusterRoutes } from "./cluster.ts";
import { Gate, permit, refuseForeignPage } from "./gate.ts";
import { HostCheck } from "./host.ts";
import type { HttpNode } from "./http-node.ts";
import { type ObjectOptions, ObjectRoutes } from "./objects.ts";
import { readQuery, timeoutOf } from "./parameters.ts";
import { methodRefusal, problem, problemOf, Refusal } from "./problem.ts";
import { RestoreRoute } from "./restore.ts";
import { encodePath, excerpt, nameFromKey64, pathOf, pathStart, queryOf, readTarget } from "./target.ts";
import { TokenRoutes } from "./tokens.ts";

export type { HttpNode } from "./http-node.ts";

const OBJECTS = "/kv/";
const BUCKETS = "/buckets/";
const EXPLAIN = "/explain/";
const TOKENS = "/tokens/";

/** Puts the face together. The handler never throws and never rejects. */
export function createApp(node: HttpNode, options: ObjectOptions): HttpHandler {
  const gate = new Gate(node, options.log ?? null);
  const compressions = new Compressions();
  const hosts = new HostCheck(options.ownHost ?? null);
  const objects = new ObjectRoutes(node, gate, compressions, options);
  const router = createRouter(node, gate, objects, compressions, options);
  return (request) => {
    const url = request.url;
    const start = pathStart(url);
    const refusal = hosts.refuse(request, start) ?? (request.method === "POST" ? refuseForeignPage(request) : null);
    if (refusal !== null) return refusal;
    if (start >= 0 && url.startsWith(OBJECTS, start)) {
      return objects.handle(request, start + OBJECTS.length);
    }
    if (request.method === "HEAD") return headOf(router, compressions, request);
    const response = router.fetch(request);
    if (!request.headers.has("accept-encoding")) return response;
    return Promise.resolve(response).then((whole) => compressions.encodeWhole(request, whole));
  };
}

/** What a GET would be answered, without the body. The router's own HEAD would lose its length with it. */
async function headOf(router: Hono, compressions: Compressions, request: Request): Promise<Response> {
  const whole = await router.fetch(new Request(request.url, { headers: request.headers }));
  return compressions.encodeWhole(request, whole);
}

type Handlers = Readonly<Record<string, HttpHandler>>;

function createRouter(
  node: HttpNode,
  gate: Gate,
  objects: ObjectRoutes,
  compressions: Compressions,
  options: ObjectOptions,
): Hono {
  const { clock, random, valueBytesMax, statistics } = options;
  const router = new Hono({ getPath: (request) => pathOf(request.url) });
  const buckets = new BucketRoutes(node, clock);
  const route = (path: string, handlers: Handlers): void => {
    router.all(path, (context) => behindGate(gate, context.req.raw, handlers));
  };
  const open = (path: string, handlers: Handlers): void => {
    router.all(path, (context) => dispatch(context.req.raw, handlers));
  };
  const member = (handler: HttpHandler): HttpHandler => ofMember(node, handler);
  route("/buckets", { GET: member(plain(() => buckets.list())) });
  route("/buckets/*", {
    GET: member(plain((request) => buckets.get(request.url, behind(request, BUCKETS)))),
    PUT: member(plain((request) => buckets.set(request, behind(request, BUCKETS)))),
    DELETE: member(plain((request) => buckets.reset(request.url, behind(request, BUCKETS)))),
  });
  const batch = new BatchRoute(objects, gate, clock, options.bodyBytesMax);
  open("/batch", { POST: member(plain((request) => batch.take(request))) });
  open("/explain/*", { GET: member((request) => explain(node, gate, request)) });
  route("/cluster", { GET: plain(() => json(node.clusterReport())) });
  const cluster = new ClusterRoutes(node, clock);
  const order = (change: Order["change"]): Handlers => ({
    POST: member(plain((request) => cluster.order(request, change))),
  });
  route("/cluster/layout", { GET: member(plain(() => cluster.layout())) });
  route("/cluster/plan", { GET: member(plain(() => cluster.plan())) });
  route("/cluster/stage", { POST: member(plain((request) => cluster.stage(request))) });
  route("/cluster/revert", { POST: member(plain((request) => cluster.revert(request))) });
  route("/cluster/commit", { POST: member(plain((request) => cluster.commit(request))) });
  route("/cluster/join", order("join"));
  route("/cluster/leave", order("leave"));
  route("/cluster/remove", order("remove"));
  route("/cluster/replace", order("replace"));
  route("/cluster/repair", {
    GET: member(plain(() => cluster.repairs())),
    POST: member(plain((request) => cluster.repair(request))),
  });
  // One report has both; each route is named after what is looked for.
  route("/cluster/transfers", { GET: member(plain(() => cluster.work())) });
  route("/cluster/background", { GET: member(plain(() => cluster.work())) });
  route("/cluster/pause", { POST: member(plain((request) => cluster.pause(request, true))) });
  route("/cluster/resume", { POST: member(plain((request) => cluster.pause(request, false))) });
  const restore = new RestoreRoute(node, clock, valueBytesMax);
  route("/cluster/restore", { POST: member(plain((request) => restore.take(request))) });
  const tokens = new TokenRoutes(node, clock, random);
  route("/tokens", {
    GET: member(plain(() => tokens.list())),
    POST: member(plain((request) => tokens.give(request))),
  });
  route("/tokens/*", { DELETE: member(plain((request) => tokens.takeBack(nameBehind(request, TOKENS)))) });
  route("/stats", { GET: plain(() => json({ ...node.statistics(), ...statistics?.(), compressing: compressions.running })) });
  open("/healthz", { GET: plain(() => new Response("ok\n")) });
  open("/readyz", { GET: (request) => readiness(node, request) });
  router.notFound((context) => noRoute(context.req.path));
  router.onError((error) => problemOf(error));
  return router;
}

/** What is read needs the role read, the list of tokens and all that changes something the role admin. */
function needOf(request: Request): TokenRole {
  const isRead = request.method === "GET" || request.method === "HEAD";
  return isRead && !pathOf(request.url).startsWith("/tokens") ? "read" : "admin";
}

async function behindGate(gate: Gate, request: Request, handlers: Handlers): Promise<Response> {
  const need = needOf(request);
  const principal = gate.enter(request);
  const isAudited = need === "admin" && request.method !== "GET" && request.method !== "HEAD";
  let response: Response;
  try {
    permit(principal, need, null);
    response = await dispatch(request, handlers);
  } catch (refusal) {
    response = problemOf(refusal);
  }
  if (isAudited) gate.audit(principal, request, response.status);
  return response;
}

function dispatch(request: Request, handlers: Handlers): Response | Promise<Response> {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
  if (handler !== undefined) return handler(request);
  const allowed = Object.keys(handlers).join(", ").replace("GET", "GET, HEAD");
  throw methodRefusal(request.method, allowed);
}

/** A handler of a route that takes no query parameter. */
function plain(handler: HttpHandler): HttpHandler {
  return (request) => {
    readQuery(queryOf(request.url), []);
    return handler(request);
  };
}

/** A handler of a route that needs to know the ring: 503 before the node is a member. */
function ofMember(node: HttpNode, handler: HttpHandler): HttpHandler {
  return (request) => {
    if (node.clusterReport().layout.version > 0) return handler(request);
    throw new Refusal("not-ready", "This node is not a member of a cluster yet.");
  };
}

function behind(request: Request, prefix: string): number {
  return pathStart(request.url) + prefix.length;
}

/** The rest of the path as text. @throws Refusal bad-parameter */
function nameBehind(request: Request, prefix: string): string {
  const rest = pathOf(request.url).slice(prefix.length);
  try {
    return decodeURIComponent(rest);
  } catch {
    throw new Refusal("bad-parameter", `The name is '${excerpt(rest)}', want % followed by two hexadecimal digits.`);
  }
}

function explain(node: HttpNode, gate: Gate, request: Request): Promise<Response> {
  const principal = gate.enter(request);
  const target = readTarget(request.url, behind(request, EXPLAIN));
  const given = readQuery(target.query, ["timeout", "key64"]);
  const key64 = given.get("key64");
  if ((key64 === undefined) === (target.bucket !== null)) {
    const wanted = "/explain/{bucket}/{key} or /explain/{bucket}?key64=";
    throw new Refusal("bad-key", `The path and key64 give no key or two, want ${wanted}.`);
  }
  const name = target.name ?? nameFromKey64(target.bucket ?? new Uint8Array(0), key64 ?? "");
  const timeoutMs = timeoutOf(given);
  permit(principal, "read", name.bytes, name.bucketLength);
  return new Promise((resolve) => {
    node.store.explain(name, timeoutMs, (explanation: Explanation) => {
      const bucket = encodePath(name.bytes.subarray(0, name.bucketLength));
      const key = encodePath(name.bytes.subarray(name.bucketLength + 1));
      resolve(json({ bucket, key, ...explanation }));
    });
  });
}

function readiness(node: HttpNode, request: Request): Response {
  const purpose = readQuery(queryOf(request.url), ["for"]).get("for") ?? "read";
  if (purpose !== "read" && purpose !== "write") {
    throw new Refusal("bad-parameter", `for is '${purpose}', want read or write.`);
  }
  const { ready, detail } = node.readiness(purpose === "write");
  return ready ? json({ ready, detail }) : problem("not-ready", detail, "refused");
}

function noRoute(path: string): Response {
  const routes = "/kv/, /batch, /buckets, /explain/, /cluster, /cluster/layout, /cluster/plan, " +
    "/cluster/{stage, commit, revert, join, leave, remove, replace, repair, " +
    "transfers, background, pause, resume, restore}, " +
    "/tokens, /stats, /healthz, /readyz";
  return problem("not-found", `There is no route ${path}, want ${routes}.`, "refused");
}
