/**
 * What an object request says in its headers: content type, user metadata, lifetime, request id
 * and conditions. Absent headers cost one look each; metadata is the only reason to walk over all
 * of them.
 *
 * Header values arrive as one character a byte (latin-1). User metadata is UTF-8 text: it is
 * decoded here and encoded again on the way out, so that JSON shows the words that the client
 * meant.
 */

import { CONTENT_TYPE_BYTES_MAX, META_BLOCK_BYTES_MAX, META_BYTES_MAX } from "../../core/limits.ts";
import { CONTENT_ENCODING, type PayloadMeta } from "../../core/payload.ts";
import type { Precondition } from "../coordination/store.ts";
import { TTL_SECONDS_MAX } from "../membership/buckets.ts";
import { fromLatin1, toLatin1 } from "./bytes.ts";
import { versionOf } from "./entity-tag.ts";
import { Refusal } from "./problem.ts";
import { excerpt } from "./target.ts";

/** A UUID of version 7. */
export const REQUEST_ID =
  /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-7[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$/;
/** What the headers of user metadata begin with, in lower case. */
export const META_PREFIX = "halo-meta-";
/** Of a Content-Encoding; and what it is: names, with commas between several. */
const CONTENT_ENCODING_BYTES_MAX = 64;
const CODINGS_LISTED = /^[a-z0-9!#$%&'*+.^_`|~-]+( *, *[a-z0-9!#$%&'*+.^_`|~-]+)*$/;
const CONTENT_TYPE_DEFAULT = "application/octet-stream";
/** A name's length is one byte of the payload. */
const META_NAME_BYTES_MAX = 255;

/** Content type and user metadata. @throws Refusal bad-header */
export function readMeta(headers: Headers): PayloadMeta {
  return { contentType: readContentType(headers), meta: readUserMeta(headers) };
}

function readContentType(headers: Headers): string {
  const given = headers.get("content-type");
  if (given === null || given === "") return CONTENT_TYPE_DEFAULT;
  if (!/^[\x20-\x7e]+$/.test(given)) {
    throw new Refusal("bad-header", "Content-Type has bytes beyond printable ASCII in it.");
  }
  if (given.length > CONTENT_TYPE_BYTES_MAX) {
    const sizes = `${given.length} bytes, the limit is ${CONTENT_TYPE_BYTES_MAX}`;
    throw new Refusal("bad-header", `Content-Type is ${sizes}.`);
  }
  return given;
}

const NO_META: readonly (readonly [string, string])[] = [];

function readUserMeta(headers: Headers): readonly (readonly [string, string])[] {
  let meta: [string, string][] | null = null;
  let coding = "";
  // Names alone: a third of the price of forEach, which makes every value a string (Bun 1.4).
  for (const name of headers.keys()) {
    if (name === "content-encoding") coding = readContentEncoding(headers.get(name) ?? "");
    if (!name.startsWith(META_PREFIX)) continue;
    meta ??= [];
    meta.push([name.slice(META_PREFIX.length), headers.get(name) ?? ""]);
  }
  if (coding === "") return meta === null ? NO_META : checkUserMeta(meta, 0);
  const codingBytes = 3 + CONTENT_ENCODING.length + coding.length;
  return [[CONTENT_ENCODING, coding], ...checkUserMeta(meta ?? [], codingBytes)];
}

/** "" where the value is as it is. It is stored so, whatever the coding is: nothing here reads it. */
function readContentEncoding(given: string): string {
  const coding = given.trim().toLowerCase();
  if (coding === "identity") return "";
  if (coding.length <= CONTENT_ENCODING_BYTES_MAX && CODINGS_LISTED.test(coding)) return coding;
  const wanted = `want names of content codings as in gzip, at most ${CONTENT_ENCODING_BYTES_MAX} bytes`;
  throw new Refusal("bad-header", `Content-Encoding is '${excerpt(given)}', ${wanted}.`);
}

/** @param otherBytes of the metadata block, for what is none of the user's */
function checkUserMeta(meta: [string, string][], otherBytes: number): [string, string][] {
  let bytes = 0;
  for (const [name, value] of meta) bytes += name.length + value.length;
  if (bytes > META_BYTES_MAX) {
    const sizes = `${bytes} bytes, the limit for names and values together is ${META_BYTES_MAX}`;
    throw new Refusal("bad-header", `The Halo-Meta- headers are ${sizes}.`);
  }
  const bytesMax = META_BLOCK_BYTES_MAX - 1 - CONTENT_TYPE_BYTES_MAX - otherBytes;
  if (bytes + 3 * meta.length > bytesMax) {
    const most = Math.floor((bytesMax - bytes) / 3);
    const sizes = `${meta.length} Halo-Meta- headers, want at most ${most}`;
    throw new Refusal("bad-header", `There are ${sizes}.`);
  }
  return meta.map(([name, value]) => {
    if (name === "" || name.length > META_NAME_BYTES_MAX) {
      const sizes = `${name.length} bytes, want 1 to ${META_NAME_BYTES_MAX}`;
      throw new Refusal("bad-header", `The name of Halo-Meta-${excerpt(name)} is ${sizes}.`);
    }
    return [name, readText(name, value)];
  });
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

function readText(name: string, value: string): string {
  const text = decodeHeaderText(value);
  if (text !== null) return text;
  throw new Refusal("bad-header", `Halo-Meta-${name} is not valid UTF-8, want UTF-8 text.`);
}

/** The text whose UTF-8 a header value carries, one character a byte; null where it is none. */
export function decodeHeaderText(value: string): string | null {
  if (!/[^\x00-\x7f]/.test(value)) return value;
  try {
    return strictDecoder.decode(fromLatin1(value));
  } catch {
    return null;
  }
}

/** A pair of metadata as the header that it is in an answer. */
export function headerOf(name: string, value: string): [name: string, value: string] {
  return [name === CONTENT_ENCODING ? "Content-Encoding" : `Halo-Meta-${name}`, encodeHeaderText(value)];
}

/** Text as a header value: the bytes of its UTF-8, one character each. */
export function encodeHeaderText(text: string): string {
  if (!/[^\x00-\x7f]/.test(text)) return text;
  return toLatin1(encoder.encode(text));
}

/** Halo-TTL in seconds, 0 where it was not given. @throws Refusal bad-header */
export function readTtl(headers: Headers): number {
  const given = headers.get("halo-ttl");
  if (given === null) return 0;
  const seconds = /^\d{1,10}$/.test(given) ? Number(given) : 0;
  if (seconds < 1 || seconds > TTL_SECONDS_MAX) {
    const wanted = `want whole seconds from 1 to ${TTL_SECONDS_MAX}`;
    throw new Refusal("bad-header", `Halo-TTL is '${excerpt(given)}', ${wanted}.`);
  }
  return seconds;
}

/** Halo-Request-Id as 16 bytes, null where it was not given. @throws Refusal bad-header */
export function readRequestId(headers: Headers): Uint8Array | null {
  const given = headers.get("halo-request-id");
  if (given === null) return null;
  if (!REQUEST_ID.test(given)) {
    const wanted = "want a UUID of version 7";
    throw new Refusal("bad-header", `Halo-Request-Id is '${excerpt(given)}', ${wanted}.`);
  }
  const digits = given.replaceAll("-", "");
  const bytes = new Uint8Array(16);
  for (let index = 0; index < 16; index++) {
    bytes[index] = Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}

/** The condition of a write, null where none was given. @throws Refusal bad-header */
export function readPrecondition(headers: Headers): Precondition | null {
  const noneMatch = headers.get("if-none-match");
  const match = headers.get("if-match");
  if (noneMatch === null && match === null) return null;
  if (noneMatch !== null && noneMatch.trim() !== "*") {
    const wanted = "want * on a write";
    throw new Refusal("bad-header", `If-None-Match is '${excerpt(noneMatch)}', ${wanted}.`);
  }
  if (noneMatch !== null && match !== null) {
    throw new Refusal("bad-header", "If-Match and If-None-Match are both given, want one of them.");
  }
  return { absent: noneMatch !== null, etags: match === null ? [] : readEtags(match) };
}

const ENTITY_TAG = /(W\/)?"[\x21\x23-\x7e]*"/g;

/** "*" is whatever there is. Weak tags stay as they are: writes compare strongly (RFC 9110), W/"…" equals no tag of ours. */
function readEtags(match: string): string[] {
  if (match.trim() === "*") return ["*"];
  const etags = match.match(ENTITY_TAG) ?? [];
  const rest = match.replace(ENTITY_TAG, "").replace(/[ ,\t]/g, "");
  if (etags.length === 0 || rest !== "") {
    const wanted = 'want * or entity tags as in "0123456789abcdef"';
    throw new Refusal("bad-header", `If-Match is '${excerpt(match)}', ${wanted}.`);
  }
  return etags.map((etag) => (etag.startsWith("W/") ? etag : versionOf(etag.slice(1, -1))));
}
