/**
 * An operation: a method of a path, with all that is to be known about it. From the table of operations
 * (operations.ts) come the routes beside the objects, what they need, which parameters and content types they take
 * (app.ts), and the OpenAPI document (openapi.ts).
 */

import type { TokenRole } from "../membership/tokens.ts";
import type { HttpCode } from "./problem.ts";
import type { Schema } from "./schema.ts";

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/**
 * Who may, where the cluster has a secret.
 *   null      anybody: the route is open
 *   cluster   a token of this role
 *   bucket    a token of this role for the bucket; the route itself looks at that
 */
export type Need = {
  readonly role: TokenRole;
  readonly of: "cluster" | "bucket";
} | null;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly schema: Schema;
  readonly example: string;
  readonly isRequired?: true;
}

/** A body of a request. */
export interface Body {
  readonly type: "application/json" | "application/octet-stream" | "*/*";
  /** Null: bytes. */
  readonly schema: Schema | null;
  readonly example: unknown;
  readonly description?: string;
}

/** An answer that is no problem. */
export interface Answer {
  readonly description: string;
  /** By content type; null: bytes. Absent: no body. */
  readonly content?: Readonly<Record<string, Schema | null>>;
  /** Headers that it always has. */
  readonly headers?: readonly HeaderName[];
  /** Headers that it has where they say something. */
  readonly mayHave?: readonly HeaderName[];
}

export interface Operation {
  readonly id: string;
  readonly method: Method;
  /** With names in braces, as in OpenAPI. */
  readonly path: string;
  readonly group: string;
  readonly summary: string;
  readonly description?: string;
  readonly need: Need;
  /** Whether it is refused (503 `not-ready`) before the node is a member of a cluster. */
  readonly isOfMember: boolean;
  readonly parameters: readonly Parameter[];
  readonly body: Body | null;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes of its own; those that follow from the rest are added (problemCodes). */
  readonly codes: readonly HttpCode[];
}

export const HEADERS = {
  "Accept-Ranges": "bytes: parts of it can be asked for.",
  "Cache-Control": "no-cache: what is kept is asked for again before it is used.",
  "Content-Encoding": "How it is compressed, where that was asked for.",
  "Content-Range": "Which bytes of how many these are.",
  "Content-Security-Policy": "What the page may load: nothing.",
  ETag: "Names the versions in this form; good for If-Match, If-None-Match and If-Range.",
  "Halo-Context": "What the client has seen now: a write that brings it replaces just that.",
  "Halo-Expires": "When the value goes, in ISO 8601, where it has a lifetime.",
  "Halo-Meta-*": "User metadata, UTF-8.",
  "Halo-Replicas": "How many primaries and fallbacks took part.",
  "Last-Modified": "When the version was written.",
  Location: "Where it was stored.",
  Vary: "What else the answer depends on.",
} as const;
export type HeaderName = keyof typeof HEADERS;

/** All codes that an operation can be refused with. */
export function problemCodes(operation: Operation): HttpCode[] {
  const { need, body, codes, isOfMember, path } = operation;
  // Of whoever asks under a host that is none of the node's, forbidden is what anything can be (host.ts).
  const all: HttpCode[] = ["bad-parameter", ...codes, "forbidden"];
  if (need !== null) all.push("unauthenticated", "rate-limited", "internal");
  if (isOfMember) all.push("not-ready");
  if (path.includes("{bucket}")) all.push("bad-bucket");
  if (path.includes("{key}")) all.push("bad-key", "key-too-long");
  if (body !== null) all.push("slow-request", "value-too-large", "overloaded");
  if (body?.type === "application/json") all.push("unsupported-media-type", "length-required");
  return [...new Set(all)];
}

export function queryNames({ parameters }: Operation): string[] {
  return parameters.flatMap((parameter) => (parameter.in === "query" ? [parameter.name] : []));
}
