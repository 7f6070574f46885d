/**
 * The cursor of a listing: where on the ring the next page begins, as a word that clients carry.
 *
 *    0     1        4              20
 *   ┌─────┬────────┬──────────────┬─────────────┐
 *   │ 1   │ 0 ×3   │ place 16     │ SipHash-2-4 │   28 bytes as base64url without padding: 38 letters
 *   │ u8  │        │              │ 8           │
 *   └─────┴────────┴──────────────┴─────────────┘
 *                   the MAC is over: u32 ffffffff, u16 bucket length, bucket, u16 prefix length,
 *                   prefix, all bytes before the MAC
 *
 * It names a place and no node, page or snapshot: it is good for ever, on every node, in any layout.
 * Bucket and prefix are in the MAC: a cursor of another listing, or one that nobody gave out, is
 * refused. (No context has a name of ffffffff bytes: what is sealed here is never taken for one.)
 */

import { writeU16, writeU32 } from "./bytes.ts";
import { contextFromTextInto, contextToText } from "./context.ts";
import { BUCKET_BYTES_MAX, CONTEXT_CHARS_MAX, KEY_BYTES_MAX } from "./limits.ts";
import { PLACE_BYTES, readPlace, type RingPlace, writePlace } from "./ring-place.ts";
import { SIPHASH_BYTES, siphashInto } from "./siphash.ts";

const CURSOR_FORMAT = 1;
const PLACE_AT = 4;
const MAC_AT = PLACE_AT + PLACE_BYTES;
const CURSOR_BYTES = MAC_AT + SIPHASH_BYTES;
const NO_NAME = 0xffffffff;

/** What the MAC is computed over; valid inside one call only. */
const scratch = new Uint8Array(4 + 2 + BUCKET_BYTES_MAX + 2 + KEY_BYTES_MAX + MAC_AT);
const given = new Uint8Array(CONTEXT_CHARS_MAX);
const mac = new Uint8Array(SIPHASH_BYTES);

/**
 * The cursor of the page that begins behind `place`.
 * @param key the cluster's, 16 bytes
 * REQUIRES: bucket and prefix are within the limits of buckets and keys
 */
export function encodeCursor(
  place: RingPlace,
  key: Uint8Array,
  bucket: Uint8Array,
  prefix: Uint8Array,
): string {
  const bytes = new Uint8Array(CURSOR_BYTES);
  bytes[0] = CURSOR_FORMAT;
  writePlace(place, bytes, PLACE_AT);
  macInto(key, bucket, prefix, bytes, bytes, MAC_AT);
  return contextToText(bytes, 0, CURSOR_BYTES);
}

/** The place in a cursor, or null: it is none of this cluster for this bucket and prefix. */
export function decodeCursor(
  text: string,
  key: Uint8Array,
  bucket: Uint8Array,
  prefix: Uint8Array,
): RingPlace | null {
  if (contextFromTextInto(text, given) !== CURSOR_BYTES) return null;
  macInto(key, bucket, prefix, given, mac, 0);
  let difference = 0;
  for (let index = 0; index < SIPHASH_BYTES; index++) difference |= mac[index] ^ given[MAC_AT + index];
  if (difference !== 0 || given[0] !== CURSOR_FORMAT) return null;
  return readPlace(given, PLACE_AT);
}

function macInto(
  key: Uint8Array,
  bucket: Uint8Array,
  prefix: Uint8Array,
  bytes: Uint8Array,
  target: Uint8Array,
  targetOffset: number,
): void {
  writeU32(scratch, 0, NO_NAME);
  writeU16(scratch, 4, bucket.length);
  scratch.set(bucket, 6);
  let end = 6 + bucket.length;
  writeU16(scratch, end, prefix.length);
  scratch.set(prefix, end + 2);
  end += 2 + prefix.length;
  scratch.set(bytes.subarray(0, MAC_AT), end);
  siphashInto(key, scratch, 0, end + MAC_AT, target, targetOffset);
}
