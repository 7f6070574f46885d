/**
 * From what the store said to what the client gets: status, headers, bytes.
 *
 *   done, one version       200, its bytes and its content type (304 when the client has it)
 *   done, several           300, all of them (server/http/siblings)
 *   done, put               204 with the new context; 200 or 300 with `returnbody`; 201 for POST
 *   not-found               404, with a context where a tombstone is known
 *   refused, unknown        problem+json
 *
 * Every answer says how many primaries and fallbacks took part, and carries the context if there
 * is one.
 */

import type { Result, Sibling } from "../coordination/store.ts";
import { httpDate } from "./http-date.ts";
import { problem } from "./problem.ts";
import { encodeHeaderText, matchesNone } from "./request-headers.ts";
import { chooseForm, encodeSiblings } from "./siblings.ts";

export function answerGet(request: Request, result: Result): Response {
  if (result.code !== "") return answerFailure(result);
  const noneMatch = request.headers.get("if-none-match");
  if (noneMatch !== null && matchesNone(noneMatch, result.etag)) {
    return new Response(null, { status: 304, headers: resultHeaders(result) });
  }
  return answerVersions(request, result, 200, resultHeaders(result));
}

/** `location` is "" but for a POST, which answers 201. */
export function answerPut(
  request: Request,
  result: Result,
  returnBody: boolean,
  location: string,
): Response {
  if (result.code !== "") return answerFailure(result);
  const headers = resultHeaders(result);
  if (location !== "") headers["Location"] = location;
  const isCreated = location !== "";
  if (returnBody) return answerVersions(request, result, isCreated ? 201 : 200, headers);
  return new Response(null, { status: isCreated ? 201 : 204, headers });
}

export function answerDelete(result: Result): Response {
  if (result.code !== "" && result.code !== "not-found") return answerFailure(result);
  return new Response(null, { status: 204, headers: resultHeaders(result) });
}

/** One version as itself with status `single`, several as 300. */
function answerVersions(
  request: Request,
  result: Result,
  single: number,
  headers: Record<string, string>,
): Response {
  const siblings = result.siblings;
  if (siblings.length === 1) return answerSingle(request, siblings[0], single, headers);
  const { body, contentType } = encodeSiblings(result, chooseForm(request.headers.get("accept")));
  headers["Content-Type"] = contentType;
  headers["Vary"] = "Accept";
  if (request.method === "HEAD") return new Response(null, { status: 300, headers });
  return new Response(responseBody(body), { status: 300, headers });
}

function answerSingle(
  request: Request,
  sibling: Sibling,
  status: number,
  headers: Record<string, string>,
): Response {
  headers["Content-Type"] = sibling.meta.contentType;
  headers["Last-Modified"] = httpDate(sibling.timeMs);
  for (const [name, value] of sibling.meta.meta) {
    headers[`Halo-Meta-${name}`] = encodeHeaderText(value);
  }
  if (request.method === "HEAD") {
    headers["Content-Length"] = String(sibling.body.length);
    return new Response(null, { status, headers });
  }
  return new Response(responseBody(sibling.body), { status, headers });
}

/** Bytes as a Response takes them. The cast is safe: no body of ours lives in shared memory. */
function responseBody(body: Uint8Array | string): Uint8Array<ArrayBuffer> | string {
  return body as Uint8Array<ArrayBuffer> | string;
}

function answerFailure(result: Result): Response {
  const code = result.code === "" ? "internal" : result.code;
  const outcome = result.outcome === "unknown" ? "unknown" : "refused";
  return problem(code, result.detail, outcome, resultHeaders(result));
}

function resultHeaders(result: Result): Record<string, string> {
  const headers: Record<string, string> = {
    "Halo-Replicas": `primaries=${result.primaries}, fallbacks=${result.fallbacks}`,
  };
  if (result.context !== "") headers["Halo-Context"] = result.context;
  if (result.etag !== "") headers["ETag"] = `"${result.etag}"`;
  return headers;
}
