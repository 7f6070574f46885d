/**
 * Entity tags: each form in which a version goes out has one of its own (RFC 9110, 8.8.3).
 *
 *   "0123456789abcdef"             a value as it is; several as multipart/mixed
 *   "0123456789abcdef-json"        several as JSON, or -cbor
 *   "0123456789abcdef-json-gzip"   compressed, or -zstd, -br
 *
 * If-Match means the version, whatever its client has read it from. A read's If-None-Match names what is held, perhaps
 * by a cache on the way, which may hand it out on a 304: it counts only where this very client could have got that.
 * If-Range compares whole tags, and ranges are of what is as it is.
 */

import type { Coding } from "../ports/compression.ts";
import { acceptedCodings } from "./content-coding.ts";

const SUFFIXES = /(-json|-cbor)?(-zstd|-br|-gzip)?$/;

/** What stands for the version in a tag without its quotes. */
export function versionOf(tag: string): string {
  return tag.replace(SUFFIXES, "");
}

/** Whether a read's If-Match names a version, in whatever form (strong comparison). */
export function namesVersion(match: string, etag: string): boolean {
  if (match.trim() === "*") return true;
  return match.split(",").some((one) => /^\s*"[^"]*"\s*$/.test(one) && versionOf(one.trim().slice(1, -1)) === etag);
}

/** A tag with its quotes, of what it stands for compressed. */
export function taggedAs(tag: string, coding: Coding): string {
  return `${tag.slice(0, -1)}-${coding}"`;
}

/**
 * The tag with its quotes that a GET's If-None-Match names, of those whose answer its client could get (weak
 * comparison); "" where it names none. @param tag of the answer uncompressed, without quotes
 */
export function heldTag(headers: Headers, noneMatch: string, tag: string): string {
  if (noneMatch.trim() === "*") return `"${tag}"`;
  const tags = [tag, ...acceptedCodings(headers.get("accept-encoding")).map((coding) => `${tag}-${coding}`)];
  const held = tags.find((one) => noneMatch.includes(`"${one}"`));
  return held === undefined ? "" : `"${held}"`;
}
