/**
 * Which bytes of a value a GET asks for (RFC 9110, section 14).
 *
 *   Range: bytes=0-99  bytes=100-  bytes=-100     206 with Content-Range, or 416 with the value's length
 *   several ranges, another unit, If-Range of another version                            the whole value
 *
 * If-Range compares strongly: the very ETag, or the very date of Last-Modified.
 */

import { Refusal } from "./problem.ts";
import { excerpt } from "./target.ts";

/** Bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The one range that is asked for; null: the whole value. @throws Refusal bad-range */
export function readRange(header: string, length: number): ByteRange | null {
  const given = /^\s*bytes\s*=(.*)$/i.exec(header)?.[1]?.trim();
  if (given === undefined || given.includes(",")) return null;
  const [, first = "", last = ""] = /^(\d{0,15})-(\d{0,15})$/.exec(given) ?? [];
  if (first === "" && last === "") throw unsatisfiable(header, length);
  const start = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === "" || last === "" ? length : Math.min(length, Number(last) + 1);
  if (start < end) return { start, end };
  throw unsatisfiable(header, length);
}

/** Whether a range counts for this version: no If-Range, or one that names it. */
export function isRangeMeant(ifRange: string | null, etag: string, lastModified: string): boolean {
  if (ifRange === null) return true;
  const validator = ifRange.trim();
  return validator === `"${etag}"` || validator === lastModified;
}

export function contentRange({ start, end }: ByteRange, length: number): string {
  return `bytes ${start}-${end - 1}/${length}`;
}

function unsatisfiable(header: string, length: number): Refusal {
  const detail = `Range is '${excerpt(header)}', want bytes=FIRST-LAST within the value's ${length} bytes.`;
  return new Refusal("bad-range", detail, { "Content-Range": `bytes */${length}` });
}
