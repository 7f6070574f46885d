/**
 * The listing of a bucket: GET (HEAD) /kv/{bucket}, without a key.
 *
 *   {"keys": ["user-17", "a%2Fb"], "cursor": "AQAA…"}      keys as they stand in a path
 *
 * A page is bounded work and may be empty and not be the last one; the last one's cursor is null. The
 * cursor is the page's place on the ring, and good for as long as the cluster is.
 */

import type { ListResult } from "../coordination/store.ts";
import type { HttpNode } from "./http-node.ts";
import { readListParameters } from "./parameters.ts";
import { guarded, problem } from "./problem.ts";
import { encodePath } from "./target.ts";

/** Answers a page. @throws Refusal */
export function answerListing(
  node: HttpNode,
  method: string,
  bucket: Uint8Array,
  query: string,
): Promise<Response> {
  const request = { bucket, ...readListParameters(query) };
  return new Promise((resolve) => {
    node.store.list(request, (result) => resolve(guarded(() => pageOf(method, result))));
  });
}

/** Whether a query names a key: then the request is about an object. */
export function namesKey(query: string): boolean {
  return /(^|&)key64(=|&|$)/.test(query);
}

function pageOf(method: string, result: ListResult): Response {
  if (result.code !== "") {
    return problem(result.code, result.detail, result.outcome === "unknown" ? "unknown" : "refused");
  }
  const cursor = result.cursor === "" ? null : result.cursor;
  const text = JSON.stringify({ keys: result.keys.map(encodePath), cursor }) + "\n";
  const response = new Response(method === "HEAD" ? null : text);
  response.headers.set("Content-Type", "application/json");
  response.headers.set("Halo-Replicas", `primaries=${result.primaries}, fallbacks=0`);
  // All of it is ASCII.
  if (method === "HEAD") response.headers.set("Content-Length", String(text.length));
  return response;
}
