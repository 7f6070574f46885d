/**
 * A node's HTTP face: one function from a Request to a Response.
 *
 *   /kv/…  by hand, before the router: the hot road    server/http/objects
 *   rest   the Hono router      buckets, explain, cluster, tokens, probes, statistics, this interface's description
 *
 * Which routes there are, what each needs (gate.ts), and which parameters and content types it takes, the table of
 * operations says (operations.ts), as it does in the OpenAPI document. What a web page of another origin POSTs, or asks
 * under a name of its own (host.ts), is refused before anything else is looked at.
 *
 * It knows the node by the interface HttpNode alone and has no state but the bodies on their way
 * in. The router matches the raw path; bucket and key are read from the raw URL, since they are
 * bytes.
 */

import { Hono } from "hono";
import type { Explanation } from "../coordination/store.ts";
import type { Principal } from "../membership/authorization.ts";
import type { HttpHandler } from "../ports/http-server.ts";
import { BatchRoute } from "./batch.ts";
import { BucketRoutes, json } from "./buckets.ts";
import { Compressions } from "./compression.ts";
import { ClusterRoutes } from "./cluster.ts";
import { Gate, permit, refuseForeignPage } from "./gate.ts";
import { HostCheck } from "./host.ts";
import type { HttpNode } from "./http-node.ts";
import { type ObjectOptions, ObjectRoutes } from "./objects.ts";
import { openApiDocument } from "./openapi.ts";
import { openApiPage, PAGE_HEADERS } from "./openapi-page.ts";
import { type Need, type Operation, queryNames } from "./operation.ts";
import { byPath, type OperationId, OPERATIONS } from "./operations.ts";
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
  const router = createRouter(node, gate, createHandlers(node, objects, compressions, options));
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

/** What answers an operation, once its method, its parameters' names and its body's type are known to be right. */
type Handlers = Readonly<Record<Exclude<OperationId, ObjectRoute>, Handler>>;
type Handler = (request: Request, principal: Principal | null) => Response | Promise<Response>;
/** Operations of the object routes, which are matched before the router. */
type ObjectRoute = "getObject" | "putObject" | "deleteObject" | "listKeys" | "putByKey64" | "deleteByKey64" | "createObject";

/** An operation of a route, and what answers it. */
interface Route {
  readonly operation: Operation;
  readonly handler: Handler;
}

function createRouter(node: HttpNode, gate: Gate, handlers: Handlers): Hono {
  const router = new Hono({ getPath: (request) => pathOf(request.url) });
  for (const [pattern, routes] of routesOf(handlers)) {
    router.all(pattern, (context) => behindGate(node, gate, context.req.raw, routes));
  }
  router.notFound((context) => noRoute(context.req.path));
  router.onError((error) => problemOf(error));
  return router;
}

