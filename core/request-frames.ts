/**
 * What a client, or a node that forwards for one, asks of a coordinator: PUT and GET as bytes, and the
 * result of either. Pure codec, like core/replica-frames.
 *
 *   PUT                                      GET
 *    0 u16 name length                        0 u16 name length
 *    2 u16 context length                     2 u8  r   3 u8 pr
 *    4 u32 timeout, ms                        4 u32 timeout, ms
 *    8 u32 seconds to live, 0 for ever        8 u8  flags: 1 forwarded
 *   12 u8  w   13 u8 dw   14 u8 pw            9 7 × 0
 *   15 u8  flags: 1 delete, 2 return body,   16 name
 *          4 if absent, 8 forwarded
 *   16 request id 16                         RESULT
 *   32 u16 metadata length                    0 u8  outcome: 0 done, 1 refused, 2 unknown
 *   34 u16 etags length                       1 u8  code (the place in RESULT_CODES)
 *   36 u32 body length                        2 u8  primaries   3 u8 fallbacks
 *   40 name, context, etags, metadata, body   4 u16 context length   6 u16 detail length
 *                                             8 u8  etag length   9 3 × 0
 *                                            12 u32 ms after which another try has a chance, or 0
 *                                            16 context, detail, etag, then a set or nothing
 *
 * A quorum is a byte: a number, or one of the words below. Text is UTF-8; etags are joined by commas.
 */

import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";
import { readSet, setLength, writeSet, type WireSet } from "./replica-frames.ts";

export const QUORUM_DEFAULT = 255;
export const QUORUM_ONE = 254;
export const QUORUM_QUORUM = 253;
export const QUORUM_ALL = 252;

export const PUT_DELETE = 1;
export const PUT_RETURN_BODY = 2;
export const PUT_IF_ABSENT = 4;
export const PUT_FORWARDED = 8;
/** The payload came before, as BODY slices under the request's id. */
export const PUT_STAGED = 16;
export const GET_FORWARDED = 1;

/** Codes of results on the wire, by place. Append only, never renumber. */
export const RESULT_CODES = [
  "",
  "not-found",
  "bad-parameter",
  "bad-context",
  "wrong-type",
  "stale-layout",
  "stale-request",
  "precondition-failed",
  "value-too-large",
  "overloaded",
  "quorum-unreachable",
  "absence-unknown",
  "clock-skew",
  "too-many-siblings",
  "not-ready",
  "write-unknown",
  "read-timeout",
  "disk-full",
  "hints-full",
  "memory-full",
  "files-full",
  "forbidden",
  "rate-limited",
] as const;

export const RESULT_OUTCOMES = ["done", "refused", "unknown"] as const;

const PUT_FIXED = 40;
const GET_FIXED = 16;
const RESULT_FIXED = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface PutBody {
  readonly name: Uint8Array;
  readonly context: Uint8Array;
  readonly etags: Uint8Array;
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
  readonly requestId: Uint8Array;
  readonly timeoutMs: number;
  readonly ttlSeconds: number;
  readonly w: number;
  readonly dw: number;
  readonly pw: number;
  readonly flags: number;
}

export function putLength(put: PutBody): number {
  return (
    PUT_FIXED +
    put.name.length +
    put.context.length +
    put.etags.length +
    put.meta.length +
    put.body.length
  );
}

export function writePut(put: PutBody, target: Uint8Array, start: number): void {
  writeU16(target, start, put.name.length);
  writeU16(target, start + 2, put.context.length);
  writeU32(target, start + 4, put.timeoutMs);
  writeU32(target, start + 8, put.ttlSeconds);
  target[start + 12] = put.w;
  target[start + 13] = put.dw;
  target[start + 14] = put.pw;
  target[start + 15] = put.flags;
  target.set(put.requestId, start + 16);
  writeU16(target, start + 32, put.meta.length);
  writeU16(target, start + 34, put.etags.length);
  writeU32(target, start + 36, put.body.length);
  let offset = start + PUT_FIXED;
  for (const part of [put.name, put.context, put.etags, put.meta, put.body]) {
    target.set(part, offset);
    offset += part.length;
  }
}

