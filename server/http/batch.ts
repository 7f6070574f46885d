/**
 * POST /batch: up to a hundred gets, puts and deletes in one request, a result each, in the same order.
 *
 *   {"operations": [{"op": "put", "bucket": "cart", "key": "user-17", "value": "<base64>", "w": "all"}, …]}
 *   {"results":    [{"status": 204, "context": "…"}, {"status": 404, "code": "not-found", …}, …]}
 *
 * Every operation is the request that it stands for, and is answered as that one would be (objects.ts): the same
 * parameters under the same names, the same limits, permissions and refusals. They go on side by side, but for
 * those of one object, which keep their order. It is no transaction: some may be done and others not.
 * A batch that is malformed anywhere is refused whole, before anything is done.
 */

import type { Clock } from "../ports/clock.ts";
import { json } from "./buckets.ts";
import { decodeBase64, encodeBase64 } from "./bytes.ts";
import type { Gate } from "./gate.ts";
import type { ObjectRoutes } from "./objects.ts";
import { problemOf, Refusal } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";
import { decodeHeaderText, encodeHeaderText, META_PREFIX } from "./request-headers.ts";

export const OPERATIONS_MAX = 100;
/** Bytes of the JSON of a batch, and of the values in its results. */
export const BATCH_BYTES_MAX = 16 << 20;

const METHODS: Readonly<Record<string, string>> = { get: "GET", put: "PUT", delete: "DELETE" };
/** Fields that are query parameters of the same name, and those that are headers. */
const PARAMETERS = ["r", "w", "dw", "pr", "pw", "timeout", "returnbody"];
const HEADERS: Readonly<Record<string, string>> = {
  context: "Halo-Context",
  contentType: "Content-Type",
  contentEncoding: "Content-Encoding",
  ttl: "Halo-TTL",
  requestId: "Halo-Request-Id",
  ifMatch: "If-Match",
  ifNoneMatch: "If-None-Match",
};
const OTHERS = ["op", "bucket", "key", "key64", "value", "meta"];
const FIELDS = [...OTHERS, ...PARAMETERS, ...Object.keys(HEADERS)];
const META_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

/** One operation as the request that it stands for. */
interface Operation {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

export class BatchRoute {
  readonly #objects: ObjectRoutes;
  readonly #gate: Gate;
  readonly #bodies: RequestBodies;

  constructor(objects: ObjectRoutes, gate: Gate, clock: Clock, bytesMax: number) {
    this.#objects = objects;
    this.#gate = gate;
    this.#bodies = new RequestBodies(clock, "JSON of a batch", bytesMax);
  }

  /** @throws Refusal where the token is none: nothing is read for nobody */
  take(request: Request): Promise<Response> {
    this.#gate.enter(request);
    return new Promise((resolve) => {
      this.#bodies.read(request, BATCH_BYTES_MAX, (bytes, refusal, body) => {
        const settle = (response: Response): void => {
          body.release();
          resolve(response);
        };
        if (bytes === null) return settle(problemOf(refusal));
        this.#answer(request, bytes).then(settle, (thrown: unknown) => settle(problemOf(thrown)));
      });
    });
  }

  /** @throws Refusal: the batch is malformed, and nothing was done */
  async #answer(request: Request, bytes: Uint8Array): Promise<Response> {
    const operations = readOperations(bytes);
    const authorization = request.headers.get("authorization");
    /** The last operation of each object so far. */
    const last = new Map<string, Promise<unknown>>();
    const room = { bytes: BATCH_BYTES_MAX };
    const results = operations.map((operation) => {
      const before = last.get(operation.target) ?? Promise.resolve();
      const result = before.then(() => this.#run(operation, authorization, room));
      last.set(operation.target, result);
      return result;
    });
    return json({ results: await Promise.all(results) });
  }

  async #run(
    { method, target, headers, body }: Operation,
    authorization: string | null,
    room: Room,
  ): Promise<object> {
    const length = body === null ? {} : { "Content-Length": String(body.length) };
    const all = { ...headers, ...length, Accept: "application/json", ...(authorization === null ? {} : { Authorization: authorization }) };
    const request = new Request(`http://batch/kv/${target}`, { method, headers: all, ...(body === null ? {} : { body }) });
    return resultOf(await this.#objects.handle(request, "http://batch/kv/".length), room);
  }
}

/** Bytes that further values may have. */
interface Room {
  bytes: number;
}

/** @throws Refusal bad-parameter */
function readOperations(bytes: Uint8Array): Operation[] {
  let given: unknown;
  try {
    given = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal("bad-parameter", 'The body is no JSON, want {"operations": [{"op": "get", …}, …]}.');
  }
  const { operations, ...others } = (typeof given === "object" && given !== null ? given : {}) as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Refusal("bad-parameter", `There is no field '${other.slice(0, 64)}', want operations alone.`);
  if (!Array.isArray(operations) || operations.length < 1 || operations.length > OPERATIONS_MAX) {
    const count = Array.isArray(operations) ? `${operations.length} of them` : "not a list";
    throw new Refusal("bad-parameter", `operations is ${count}, want a list of 1 to ${OPERATIONS_MAX}.`);
  }
  return operations.map((operation: unknown, index) => readOperation(operation, `operations[${index}]`));
}

