/** What a request may be given, and how it goes into a frame. What is out of range is refused here, in a sentence. */

import {
  CONTENT_TYPE_BYTES_MAX,
  META_BYTES_MAX,
  TIMEOUT_MS_MAX,
  VALUE_BYTES_MAX_DEFAULT,
} from "../core/limits.ts";
import { checkName } from "../core/object-name.ts";
import { CONTENT_ENCODING, encodeMeta } from "../core/payload.ts";
import { QUORUM_ALL, QUORUM_DEFAULT, QUORUM_ONE, QUORUM_QUORUM } from "../core/request-frames.ts";
import { refusal } from "./halo-error.ts";

/** How many replicas. Default: as the bucket or the cluster says. */
export type Quorum = number | "one" | "quorum" | "all";

export interface ReadOptions {
  /** Replicas that have to answer; of them, so many owners. */
  readonly r?: Quorum;
  readonly pr?: Quorum;
  /** All attempts together, 1 to 60,000; default: the client's. */
  readonly timeoutMs?: number;
  /** Ends it early: refused with the code "aborted", or unknown where a write had been sent. */
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions {
  /** Replicas that have to take it; of them, so many with it on disk; of them, so many owners. */
  readonly w?: Quorum;
  readonly dw?: Quorum;
  readonly pw?: Quorum;
  /** All attempts together, 1 to 60,000; default: the client's. */
  readonly timeoutMs?: number;
  /** Ends it early: refused with the code "aborted", or unknown where a write had been sent. */
  readonly signal?: AbortSignal | undefined;
}

export interface DeleteOptions extends WriteOptions {
  /** What was read: this is deleted, and nothing that was written meanwhile. Without one, all that is there. */
  readonly context?: string | undefined;
  /** Only if the object's etag is one of these. */
  readonly ifMatch?: string | readonly string[];
}

export interface PutOptions extends DeleteOptions {
  /** Only if there is no value. */
  readonly ifAbsent?: boolean;
  /** Seconds after which the value is gone; default: the bucket's, or never. */
  readonly ttlSeconds?: number;
  /** Stored beside the value; names in lower case, at most 2,048 bytes of names and values. */
  readonly meta?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** What the value is compressed with already, as in "gzip"; who reads it over HTTP is told. */
  readonly contentEncoding?: string;
}

/** The largest value that goes over the binary protocol; larger ones stream over HTTP. */
export const VALUE_BYTES_MAX = VALUE_BYTES_MAX_DEFAULT;

const QUORUMS = { one: QUORUM_ONE, quorum: QUORUM_QUORUM, all: QUORUM_ALL } as const;
const META_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const HEADER_TEXT = /^[\t\x20-\x7e]*$/;
const encoder = new TextEncoder();

export function quorumByte(name: string, quorum: Quorum | undefined): number {
  if (quorum === undefined) return QUORUM_DEFAULT;
  const byte = typeof quorum === "string" ? QUORUMS[quorum] : quorum;
  const isNumber = Number.isInteger(byte) && byte >= 0 && (typeof quorum === "string" || byte < QUORUM_ALL);
  if (isNumber) return byte;
  throw refusal("bad-parameter", `${name} is ${quorum}, wanted is a number, "one", "quorum" or "all"`);
}

export function checkTimeout(timeoutMs: number): number {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs;
  const wanted = `wanted is a whole number from 1 to ${TIMEOUT_MS_MAX}`;
  throw refusal("bad-parameter", `timeoutMs is ${timeoutMs}, ${wanted}`);
}

export function checkTtl(ttlSeconds: number | undefined): number {
  if (ttlSeconds === undefined) return 0;
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds < 2 ** 32) return ttlSeconds;
  throw refusal("bad-parameter", `ttlSeconds is ${ttlSeconds}, wanted is a whole number of seconds from 1 on`);
}

export function checkValue(value: Uint8Array): Uint8Array {
  if (value.length <= VALUE_BYTES_MAX) return value;
  const detail = `The value is ${value.length} bytes, the limit here is ${VALUE_BYTES_MAX}; larger ones go over HTTP`;
  throw refusal("value-too-large", detail);
}

/** An object's name as bytes. */
export function nameOf(bucket: Uint8Array, key: string | Uint8Array): Uint8Array {
  const keyBytes = typeof key === "string" ? encoder.encode(key) : key;
  const name = new Uint8Array(bucket.length + 1 + keyBytes.length);
  name.set(bucket);
  name[bucket.length] = 0x2f;
  name.set(keyBytes, bucket.length + 1);
  const wrong = checkName(name);
  if (wrong === "") return name;
  throw refusal(wrong, `The key is ${keyBytes.length} bytes, wanted are 1 to 4,096`);
}

export function bucketBytesOf(bucket: string): Uint8Array {
  const bytes = encoder.encode(bucket);
  if (bytes.length >= 1 && bytes.length <= 255 && !bucket.includes("/")) return bytes;
  throw refusal("bad-bucket", `The bucket is "${bucket}", wanted are 1 to 255 bytes without a slash`);
}

export function etagsOf(ifMatch: string | readonly string[] | undefined): Uint8Array {
  if (ifMatch === undefined) return new Uint8Array(0);
  const etags = typeof ifMatch === "string" ? [ifMatch] : ifMatch;
  if (etags.length > 0 && etags.every((etag) => /^[0-9a-f]{16}$/.test(etag))) return encoder.encode(etags.join(","));
  throw refusal("bad-parameter", `ifMatch is ${JSON.stringify(ifMatch)}, wanted are etags of 16 hexadecimal digits`);
}

/** The metadata block of a version. */
export function metaOf(
  contentType: string,
  meta: Readonly<Record<string, string>>,
  contentEncoding: string | undefined,
): Uint8Array {
  if (contentType.length > CONTENT_TYPE_BYTES_MAX || !HEADER_TEXT.test(contentType)) {
    throw refusal("bad-parameter", `The content type is "${contentType}", wanted are up to 255 printable characters`);
  }
  const pairs = Object.entries(meta);
  if (contentEncoding !== undefined && !/^[a-z0-9-]{1,64}$/.test(contentEncoding)) {
    throw refusal("bad-parameter", `The content encoding is "${contentEncoding}", wanted is a name as in gzip`);
  }
  let length = 0;
  for (const [name, value] of pairs) {
    if (!META_NAME.test(name)) throw refusal("bad-parameter", `"${name}" is no name of metadata: lower-case letters, digits, -`);
    if (/[\0\r\n]/.test(value)) throw refusal("bad-parameter", `The metadata "${name}" has a line break or a zero in it`);
    length += name.length + encoder.encode(value).length;
  }
  if (contentEncoding !== undefined) pairs.unshift([CONTENT_ENCODING, contentEncoding]);
  if (length <= META_BYTES_MAX) return encodeMeta({ contentType, meta: pairs });
  throw refusal("bad-parameter", `The metadata is ${length} bytes of names and values, the limit is ${META_BYTES_MAX}`);
}