/** Reads a PUT; null where it is malformed. Views, no copies. */
export function readPut(bytes: Uint8Array, start: number, end: number): PutBody | null {
  if (end - start < PUT_FIXED) return null;
  const nameEnd = start + PUT_FIXED + readU16(bytes, start);
  const contextEnd = nameEnd + readU16(bytes, start + 2);
  const etagsEnd = contextEnd + readU16(bytes, start + 34);
  const metaEnd = etagsEnd + readU16(bytes, start + 32);
  if (metaEnd + readU32(bytes, start + 36) !== end) return null;
  return {
    name: bytes.subarray(start + PUT_FIXED, nameEnd),
    context: bytes.subarray(nameEnd, contextEnd),
    etags: bytes.subarray(contextEnd, etagsEnd),
    meta: bytes.subarray(etagsEnd, metaEnd),
    body: bytes.subarray(metaEnd, end),
    requestId: bytes.subarray(start + 16, start + 32),
    timeoutMs: readU32(bytes, start + 4),
    ttlSeconds: readU32(bytes, start + 8),
    w: bytes[start + 12],
    dw: bytes[start + 13],
    pw: bytes[start + 14],
    flags: bytes[start + 15],
  };
}

export interface GetBody {
  readonly name: Uint8Array;
  readonly r: number;
  readonly pr: number;
  readonly timeoutMs: number;
  readonly flags: number;
}

export function getLength(get: GetBody): number {
  return GET_FIXED + get.name.length;
}

export function writeGet(get: GetBody, target: Uint8Array, start: number): void {
  target.fill(0, start, start + GET_FIXED);
  writeU16(target, start, get.name.length);
  target[start + 2] = get.r;
  target[start + 3] = get.pr;
  writeU32(target, start + 4, get.timeoutMs);
  target[start + 8] = get.flags;
  target.set(get.name, start + GET_FIXED);
}

export function readGet(bytes: Uint8Array, start: number, end: number): GetBody | null {
  if (end - start < GET_FIXED) return null;
  if (start + GET_FIXED + readU16(bytes, start) !== end) return null;
  return {
    name: bytes.subarray(start + GET_FIXED, end),
    r: bytes[start + 2],
    pr: bytes[start + 3],
    timeoutMs: readU32(bytes, start + 4),
    flags: bytes[start + 8],
  };
}

export interface ResultBody {
  readonly outcome: number;
  readonly code: number;
  readonly primaries: number;
  readonly fallbacks: number;
  readonly context: string;
  readonly detail: string;
  readonly etag: string;
  /** Milliseconds after which another try has a chance; 0: nothing is known of that. */
  readonly retryAfterMs: number;
  readonly set: WireSet | null;
}

/** A result as bytes; allocates, since it is written once a forwarded request. */
export function encodeResult(result: ResultBody): Uint8Array {
  const context = encoder.encode(result.context);
  const detail = encoder.encode(result.detail);
  const etag = encoder.encode(result.etag);
  const textLength = context.length + detail.length + etag.length;
  const set = result.set;
  const bytes = new Uint8Array(RESULT_FIXED + textLength + (set === null ? 0 : setLength(set)));
  bytes[0] = result.outcome;
  bytes[1] = result.code;
  bytes[2] = result.primaries;
  bytes[3] = result.fallbacks;
  writeU16(bytes, 4, context.length);
  writeU16(bytes, 6, detail.length);
  bytes[8] = etag.length;
  writeU32(bytes, 12, result.retryAfterMs);
  bytes.set(context, RESULT_FIXED);
  bytes.set(detail, RESULT_FIXED + context.length);
  bytes.set(etag, RESULT_FIXED + context.length + detail.length);
  if (set !== null) writeSet(set, bytes, RESULT_FIXED + textLength);
  return bytes;
}

/** Reads a result; null where it is malformed. The set's bytes are views, the texts are copies. */
export function decodeResult(bytes: Uint8Array, start: number, end: number): ResultBody | null {
  if (end - start < RESULT_FIXED) return null;
  const contextEnd = start + RESULT_FIXED + readU16(bytes, start + 4);
  const detailEnd = contextEnd + readU16(bytes, start + 6);
  const etagEnd = detailEnd + bytes[start + 8];
  if (etagEnd > end) return null;
  if (bytes[start] >= RESULT_OUTCOMES.length || bytes[start + 1] >= RESULT_CODES.length) return null;
  const set = etagEnd === end ? null : readSet(bytes, etagEnd, end);
  if (set === null && etagEnd !== end) return null;
  return {
    outcome: bytes[start],
    code: bytes[start + 1],
    primaries: bytes[start + 2],
    fallbacks: bytes[start + 3],
    context: decoder.decode(bytes.subarray(start + RESULT_FIXED, contextEnd)),
    detail: decoder.decode(bytes.subarray(contextEnd, detailEnd)),
    etag: decoder.decode(bytes.subarray(detailEnd, etagEnd)),
    retryAfterMs: readU32(bytes, start + 12),
    set,
  };
}