/** Routes by pattern: what begins with a parameter is one pattern with all that follows, since names are bytes. */
function routesOf(handlers: Handlers): Map<string, Route[]> {
  const patterns = new Map<string, Route[]>();
  for (const operation of OPERATIONS) {
    const handler = Object.hasOwn(handlers, operation.id) ? handlers[operation.id as keyof Handlers] : null;
    if (handler === null) continue;
    const pattern = operation.path.replace(/\{.*$/, "*");
    patterns.set(pattern, [...(patterns.get(pattern) ?? []), { operation, handler }]);
  }
  return patterns;
}

function createHandlers(
  node: HttpNode,
  objects: ObjectRoutes,
  compressions: Compressions,
  options: ObjectOptions,
): Handlers {
  const { clock, random, valueBytesMax, statistics } = options;
  const buckets = new BucketRoutes(node, clock);
  const batch = new BatchRoute(objects, clock, options.bodyBytesMax);
  const cluster = new ClusterRoutes(node, clock);
  const restore = new RestoreRoute(node, clock, valueBytesMax);
  const tokens = new TokenRoutes(node, clock, random);
  return {
    batch: (request) => batch.take(request),
    explain: (request, principal) => explain(node, request, principal),
    explainByKey64: (request, principal) => explain(node, request, principal),
    listBuckets: (_request, principal) => buckets.list(principal),
    getBucket: (request, principal) => buckets.get(request.url, behind(request, BUCKETS), principal),
    setBucket: (request, principal) => buckets.set(request, behind(request, BUCKETS), principal),
    resetBucket: (request, principal) => buckets.reset(request.url, behind(request, BUCKETS), principal),
    getCluster: () => json(node.clusterReport()),
    getLayout: () => cluster.layout(),
    getPlan: () => cluster.plan(),
    stageChanges: (request) => cluster.stage(request),
    revertChanges: (request) => cluster.revert(request),
    commitChanges: (request) => cluster.commit(request),
    joinNode: (request) => cluster.order(request, "join"),
    leaveNode: (request) => cluster.order(request, "leave"),
    removeNode: (request) => cluster.order(request, "remove"),
    replaceNode: (request) => cluster.order(request, "replace"),
    getRepairs: () => cluster.repairs(),
    repair: (request) => cluster.repair(request),
    // One report has both; each route is named after what is looked for.
    getTransfers: () => cluster.work(),
    getBackground: () => cluster.work(),
    pauseWork: (request) => cluster.pause(request, true),
    resumeWork: (request) => cluster.pause(request, false),
    restoreStates: (request) => restore.take(request),
    listTokens: () => tokens.list(),
    giveToken: (request) => tokens.give(request),
    removeToken: (request) => tokens.takeBack(nameBehind(request, TOKENS)),
    getStatistics: () => json({ ...node.statistics(), ...statistics?.(), compressing: compressions.running }),
    isAlive: () => new Response("ok\n", { headers: { "Content-Type": "text/plain; charset=utf-8" } }),
    isReady: (request) => readiness(node, request),
    getOpenApi: () => json(openApiDocument()),
    getDocs: () => new Response(openApiPage(openApiDocument()), { headers: PAGE_HEADERS }),
  };
}

/** A method that the route does not have needs what the most powerful of them would. */
const ALL: Need = { role: "admin", of: "cluster" };

async function behindGate(node: HttpNode, gate: Gate, request: Request, routes: readonly Route[]): Promise<Response> {
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = routes.find(({ operation }) => operation.method === method);
  const { need } = route?.operation ?? { need: routes[0].operation.need?.of === "cluster" ? ALL : routes[0].operation.need };
  let principal: Principal | null = null;
  let response: Response;
  try {
    principal = need === null ? null : gate.identify(request);
    if (principal !== null) gate.takeTurn(principal);
    // What is of a bucket looks by itself: only then is it known which.
    if (need?.of === "cluster") permit(principal, need.role, null);
    response = await answer(node, request, principal, route, routes);
  } catch (refusal) {
    response = problemOf(refusal);
  }
  const isAct = need?.role === "admin" && method !== "GET";
  if (isAct) gate.audit(principal, request, response.status);
  return response;
}

/** @throws Refusal where the request is none of the route's, whatever is in its body */
function answer(
  node: HttpNode,
  request: Request,
  principal: Principal | null,
  route: Route | undefined,
  routes: readonly Route[],
): Response | Promise<Response> {
  if (route === undefined) throw methodRefusal(request.method, allowed(routes));
  const { operation, handler } = route;
  if (operation.isOfMember && node.clusterReport().layout.version === 0) {
    throw new Refusal("not-ready", "This node is not a member of a cluster yet.");
  }
  const alike = routes.filter((other) => other.operation.method === operation.method);
  readQuery(queryOf(request.url), alike.flatMap((other) => queryNames(other.operation)));
  if (operation.body?.type === "application/json") checkIsJson(request.headers.get("content-type"));
  return handler(request, principal);
}

function allowed(routes: readonly Route[]): string {
  const methods = new Set(routes.map(({ operation }) => operation.method));
  return [...methods].join(", ").replace("GET", "GET, HEAD");
}

/** An absent content type is taken as JSON: nothing else is ever meant there. */
function checkIsJson(contentType: string | null): void {
  if (contentType === null || /^application\/json\s*(;|$)/i.test(contentType)) return;
  throw new Refusal("unsupported-media-type", `The Content-Type is ${contentType}, want application/json.`);
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

function explain(node: HttpNode, request: Request, principal: Principal | null): Promise<Response> {
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
  const routes = [...byPath(OPERATIONS).keys()].join(", ");
  return problem("not-found", `There is no route ${path}, want one of ${routes}.`, "refused");
}
