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
import { type Operation, readOperations } from "./batch-operations.ts";
import { encodeBase64 } from "./bytes.ts";
import type { ObjectRoutes } from "./objects.ts";
import { problemOf } from "./problem.ts";
import { RequestBodies } from "./request-body.ts";
import { decodeHeaderText, META_PREFIX } from "./request-headers.ts";

/** Bytes of the JSON of a batch, and of the values in its results. */
export const BATCH_BYTES_MAX = 16 << 20;

export class BatchRoute {
  readonly #objects: ObjectRoutes;
  readonly #bodies: RequestBodies;

  constructor(objects: ObjectRoutes, clock: Clock, bytesMax: number) {
    this.#objects = objects;
    this.#bodies = new RequestBodies(clock, "JSON of a batch", bytesMax);
  }

  take(request: Request): Promise<Response> {
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
