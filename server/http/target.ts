/**
 * From a request's raw URL to bytes. Keys are any bytes, so nothing here goes through `new URL`
 * or decodeURIComponent: %FF is one byte, %2F in a key is a slash of the key, and invalid UTF-8
 * is fine.
 *
 *   http://127.0.0.1:7070/kv/cart/user-17?r=2
 *                        └ pathStart        └ query
 *                            └ bucket, up to the first raw slash
 *                                 └ key, the rest of the path
 *
 * Runtimes and clients rewrite dot segments ("a/../b" arrives as "b") before any of our code
 * runs, also percent-encoded ones: such keys travel as `?key64=`, base64url of their bytes.
 */

import { BUCKET_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX } from "../../core/limits.ts";
import { ObjectName } from "../../core/object-name.ts";
import { decodeBase64Url } from "./bytes.ts";
import { Refusal } from "./problem.ts";

const SLASH = 0x2f;
const PERCENT = 0x25;
const HASH = 0x23;

/** Where the path begins in a URL, or in a bare request target; -1 where there is none. */
export function pathStart(url: string): number {
  if (url.charCodeAt(0) === SLASH) return 0;
  const scheme = url.indexOf("://");
  return scheme < 0 ? -1 : url.indexOf("/", scheme + 3);
}

/** The path of a URL without its query: what routes are matched on. */
export function pathOf(url: string): string {
  const start = pathStart(url);
  if (start < 0) return "/";
  const question = url.indexOf("?", start);
  return question < 0 ? url.slice(start) : url.slice(start, question);
}

/** The query of a URL, without its question mark; "" where there is none. */
export function queryOf(url: string): string {
  const question = url.indexOf("?");
  return question < 0 ? "" : url.slice(question + 1);
}

/** What follows a route's prefix: a bucket and perhaps a key. */
export interface Target {
  /** The name when the path has a key, else null. */
  readonly name: ObjectName | null;
  /** The bucket when the path has no key, else null (it is the first part of the name). */
  readonly bucket: Uint8Array | null;
  readonly query: string;
}

/** The name that is being read: bucket, slash, key. Valid until the next call of readTarget. */
const scratch = new Uint8Array(NAME_BYTES_MAX);

/**
 * Reads bucket and key from `start`, the place behind "/kv/" and the like.
 * @throws Refusal bad-bucket, bad-key, key-too-long
 */
export function readTarget(url: string, start: number): Target {
  const question = url.indexOf("?", start);
  const end = question < 0 ? url.length : question;
  const query = question < 0 ? "" : url.slice(question + 1);
  const slash = url.indexOf("/", start);
  if (slash < 0 || slash >= end) {
    const bucketLength = readBucket(url, start, end);
    return { name: null, bucket: scratch.slice(0, bucketLength), query };
  }
  const bucketLength = readBucket(url, start, slash);
  scratch[bucketLength] = SLASH;
  const keyLength = readKey(url, slash + 1, end, bucketLength + 1);
  const bytes = scratch.slice(0, bucketLength + 1 + keyLength);
  return { name: new ObjectName(bytes), bucket: null, query };
}

/** Reads a bucket alone, for routes that take no key. @throws Refusal bad-bucket */
export function readBucketTarget(url: string, start: number): Uint8Array {
  const { bucket } = readTarget(url, start);
  if (bucket === null) {
    throw new Refusal("bad-bucket", "The path goes on behind the bucket, want it to end there.");
  }
  return bucket;
}

/** The name of a key given as base64url of its bytes. @throws Refusal bad-key, key-too-long */
export function nameFromKey64(bucket: Uint8Array, key64: string): ObjectName {
  const key = decodeBase64Url(key64);
  if (key === null) {
    throw new Refusal("bad-key", `key64 is '${excerpt(key64)}', want base64url without padding.`);
  }
  return nameFrom(bucket, key);
}

/** The name of a key given as bytes. @throws Refusal bad-key, key-too-long */
export function nameFrom(bucket: Uint8Array, key: Uint8Array): ObjectName {
  if (key.length === 0) throw emptyKey();
  if (key.length > KEY_BYTES_MAX) throw keyTooLong(String(key.length));
  const bytes = new Uint8Array(bucket.length + 1 + key.length);
  bytes.set(bucket);
  bytes[bucket.length] = SLASH;
  bytes.set(key, bucket.length + 1);
  return new ObjectName(bytes);
}

