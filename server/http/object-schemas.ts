/**
 * What objects, listings and batches are answered with in JSON, as schemas: for the OpenAPI document, and for the
 * tests, which hold every answer against them. A type in brackets makes a field that is not described a type error.
 */

import * as v from "valibot";
import type { Explanation, ReplicaReport } from "../coordination/store.ts";
import { HTTP_CODES } from "./problem.ts";
import type { Schema } from "./schema.ts";

const time = v.pipe(v.string(), v.isoTimestamp());
export const base64 = v.pipe(v.string(), v.metadata({ contentEncoding: "base64" }));
const meta = v.pipe(v.custom<Record<string, string>>(() => true), v.metadata({ type: "object", additionalProperties: { type: "string" } }));
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const outcome = v.picklist(["refused", "unknown"]);

/** RFC 9457. */
export const problemSchema = v.object({
  type: v.pipe(v.string(), v.startsWith("urn:halo:error:")),
  title: v.string(),
  status: v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)),
  detail: v.pipe(v.string(), v.description("One sentence: what was given or happened, and what is wanted.")),
  code: v.pipe(v.picklist(HTTP_CODES), v.description("What a program decides by.")),
  outcome: v.pipe(
    outcome,
    v.description("refused: nothing was written anywhere. unknown: it may have been written."),
  ),
});

const sibling = v.object({
  value: base64,
  contentType: v.string(),
  contentEncoding: v.exactOptional(v.string()),
  time,
  meta,
  expires: v.exactOptional(time),
});

export const siblingsSchema = v.object({
  context: v.pipe(v.string(), v.description("Covers all siblings: a write that brings it replaces them.")),
  siblings: v.array(sibling),
});

export const keyPageSchema = v.object({
  keys: v.pipe(v.array(v.string()), v.description("As they stand in a path, in the ring's order.")),
  cursor: v.pipe(v.nullable(v.string()), v.description("Where the next page begins; null: this is the last.")),
});

const resultSchema = v.object({
  status: v.pipe(v.number(), v.integer(), v.description("What the request would be answered by itself.")),
  context: v.exactOptional(v.string()),
  etag: v.exactOptional(v.string()),
  replicas: v.exactOptional(v.string()),
  value: v.exactOptional(base64),
  contentType: v.exactOptional(v.string()),
  contentEncoding: v.exactOptional(v.string()),
  time: v.exactOptional(v.string()),
  meta: v.exactOptional(meta),
  siblings: v.exactOptional(v.array(sibling)),
  code: v.exactOptional(v.picklist(HTTP_CODES)),
  detail: v.exactOptional(v.string()),
  outcome: v.exactOptional(outcome),
});

export const batchResultsSchema = v.object({
  results: v.pipe(v.array(resultSchema), v.description("One an operation, in the same order.")),
});

const replica: Schema<ReplicaReport> = v.object({
  node: v.string(),
  name: v.string(),
  role: v.picklist(["primary", "fallback"]),
  healthy: v.boolean(),
  state: v.picklist(["holds", "empty", "unreachable"]),
  complete: v.pipe(v.boolean(), v.description("Of a primary: whether its nothing counts.")),
  etag: v.string(),
  siblings: count,
});

export const explanationSchema: Schema<Explanation & { bucket: string; key: string }> = v.object({
  bucket: v.string(),
  key: v.string(),
  position: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/), v.description("MD5 of bucket/key.")),
  partition: count,
  partitions: count,
  layout: count,
  preference: v.pipe(v.array(replica), v.description("Every node, in the order in which it is asked.")),
});
