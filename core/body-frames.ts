/**
 * BODY: one slice of a large payload, handed to a node that lacks it. Pure codec, as core/replica-frames.
 *
 *   request                                    reply
 *    0  u16 name length                         0  u32 the offset that is wanted next: all before it
 *    2  u8  flags: 2 for a hint                        is there; the payload's length: it is complete
 *    3  u8  0
 *    4  u32 payload length
 *    8  u32 payload checksum (crc32c)
 *   12  u32 offset of this slice
 *   16  about 16: the version's dot (actor 8, counter 6, 0 × 2), or the id of a request
 *   32  target 8: whom a hint is for
 *   40  name, slice
 *
 * A slice that is not wanted next changes nothing: it came twice, or one before it was lost.
 */

import { readU16, readU32, writeU16, writeU32 } from "./bytes.ts";

export const BODY_HINTED = 2;
export const BODY_ABOUT_BYTES = 16;
export const BODY_REPLY_LENGTH = 4;
const FIXED = 40;

/** All of a BODY request but its slice. */
export interface BodyHead {
  readonly flags: number;
  readonly length: number;
  readonly checksum: number;
  readonly offset: number;
  readonly about: Uint8Array;
  readonly target: Uint8Array;
  readonly name: Uint8Array;
}

export function bodyLength(name: Uint8Array, sliceLength: number): number {
  return FIXED + name.length + sliceLength;
}

/** Writes what comes before the slice; returns where the slice goes. */
export function writeBody(head: BodyHead, target: Uint8Array, start: number): number {
  target.fill(0, start, start + FIXED);
  writeU16(target, start, head.name.length);
  target[start + 2] = head.flags;
  writeU32(target, start + 4, head.length);
  writeU32(target, start + 8, head.checksum);
  writeU32(target, start + 12, head.offset);
  target.set(head.about, start + 16);
  target.set(head.target, start + 32);
  target.set(head.name, start + FIXED);
  return start + FIXED + head.name.length;
}

/** A received BODY request: views, valid as long as the frame; the slice is bytes[sliceStart, end). */
export interface BodyView extends BodyHead {
  readonly sliceStart: number;
}

/** Null where it is malformed. */
export function readBody(bytes: Uint8Array, start: number, end: number): BodyView | null {
  if (end - start < FIXED) return null;
  const sliceStart = start + FIXED + readU16(bytes, start);
  if (sliceStart > end) return null;
  const length = readU32(bytes, start + 4);
  const offset = readU32(bytes, start + 12);
  if (offset + (end - sliceStart) > length) return null;
  return {
    flags: bytes[start + 2],
    length,
    checksum: readU32(bytes, start + 8),
    offset,
    about: bytes.subarray(start + 16, start + 32),
    target: bytes.subarray(start + 32, start + FIXED),
    name: bytes.subarray(start + FIXED, sliceStart),
    sliceStart,
  };
}