function readOperation(given: unknown, where: string): Operation {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new Refusal("bad-parameter", `${where} is no object, want {"op": "get", "bucket": …, "key": …}.`);
  }
  const fields = given as Record<string, unknown>;
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    throw new Refusal("bad-parameter", `${where} has a field '${unknown.slice(0, 64)}', want some of ${FIELDS.join(", ")}.`);
  }
  const method = METHODS[String(fields["op"])];
  if (method === undefined || typeof fields["op"] !== "string") throw wrong(where, "op", fields["op"], "get, put or delete");
  return { method, target: readTarget(fields, where), headers: readHeaders(fields, where), body: readValue(fields, method, where) };
}

/** What follows /kv/: the bucket, the key or key64, and the parameters. */
function readTarget(fields: Record<string, unknown>, where: string): string {
  const { bucket, key, key64 } = fields;
  if (typeof bucket !== "string" || bucket === "") throw wrong(where, "bucket", bucket, "a text");
  if ((key === undefined) === (key64 === undefined)) {
    throw new Refusal("bad-parameter", `${where} has no key or two, want one of key and key64.`);
  }
  if (key !== undefined && (typeof key !== "string" || key === "")) throw wrong(where, "key", key, "a text");
  if (key64 !== undefined && typeof key64 !== "string") throw wrong(where, "key64", key64, "base64url");
  // Keys that URLs rewrite (dot segments) go as key64 in any case.
  const encoded = key64 ?? btoa(String.fromCharCode(...new TextEncoder().encode(key as string)));
  const query = [`key64=${encoded.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`];
  for (const name of PARAMETERS) {
    const value = fields[name];
    if (value === undefined) continue;
    if (typeof value === "object") throw wrong(where, name, value, "a number or a text");
    query.push(`${name}=${encodeURIComponent(String(value))}`);
  }
  return `${encodeURIComponent(bucket)}?${query.join("&")}`;
}

function readHeaders(fields: Record<string, unknown>, where: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [field, name] of Object.entries(HEADERS)) {
    const value = fields[field];
    if (value === undefined) continue;
    if (typeof value !== "string" && typeof value !== "number") throw wrong(where, field, value, "a text");
    headers[name] = headerText(String(value), where, field);
  }
  const { meta = {} } = fields;
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) throw wrong(where, "meta", meta, "an object of texts");
  for (const [name, value] of Object.entries(meta)) {
    if (!META_NAME.test(name)) throw wrong(where, "meta", name, "names of letters, digits and hyphens");
    if (typeof value !== "string") throw wrong(where, `meta.${name}`, value, "a text");
    headers[`Halo-Meta-${name}`] = encodeHeaderText(value);
  }
  return headers;
}

function headerText(text: string, where: string, field: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  throw wrong(where, field, text, "printable ASCII characters");
}

function readValue(fields: Record<string, unknown>, method: string, where: string): Uint8Array<ArrayBuffer> | null {
  const { value } = fields;
  if (method !== "PUT") {
    if (value === undefined) return null;
    throw new Refusal("bad-parameter", `${where} has a value, want one for put alone.`);
  }
  const bytes = typeof value === "string" ? decodeBase64(value) : null;
  if (bytes === null) throw wrong(where, "value", value, "base64");
  return bytes;
}

function wrong(where: string, name: string, value: unknown, wanted: string): Refusal {
  const given = value === undefined ? "not given" : JSON.stringify(value)?.slice(0, 64);
  return new Refusal("bad-parameter", `${where}.${name} is ${given}, want ${wanted}.`);
}

/** What a response comes to in JSON. */
async function resultOf(response: Response, room: Room): Promise<object> {
  const { status, headers } = response;
  const told: Record<string, unknown> = { status };
  for (const [field, name] of [["context", "halo-context"], ["etag", "etag"], ["replicas", "halo-replicas"]] as const) {
    const value = headers.get(name);
    if (value !== null) told[field] = value;
  }
  const length = Number(headers.get("content-length") ?? 0);
  if (status === 200 && length > room.bytes) {
    await response.body?.cancel();
    const detail = "The values of the batch are more than 16 MiB with this one, want it by itself.";
    return { status: 413, code: "value-too-large", detail, outcome: "refused" };
  }
  if (status === 200) return { ...told, ...(await valueOf(response, room)) };
  if (status < 300 || status === 304) return told;
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null) return told;
  if (status === 300) return { ...told, ...body };
  const { code, detail, outcome } = body as Record<string, unknown>;
  return { ...told, code, detail, outcome };
}

async function valueOf(response: Response, room: Room): Promise<object> {
  const { headers } = response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  room.bytes -= bytes.length;
  const meta: Record<string, string> = {};
  headers.forEach((value, name) => {
    if (name.startsWith(META_PREFIX)) meta[name.slice(META_PREFIX.length)] = decodeHeaderText(value) ?? value;
  });
  const coding = headers.get("content-encoding");
  const encoding = coding === null ? {} : { contentEncoding: coding };
  return { value: encodeBase64(bytes), contentType: headers.get("content-type"), ...encoding, time: headers.get("last-modified"), meta };
}
