/**
 * What an engine reads from a packed head (core/version-set): how many versions there are, and of each
 * its dot, the length of its payload and the payload's checksum. Engines read nothing else: clocks,
 * flags and stamps are bytes to them.
 *
 *   head:  8 bytes (u16 version count at 2) · version entries of 56 bytes · clock entries
 *   entry: dot 14 bytes (actor, counter) · … · u16 metaLength at 30 · … · u32 bodyLength at 48
 *          · u32 payload checksum at 52
 */

import { readU16, readU32 } from "../core/bytes.ts";

const HEAD_FIXED_BYTES = 8;
const VERSION_BYTES = 56;
const DOT_BYTES = 14;
const META_LENGTH_OFFSET = 30;
const BODY_LENGTH_OFFSET = 48;
const PAYLOAD_CHECKSUM_OFFSET = 52;

export function headVersions(head: Uint8Array): number {
  return readU16(head, 2);
}

/** Bytes of version `index`'s payload: metadata block and body. */
export function payloadLength(head: Uint8Array, index: number): number {
  const entry = HEAD_FIXED_BYTES + index * VERSION_BYTES;
  return readU16(head, entry + META_LENGTH_OFFSET) + readU32(head, entry + BODY_LENGTH_OFFSET);
}

/** crc32c of version `index`'s payload. */
export function payloadChecksum(head: Uint8Array, index: number): number {
  return readU32(head, HEAD_FIXED_BYTES + index * VERSION_BYTES + PAYLOAD_CHECKSUM_OFFSET);
}

/** The version of `stored` with the dot of version `index` of `head`, or -1. */
export function sameDot(head: Uint8Array, index: number, stored: Uint8Array): number {
  const wanted = HEAD_FIXED_BYTES + index * VERSION_BYTES;
  const count = headVersions(stored);
  for (let candidate = 0; candidate < count; candidate++) {
    const entry = HEAD_FIXED_BYTES + candidate * VERSION_BYTES;
    if (equalDots(head, wanted, stored, entry)) return candidate;
  }
  return -1;
}

function equalDots(
  left: Uint8Array,
  leftOffset: number,
  right: Uint8Array,
  rightOffset: number,
): boolean {
  for (let index = 0; index < DOT_BYTES; index++) {
    if (left[leftOffset + index] !== right[rightOffset + index]) return false;
  }
  return true;
}
