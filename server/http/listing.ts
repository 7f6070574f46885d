/**
 * The listing of a bucket: GET (HEAD) /kv/{bucket}, without a key.
 *
 *   {"keys": ["user-17", "a%2Fb"], "cursor": "AQAA…"}      keys as they stand in a path
 *
 * A page is bounded work and may be empty and not be the last one; the last one's cursor is null. The
 * cursor is the page's place on the ring, and good for as long as the cluster is.
 */

import type { ListResult } from "../coordination/store.ts";
import type { Compressions } from "./compression.ts";
import type { HttpNode } from "./http-node.ts";
import { readListParameters } from "./parameters.ts";
import { answeredLater, guarded, NOT_KEPT, problem } from "./problem.ts";
import { encodePath } from "./target.ts";

/** Answers a page. @throws Refusal */
export function answerListing(
  node: HttpNode,
  request: Request,
  bucket: Uint8Array,
  query: string,
  compressions: Compressions,
): Promise<Response> {
  const parameters = readListParameters(query);
  return answeredLater((answer) => {
    node.store.list({ bucket, ...parameters }, (result) => {
      answer(guarded(() => pageOf(request, result, compressions)));
    });
  });
}

/** Whether a query names a key: then the request is about an object. */
export function namesKey(query: string): boolean {
  return /(^|&)key64(=|&|$)/.test(query);
}

function pageOf(request: Request, result: ListResult, compressions: Compressions): Response {
  if (result.code !== "") {
    return problem(result.code, result.detail, result.outcome === "unknown" ? "unknown" : "refused");
  }
  const cursor = result.cursor === "" ? null : result.cursor;
  const text = JSON.stringify({ keys: result.keys.map(encodePath), cursor }) + "\n";
  const isHead = request.method === "HEAD";
  const response = new Response(isHead ? null : text);
  response.headers.set("Content-Type", "application/json");
  response.headers.set(...NOT_KEPT);
  response.headers.set("Halo-Replicas", `primaries=${result.primaries}, fallbacks=0`);
  // All of it is ASCII.
  if (isHead) response.headers.set("Content-Length", String(text.length));
  return compressions.encode(request, response, text.length);
}
