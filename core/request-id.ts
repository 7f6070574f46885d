/**
 * The request id of a write: a UUIDv7 (RFC 9562), so that it tells when it was drawn.
 *
 *   0        6                8                16
 *   ├ ms u48 ┼ 7, 12 random ──┼ 2, 62 random ──┤     the time first, most significant byte first
 *
 * A client that got no answer sends its write again under the same id. The time in it decides whether a
 * write may be such a retry, and for how long one is taken (core/limits: REQUEST_ID_…).
 */

import { readU32 } from "./bytes.ts";
import { REQUEST_ID_BYTES } from "./version-set.ts";

/** Milliseconds since 1970 at which the id at bytes[offset, offset + 16) was drawn. */
export function requestTimeMs(bytes: Uint8Array, offset = 0): number {
  const high =
    (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3];
  return (high >>> 0) * 65_536 + ((bytes[offset + 4] << 8) | bytes[offset + 5]);
}

/** A new id: 48 bits of time, the rest random but for version and variant. */
export function drawRequestId(nowMs: number, fill: (bytes: Uint8Array) => void): Uint8Array {
  const id = new Uint8Array(REQUEST_ID_BYTES);
  fill(id);
  const high = Math.floor(nowMs / 65_536);
  id[0] = high >>> 24;
  id[1] = high >>> 16;
  id[2] = high >>> 8;
  id[3] = high;
  id[4] = (nowMs % 65_536) >>> 8;
  id[5] = nowMs % 65_536;
  id[6] = 0x70 | (id[6] & 15);
  id[8] = 0x80 | (id[8] & 63);
  return id;
}

/** Whether 16 bytes are an id that was drawn: not all zero. */
export function isRequestId(bytes: Uint8Array, offset = 0): boolean {
  for (let word = offset; word < offset + REQUEST_ID_BYTES; word += 4) {
    if (readU32(bytes, word) !== 0) return true;
  }
  return false;
}