function readBucket(url: string, start: number, end: number): number {
  const length = decodeInto(url, start, end, 0, BUCKET_BYTES_MAX, "bad-bucket");
  if (length < 0) {
    const sizes = `longer than ${BUCKET_BYTES_MAX} bytes, the limit`;
    throw new Refusal("bad-bucket", `The bucket is ${sizes}.`);
  }
  if (length === 0) {
    throw new Refusal("bad-bucket", `The bucket is empty, want 1 to ${BUCKET_BYTES_MAX} bytes.`);
  }
  for (let index = 0; index < length; index++) {
    if (scratch[index] === SLASH) {
      throw new Refusal("bad-bucket", "The bucket has a slash (%2F) in it, want any other bytes.");
    }
  }
  return length;
}

function readKey(url: string, start: number, end: number, offset: number): number {
  const length = decodeInto(url, start, end, offset, KEY_BYTES_MAX, "bad-key");
  if (length < 0) throw keyTooLong(`more than ${KEY_BYTES_MAX}`);
  if (length === 0) throw emptyKey();
  return length;
}

function emptyKey(): Refusal {
  const hint = "if it had dot segments, which URL rules take away, give it as ?key64=";
  return new Refusal("bad-key", `The key is empty, want 1 to ${KEY_BYTES_MAX} bytes; ${hint}.`);
}

function keyTooLong(length: string): Refusal {
  return new Refusal("key-too-long", `The key is ${length} bytes, the limit is ${KEY_BYTES_MAX}.`);
}

/**
 * Decodes url[start, end) into the scratch at `offset`; returns the bytes written, or -1 where they
 * would be more than `limit`.
 */
function decodeInto(
  url: string,
  start: number,
  end: number,
  offset: number,
  limit: number,
  code: "bad-bucket" | "bad-key",
): number {
  let length = 0;
  for (let index = start; index < end; index++) {
    let byte = url.charCodeAt(index);
    if (byte === PERCENT) {
      byte = index + 2 < end ? hexByte(url, index + 1) : -1;
      if (byte < 0) throw malformedPercent(url, index, end, code);
      index += 2;
    } else if (byte > 0x7f || byte === HASH) {
      const character = byte === HASH ? "#" : "a character beyond ASCII";
      throw new Refusal(code, `The path has ${character} in it, want it percent-encoded.`);
    }
    if (length === limit) return -1;
    scratch[offset + length++] = byte;
  }
  return length;
}

function malformedPercent(
  url: string,
  index: number,
  end: number,
  code: "bad-bucket" | "bad-key",
): Refusal {
  const given = url.slice(index, Math.min(index + 3, end));
  const wanted = "% followed by two hexadecimal digits";
  return new Refusal(code, `The path has '${given}' in it, want ${wanted}.`);
}

/** The byte that two hexadecimal digits give, or -1. */
function hexByte(text: string, index: number): number {
  const high = hexDigit(text.charCodeAt(index));
  const low = hexDigit(text.charCodeAt(index + 1));
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

function hexDigit(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Bytes as they stand in a path: unreserved characters (RFC 3986) as they are, the rest as %XX. */
export function encodePath(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += PATH_TEXTS[byte];
  return text;
}

/** What each byte is in a path. */
const PATH_TEXTS = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9\-._~]/.test(character)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

/**
 * The bytes of a query parameter as it was given: %XX is one byte, whether or not all together are
 * UTF-8. @throws Refusal bad-parameter
 */
export function parameterBytes(name: string, text: string): Uint8Array {
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const byte = code === PERCENT ? hexByte(text, index + 1) : code;
    if (byte < 0 || code > 0x7f) {
      const wanted = "want ASCII, and % followed by two hexadecimal digits for other bytes";
      throw new Refusal("bad-parameter", `${name} is '${excerpt(text)}', ${wanted}.`);
    }
    if (code === PERCENT) index += 2;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Enough of what a client gave to find it again, and no more. */
export function excerpt(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
