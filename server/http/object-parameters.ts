/**
 * The parameters of the object routes as the OpenAPI document shows them. They are read by hand (target.ts,
 * parameters.ts, request-headers.ts), since objects are the hot road; the bounds are the same constants.
 */

import * as v from "valibot";
import {
  BUCKET_BYTES_MAX,
  CONTEXT_CHARS_MAX,
  KEY_BYTES_MAX,
  META_BYTES_MAX,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
} from "../../core/limits.ts";
import { TTL_SECONDS_MAX } from "../membership/buckets.ts";
import type { Parameter } from "./operation.ts";
import { QUORUM_LEAST, QUORUM_NUMBER_MAX, QUORUM_WORDS } from "./parameters.ts";
import { REQUEST_ID } from "./request-headers.ts";
import { whole } from "./schema.ts";

export const BUCKET: Parameter = {
  name: "bucket",
  in: "path",
  description: `1 to ${BUCKET_BYTES_MAX} bytes without a slash, percent-encoded.`,
  schema: v.pipe(v.string(), v.minLength(1)),
  example: "cart",
  isRequired: true,
};
export const KEY: Parameter = {
  name: "key",
  in: "path",
  description: `The rest of the path, slashes and all, percent-decoded: 1 to ${KEY_BYTES_MAX} bytes of anything.`,
  schema: v.pipe(v.string(), v.minLength(1)),
  example: "user-17",
  isRequired: true,
};

export function query(name: string, description: string, schema: Parameter["schema"], example: string): Parameter {
  return { name, in: "query", description, schema, example };
}

const KEY64_SCHEMA = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+={0,2}$/));
export const KEY64 = query("key64", "The key as base64url of its bytes, for keys that URL rules would rewrite.", KEY64_SCHEMA, "dXNlci0xNw");
/** Of a route on which it is the only way to name the key. */
export const KEY64_NEEDED: Parameter = { ...KEY64, isRequired: true };

function quorum(name: keyof typeof QUORUM_LEAST, description: string): Parameter {
  const number = whole(QUORUM_LEAST[name], QUORUM_NUMBER_MAX);
  return query(name, description, v.union([number, v.picklist(QUORUM_WORDS)]), "quorum");
}

export const R = quorum("r", "Replicas that answer a read.");
export const PR = quorum("pr", "Of r, how many must be primaries.");
const W = quorum("w", "Replicas that take a write.");
const DW = quorum("dw", "Of w, how many have it durable.");
const PW = quorum("pw", "Of w, how many must be primaries.");
export const TIMEOUT = query(
  "timeout",
  `Milliseconds until the answer; ${TIMEOUT_MS_DEFAULT} unless given.`,
  whole(1, TIMEOUT_MS_MAX),
  "2000",
);
export const RETURNBODY = query(
  "returnbody",
  "Whether the answer has what is stored now.",
  v.picklist(["true", "false"]),
  "false",
);
export const READ_QUERY = [R, PR, TIMEOUT];
export const WRITE_QUERY = [W, DW, PW, TIMEOUT];

function header(name: string, description: string, schema: Parameter["schema"], example: string): Parameter {
  return { name, in: "header", description, schema, example };
}

const CONTEXT = header(
  "Halo-Context",
  "What the client has seen, from an answer: the write replaces just that. Without it the write stands beside what there is.",
  v.pipe(v.string(), v.maxLength(CONTEXT_CHARS_MAX)),
  "",
);
const REQUEST_ID_HEADER = header(
  "Halo-Request-Id",
  "A UUID of version 7: a retry with the same makes no second version.",
  v.pipe(v.string(), v.regex(new RegExp(REQUEST_ID.source))),
  "",
);
const IF_MATCH = header("If-Match", "ETags: the write happens where one of them stands for what there is; * where there is anything.", v.string(), "");
const IF_NONE_MATCH_STAR = header("If-None-Match", "Of a write: * where there must be nothing.", v.literal("*"), "");
const TTL = header("Halo-TTL", "Seconds after which it is gone.", whole(1, TTL_SECONDS_MAX), "86400");
const META = header(
  "Halo-Meta-*",
  `User metadata: any number of headers that begin so, ${META_BYTES_MAX} bytes of names and values together, UTF-8.`,
  v.string(),
  "blue",
);
const CONTENT_ENCODING = header(
  "Content-Encoding",
  "How the value is compressed already; it is stored and answered as it is.",
  v.string(),
  "",
);
export const PUT_HEADERS = [CONTEXT, REQUEST_ID_HEADER, IF_MATCH, IF_NONE_MATCH_STAR, TTL, META, CONTENT_ENCODING];
export const GET_HEADERS = [
  header("If-Match", "ETags of what is wanted: 412 where something else is stored.", v.string(), ""),
  header("If-None-Match", "ETags of what is held: 304 where it would be answered.", v.string(), ""),
  header("Range", "One range of the value's bytes.", v.string(), ""),
  header("If-Range", "An ETag or a date: the range counts for that version alone.", v.string(), ""),
];
export const DELETE_HEADERS = [CONTEXT, REQUEST_ID_HEADER, IF_MATCH];
